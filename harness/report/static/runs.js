// The list of the runs in a directory, kept up to date.

let listed = dataOf("data");
const chosen = new Set();
const offline = offlineNote();
const content = h("div");

function draw() {
  const { runs, directory } = listed;
  const compare = h("a", { class: "button", id: "compare" }, "Compare two runs");
  const point = () => {
    const two = [...chosen];
    if (two.length === 2) compare.setAttribute("href", `compare/${two.map(encodeURIComponent).join("/")}/`);
    else compare.removeAttribute("href");
    compare.textContent = two.length === 2 ? `Compare ${two[0]} and ${two[1]}` : "Choose two runs to compare";
    compare.toggleAttribute("aria-disabled", two.length !== 2);
  };
  const rows = runs.map((run) => row(run, point));
  const heads = ["", "Run", "State", "Topics", "Cost", "Time", "Model", "Begun (UTC)"];
  content.replaceChildren(
    h("header", { class: "top" }, h("h1", null, "Runs"), h("p", { class: "muted" }, directory)),
    runs.length
      ? h(
          "div",
          { class: "scroll" },
          h(
            "table",
            { class: "runs" },
            h(
              "thead",
              null,
              h(
                "tr",
                null,
                heads.map((head) =>
                  h("th", { scope: "col", class: ["Cost", "Time"].includes(head) ? "right" : null }, head),
                ),
              ),
            ),
            h("tbody", null, rows),
          ),
        )
      : h("p", { class: "empty" }, "There is no run in this directory yet. One that begins will appear here."),
    runs.length > 1 ? h("p", { class: "actions" }, compare) : "",
    h("footer", null, `harness ${listed.version}. Read-only, for this machine only.`),
  );
  point();
}

function row(run, point) {
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
    draw();
  });
  const shares = [
    ["ok", "good", run.ok],
    ["degraded", "warn", run.degraded],
    ["failed", "bad", run.failed],
    ["unfinished", "none", run.unfinished],
  ].filter(([, , number]) => number > 0);
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
    h("td", { class: "right" }, show.money(run.cost)),
    h("td", { class: "right" }, show.time(run.wall_s)),
    h("td", null, run.model ?? ""),
    h("td", null, show.minute(run.created_at)),
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
      draw();
    }
  },
  offline.set,
);
