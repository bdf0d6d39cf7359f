// A topic that was opened: its output, its parts, when its calls were under way, and each of them.

/** The view; `open` shows a topic (and a call of it), `close` hides it. */
function topicView(table, goHome) {
  const content = h("div", { class: "content" });
  const element = h("section", { id: "topic", hidden: true, "aria-live": "off" }, content);
  let asked = 0;

  const open = async (id, callId, letter) => {
    const turn = ++asked;
    const row = table.find(id);
    element.hidden = false;
    if (!row) {
      content.replaceChildren(
        bar(id),
        h("p", { class: "empty" }, `No finished topic has the id “${id}” in this page.`),
      );
      return;
    }
    if (content.dataset.topic !== id) content.replaceChildren(bar(id), h("p", { class: "empty" }, "Opening…"));
    const details = await Promise.all(
      data.runs.map((run, number) =>
        row.places[number] < 0
          ? null
          : detailOf(number, row.places[number]).catch((error) => ({ broken: String(error.message || error) })),
      ),
    );
    if (turn !== asked) return;
    content.dataset.topic = id;
    content.replaceChildren(bar(id), title(row, details), columns(details));
    element.querySelector("h1").focus({ preventScroll: true });
    if (callId) showCall(callId, letter);
    else scrollTo(0, 0);
  };

  const showCall = (callId, letter) => {
    const found = [...content.querySelectorAll(`[data-run="${letter || data.runs[0].letter}"] .call`)].find(
      (call) => call.dataset.call === callId,
    );
    if (!found) return;
    found.open = true;
    found.dispatchEvent(new Event("toggle"));
    found.scrollIntoView({ block: "start" });
    found.querySelector("summary").focus({ preventScroll: true });
  };

  const bar = (id) =>
    h(
      "nav",
      { class: "crumbs", "aria-label": "Topic" },
      h(
        "a",
        {
          href: "#",
          onclick: (event) => {
            event.preventDefault();
            goHome();
          },
        },
        "← All topics",
      ),
      h("span", { class: "grow" }),
      beside(id, -1, "← Previous"),
      beside(id, 1, "Next →"),
      copyButton(linkTo(id), "Copy a link to this topic"),
    );

  const beside = (id, by, words) => {
    const next = table.beside(id, by);
    return h("a", next === undefined ? { "aria-disabled": "true", class: "off" } : { href: linkTo(next) }, words);
  };

  return {
    element,
    open,
    close: () => {
      asked += 1;
      element.hidden = true;
      delete content.dataset.topic;
      content.replaceChildren();
    },
  };
}

function title(row, details) {
  const first = details.find((detail) => detail && !detail.broken);
  return h(
    "div",
    null,
    h("h1", { tabindex: "-1" }, row.id),
    first?.topic && h("p", { class: "topic-text", dir: "auto" }, first.topic),
  );
}

function columns(details) {
  return h(
    "div",
    { class: details.length > 1 ? "columns" : "" },
    details.map((detail, number) => {
      const run = data.runs[number];
      const head = details.length > 1 && h("h2", { class: "column-head" }, letterOf(run), run.name);
      const body = !detail
        ? [h("p", { class: "empty" }, "This run has no row of the topic.")]
        : detail.broken
          ? [h("p", { class: "error-box" }, `The topic cannot be shown: ${detail.broken}`)]
          : topicBody(detail, run);
      return h("article", { "data-run": run.letter }, head, ...body);
    }),
  );
}

function topicBody(detail, run) {
  const facts = [
    show.money(detail.cost),
    show.time(detail.elapsed_s),
    `${show.time(detail.sequential_s)} one after another`,
    show.plural(detail.told, "call"),
    detail.hits ? `${show.count(detail.hits)} cached` : null,
    `${show.short(detail.usage.input_tokens)} tokens in`,
    `${show.short(detail.usage.output_tokens)} out`,
    detail.session > 1 ? `session ${detail.session}` : null,
  ].filter(Boolean);
  const metadata = Object.entries(detail.metadata);
  return [
    h(
      "p",
      { class: "facts-line" },
      h("span", { class: `status ${detail.status}` }, detail.status),
      " ",
      h("span", { class: "muted" }, facts.join(" · ")),
    ),
    metadata.length
      ? h(
          "dl",
          { class: "facts" },
          metadata.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
        )
      : null,
    detail.error && errorBox(detail.error),
    detail.output &&
      h("section", null, h("h2", null, "Output"), h("div", { class: "prose", dir: "auto" }, ...nodes(detail.output))),
    detail.sections.length
      ? h(
          "section",
          null,
          h("h2", null, detail.sections[0].question !== undefined ? "Sub-questions" : "Parts"),
          ...detail.sections.map(section),
        )
      : null,
    h(
      "section",
      { class: "gantt-section" },
      h("h2", null, "Calls"),
      gantt(detail, run),
      ...detail.calls.map((call) => callElement(call, detail, run)),
      callsMissing(detail),
    ),
  ].filter(Boolean);
}

function section(one, place) {
  if (one.fields) {
    return h(
      "details",
      { class: "part" },
      h("summary", null, `Part ${place + 1}`),
      h(
        "dl",
        { class: "grid" },
        Object.entries(one.fields).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, longText(value))]),
      ),
    );
  }
  return h(
    "details",
    { class: "part question" },
    h(
      "summary",
      null,
      h("span", { class: "number" }, String(place + 1)),
      h("span", { dir: "auto" }, one.question),
      one.status !== "ok" && h("span", { class: "chip bad" }, one.status),
      one.status === "ok" && one.cited === false && h("span", { class: "chip" }, "not cited"),
    ),
    one.error && h("p", { class: "message" }, one.error),
    one.answer && h("div", { class: "prose", dir: "auto" }, ...nodes(one.answer)),
  );
}

function callsMissing(detail) {
  if (detail.calls.length >= detail.told)
    return detail.told ? null : h("p", { class: "empty" }, "The topic made no call.");
  return h(
    "p",
    { class: "note" },
    `The row tells of ${show.plural(detail.told, "call")}; ${detail.calls.length ? `only ${detail.calls.length} are` : "none is"} in traces.jsonl.`,
  );
}
