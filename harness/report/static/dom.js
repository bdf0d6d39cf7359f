// Elements and texts. Nothing in this page turns a text into markup: what a model wrote stays a text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`on…` are listeners, `css` its style's properties) and children (not false or 0). */
function h(name, attributes, ...children) {
  return dress(document.createElement(name), attributes, children);
}

/** The same for an element of SVG. */
function svg(name, attributes, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}

function dress(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "css")
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== 0),
  );
  return element;
}

/** Nodes from a tree of `[name, …nodes]` and texts; only harmless elements are made, and harmless links. */
function nodes(tree) {
  return tree.map((node) => {
    if (typeof node === "string") return document.createTextNode(node);
    const [name, ...rest] = node;
    if (!ELEMENTS.has(name)) return document.createTextNode("");
    if (name !== "a") return h(name, null, ...nodes(rest));
    const [address, ...texts] = rest;
    if (!/^(https?|mailto):/i.test(address)) return h("span", null, ...nodes(texts));
    return h(
      "a",
      { href: address, rel: "noopener noreferrer nofollow", target: "_blank", title: address },
      ...nodes(texts),
    );
  });
}

const ELEMENTS = new Set(
  "p h1 h2 h3 h4 h5 h6 strong em s code pre ul ol li blockquote hr br table thead tbody tr th td a".split(" "),
);

function byId(id) {
  return document.getElementById(id);
}

/** Redraw, and give the focus to what has taken the place of the element that had it. */
function keepingFocus(redraw) {
  const mark = markOf(document.activeElement);
  redraw();
  if (document.activeElement !== document.body || !mark) return;
  const same = [...document.querySelectorAll("a, button, input")].find((one) => markOf(one) === mark);
  same?.focus({ preventScroll: true });
}

function markOf(element) {
  const named = ["id", "href", "data-status", "aria-label"].map((name) => element.getAttribute(name)).find(Boolean);
  return element === document.body ? "" : (named ?? element.textContent);
}

/** What the server or the writer of the file put into the page. */
function dataOf(id) {
  return JSON.parse(byId(id).textContent);
}

/** A table in a frame; each head is its words, or its words and a class. */
function tableOf(name, heads, rows) {
  const cells = heads.map((head) => {
    const [words, kind] = [head].flat();
    return h("th", { scope: "col", class: kind }, words);
  });
  const table = h("table", { class: name }, h("thead", null, h("tr", null, cells)), h("tbody", null, rows));
  return h("div", { class: "scroll" }, table);
}

/** A button that copies a link to a place in this page. */
function copyButton(hash, label) {
  const button = h("button", { type: "button", class: "quiet copy", "aria-label": label, title: label }, "Copy link");
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const done = await copied(location.href.split("#")[0] + hash);
    button.textContent = done ? "Copied" : "Press Ctrl-C";
    setTimeout(() => {
      button.textContent = "Copy link";
    }, 1600);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page from the disk may not be allowed to; the old way asks nobody.
    const field = h("textarea", { class: "offscreen", readonly: true, "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** The mark by which one of two runs is known all over the page. */
function letterOf(run) {
  return h("span", { class: `letter letter-${run.letter}` }, run.letter);
}
