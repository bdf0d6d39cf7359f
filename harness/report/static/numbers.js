// The numbers as cards, and where the time went.

const LOSS_COLOURS = ["c3", "c4", "c6", "c2", "warn", "c5"];
const OUTAGES = 6;

function numbers() {
  const element = h("section", { id: "numbers", "aria-label": "Summary" });
  const update = () => {
    const [run, other] = data.runs;
    const shown = other ? comparison(data.runs) : h("div", { class: "cards" }, metrics(run).map(card));
    element.replaceChildren(shown, ...data.runs.flatMap((one) => [timeCard(one), outagesCard(one)]).filter(Boolean));
  };
  return { element, update };
}

function card({ label, value, note, bar, words }) {
  const shares = bar && shareBar(bar, words || show.count);
  const under = note && h("p", { class: "under" }, note);
  return h(
    "div",
    { class: "card" },
    h("h2", { class: "label" }, label),
    h("p", { class: "value" }, value),
    shares,
    under,
  );
}

/** Parts of a whole, `[name, colour, number]`, as a bar with its legend. */
function shareBar(parts, words) {
  const shown = parts.filter(([, , number]) => number > 0);
  const whole = shown.reduce((sum, [, , number]) => sum + number, 0);
  const stripes = shown.map(([, colour, number]) => {
    return h("i", { class: `fill-${colour}`, css: { "flex-grow": String(number / whole) } });
  });
  const legend = shown.map(([name, colour, number]) => {
    return h("li", null, h("i", { class: `fill-${colour}` }), h("span", null, h("b", null, words(number)), ` ${name}`));
  });
  return h(
    "div",
    null,
    h("div", { class: "bar", "aria-hidden": "true" }, stripes),
    h("ul", { class: "legend" }, legend),
  );
}

/** The lower bound, and what was lost to which cause. */
function timeCard(run) {
  const { losses, bound_s: bound, efficiency } = run.time;
  if (efficiency === null || !losses.length) return null;
  const most = LOSS_COLOURS.length;
  const rest = losses.slice(most).reduce((sum, loss) => sum + loss.seconds, 0);
  const parts = [
    ["could not have been avoided", "c1", bound],
    ...losses.slice(0, most).map((loss, place) => [loss.words, LOSS_COLOURS[place], loss.seconds]),
    ["other", "none", rest],
  ];
  const title = h("h2", { class: "label" }, data.runs.length > 1 && letterOf(run), "Where the time went");
  return h("div", { class: "card wide" }, title, shareBar(parts, show.time));
}

/** When the provider was away, and why. */
function outagesCard(run) {
  const { outages } = run;
  if (!outages.length) return null;
  const whole = outages.reduce((sum, outage) => sum + outage.seconds, 0);
  const title = h("h2", { class: "label" }, data.runs.length > 1 && letterOf(run), "When the provider was away");
  const sum = `${show.plural(outages.length, "outage")}, ${show.time(whole)} in all`;
  const lines = outages.map(outageLine);
  const list = (some) => h("ul", { class: "outages" }, some);
  const more = h(
    "details",
    null,
    h("summary", null, `${show.count(lines.length - OUTAGES)} more`),
    list(lines.slice(OUTAGES)),
  );
  return h(
    "div",
    { class: "card wide", id: `outages-${run.letter}` },
    title,
    h("p", { class: "under" }, sum),
    list(lines.slice(0, OUTAGES)),
    lines.length > OUTAGES && more,
  );
}

function outageLine(outage) {
  const words = [show.time(outage.seconds), show.plural(outage.probes, "probe"), kindOf(outage.kind)].join(", ");
  const message = h("span", { class: "message" }, outage.message);
  return h("li", null, h("b", null, show.between(outage)), ` ${words}`, message);
}
