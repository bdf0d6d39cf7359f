// The plots in their frames, drawn anew when the runs, the width or the colours change.

const PLOTS = [
  [
    "in-flight",
    "Calls in flight",
    "Requests under way, how many were let in, and what was refused. Attempts that failed stand roughly.",
    inFlightPlot,
  ],
  ["cost", "Cost so far", "What the calls of finished topics had cost by then, failed attempts included.", costPlot],
  ["latency", "Latency by step", "The share of requests that were answered within so many seconds.", latencyPlot],
  ["tokens", "Tokens by step", "What the calls of each step took in and put out.", tokensPlot],
];

/** The section with all plots; its `update` draws what the runs say now. */
function plotSection() {
  const figures = PLOTS.map(([name, title, words, make]) => figure(name, title, words, make));
  const section = h(
    "section",
    { id: "plots", "aria-labelledby": "plots-title" },
    h("h2", { id: "plots-title" }, "Over time and by step"),
  );
  if (typeof uPlot === "undefined") section.append(h("p", { class: "note" }, data.plots_missing));
  else
    section.append(
      h(
        "div",
        { class: "plots" },
        figures.map((one) => one.element),
      ),
    );
  return { element: section, update: () => figures.forEach((one) => one.update()) };
}

function figure(name, title, words, make) {
  const place = h("div", { class: "plot" });
  const element = h(
    "figure",
    { id: `plot-${name}` },
    h("figcaption", null, h("h3", null, title), h("p", null, words)),
    place,
  );
  let drawn = null;
  const width = () => Math.max(260, Math.floor(place.clientWidth));
  const height = () => (width() < 420 ? 200 : 240);
  const clear = () => {
    drawn?.destroy();
    drawn = null;
    place.replaceChildren();
  };
  const update = () => {
    if (typeof uPlot === "undefined") return;
    const made = data.runs.some((run) => run.series.t.length) ? make(data.runs) : null;
    clear();
    if (!made) {
      const words = data.runs.some(isBeingRead)
        ? "To be drawn when all calls are read."
        : "Nothing to draw yet: no request has come back, or no cost is known.";
      place.append(h("p", { class: "empty" }, words));
      return;
    }
    const cursor = { drag: { x: true, y: false }, ...made.options.cursor };
    const hooks = { setCursor: [(u) => u.root.classList.toggle("idle", u.cursor.idx == null)] };
    drawn = new uPlot(
      { class: "idle", width: width(), height: height(), hooks, ...made.options, cursor },
      made.data,
      place,
    );
  };
  new ResizeObserver(() => {
    if (drawn && Math.abs(drawn.width - width()) > 1) drawn.setSize({ width: width(), height: height() });
  }).observe(place);
  repaints.add(() => drawn?.redraw(false));
  return { element, update };
}
