// The top of the page: what the run is, how it stands, and what must be said of it.

function header() {
  const element = h("header", { class: "top" });
  const update = () => element.replaceChildren(...data.runs.map(runHeader), ...notices());
  return { element, update };
}

function runHeader(run) {
  const about = run.about;
  const facts = [
    ["model", `${about.model ?? "default"} at ${about.endpoint}`],
    ["besides", about.elsewhere],
    ["workflow", about.workflow],
    ["topics from", about.dataset === "-" ? "standard input" : about.dataset?.split("/").pop()],
    ["begun", show.moment(about.created_at)],
    ["sessions", about.sessions > 1 ? show.count(about.sessions) : null],
    ["harness", about.harness],
  ].filter(([, value]) => value);
  return h(
    "div",
    { class: "run" },
    h(
      "h1",
      null,
      data.runs.length > 1 && letterOf(run),
      h("span", { class: "name" }, run.name),
      h("span", { class: `chip ${run.state.tone}`, id: `state-${run.letter}` }, run.state.word),
    ),
    run.state.said && h("p", { class: "said" }, run.state.said),
    h(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) =>
        h("div", null, h("dt", null, name), h("dd", { title: name === "topics from" ? about.dataset : null }, value)),
      ),
    ),
  );
}

/** What must be known before the numbers are read. */
function notices() {
  const said = new Map();
  for (const run of data.runs) {
    for (const text of noticesOf(run)) said.set(text, [...(said.get(text) ?? []), run.letter]);
  }
  return [...said].map(([text, letters]) => {
    const who = letters.length < data.runs.length ? `${letters}: ` : "";
    return h("p", { class: "note" }, who + text);
  });
}

function noticesOf(run) {
  const { state, totals, money, answerers, reading } = run;
  const finished = show.plural(totals.rows, "topic");
  const notices = [
    [
      isBeingRead(run),
      `The run is being read: ${show.percent(reading)} so far. Times, steps and curves follow when all calls are read.`,
    ],
    [
      state.tone === "busy",
      data.live
        ? `The run goes on: the numbers are those of the ${finished} finished so far.`
        : `The run is still under way: this page shows the ${finished} finished when it was written.`,
    ],
    [money.simulated, "Answered by the mock: the cost is simulated at DeepSeek's prices, nothing was paid."],
    [
      money.unpriced > 0 && money.known,
      `The cost leaves out ${show.plural(money.unpriced, "topic")} with calls whose cost is not known: ${money.why}.`,
    ],
  ];
  const models = answerers.map((line) => `Model: ${line}.`);
  return [...models, ...notices.filter(([holds]) => holds).map(([, text]) => text)];
}
