// The numbers of two runs, side by side, with what changed from the first to the second.

function comparison(runs) {
  const [before, after] = runs.map((run) => metrics(run, runs.some(isBeingRead)));
  const heads = runs.map((run) => h("th", { scope: "col" }, letterOf(run), run.name));
  const head = h("tr", null, h("td"), heads, h("th", { scope: "col" }, "Change"));
  const rows = before.map((metric, place) => comparedRow(metric, after[place]));
  const table = h("table", { class: "comparison" }, h("thead", null, head), h("tbody", null, rows));
  return h("div", { class: "scroll" }, table);
}

function comparedRow(before, after) {
  const change = before.number && after.number !== null ? after.number / before.number - 1 : null;
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, before.label),
    comparedCell(before),
    comparedCell(after),
    changeCell(change, before.better),
  );
}

function comparedCell({ value, note, bar, words = show.count }) {
  const shares = (bar || []).filter(([, , number]) => number > 0).map(([name, , number]) => `${words(number)} ${name}`);
  return h("td", null, h("strong", null, value), h("small", null, shares.length ? shares.join(" · ") : note));
}

function changeCell(change, better = 0) {
  if (change === null) return h("td", { class: "change" }, "–");
  if (Math.abs(change) < 0.0005) return h("td", { class: "change" }, "same");
  const news = Math.sign(change * better);
  const tone = { "-1": "worse", 0: "", 1: "better" }[news];
  return h("td", { class: `change ${tone}` }, `${change > 0 ? "+" : "−"}${show.percent(Math.abs(change))}`);
}
