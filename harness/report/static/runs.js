// The list of the runs in a directory, kept up to date.

let listed = dataOf("data");
const chosen = new Set();
const HEADS = ["", "Run", "State", "Topics", ["Cost", "right"], ["Time", "right"], "Model", "Begun (UTC)"];
const offline = offlineNote();
const content = h("div");

function draw() {
  const { runs, directory } = listed;
  content.replaceChildren(
    h("header", { class: "top" }, h("h1", null, "Runs"), h("p", { class: "muted" }, directory)),
    runs.length
      ? tableOf("runs stacks", HEADS, runs.map(row))
      : h("p", { class: "empty" }, "There is no run in this directory yet. One that begins will appear here."),
    runs.length > 1 ? h("p", { class: "actions" }, compareLink([...chosen])) : "",
    h("footer", null, `harness ${listed.version}. Read-only, for this machine only.`),
  );
}

function compareLink(names) {
  const ready = names.length === 2;
  const href = ready ? `compare/${names.map(encodeURIComponent).join("/")}/` : null;
  const words = ready ? `Compare ${names[0]} and ${names[1]}` : "Choose two runs to compare";
  return h("a", { class: "button", id: "compare", href, "aria-disabled": ready ? null : "true" }, words);
}

function row(run) {
  if (run.problem)
    return h(
      "tr",
      null,
      h("td"),
      h("th", { scope: "row" }, run.name),
      h(
        "td",
        { colspan: 6 },
        h("span", { class: "chip bad" }, "cannot be read"),
        h("p", { class: "message" }, run.problem),
      ),
    );
  const box = h("input", { type: "checkbox", "aria-label": `Compare ${run.name}` });
  box.checked = chosen.has(run.name);
  box.addEventListener("change", () => {
    if (box.checked) chosen.add(run.name);
    else chosen.delete(run.name);
    while (chosen.size > 2) chosen.delete(chosen.values().next().value);
    keepingFocus(draw);
  });
  const shares = endings(run).filter(([, , number]) => number > 0);
  return h(
    "tr",
    { "data-run": run.name },
    h("td", null, box),
    h("th", { scope: "row" }, h("a", { href: `run/${encodeURIComponent(run.name)}/` }, run.name)),
    h("td", null, h("span", { class: `chip ${run.state.tone}` }, run.state.word)),
    h(
      "td",
      null,
      h(
        "div",
        { class: "bar", title: shares.map(([name, , number]) => `${number} ${name}`).join(", ") },
        shares.map(([, tone, number]) => h("i", { class: `fill-${tone}`, css: { "flex-grow": String(number) } })),
      ),
      h("small", null, shares.map(([name, , number]) => `${show.count(number)} ${name}`).join(" · ")),
    ),
    h("td", { class: "right", "data-label": "Cost" }, run.cost === null ? "not known" : show.money(run.cost)),
    h("td", { class: "right", "data-label": "Time" }, show.time(run.wall_s)),
    h("td", { "data-label": "Model" }, run.model ?? "–"),
    h("td", { "data-label": "Begun (UTC)" }, show.minute(run.created_at)),
  );
}

byId("app").append(offline.element, h("main", { id: "home" }, content));
draw();
document.documentElement.dataset.ready = "yes";
follow(
  listed.events,
  async () => {
    const answer = await fetch("data.json", { cache: "no-store" });
    if (answer.ok) {
      listed = { ...listed, ...(await answer.json()) };
      keepingFocus(draw);
    }
  },
  offline.set,
);
