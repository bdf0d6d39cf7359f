// What went wrong, by cause, and the steps in numbers.

/** Failures by cause, with a button that shows their topics in the table. */
function troubles(choose) {
  const element = h("section", { id: "troubles", "aria-labelledby": "troubles-title" });
  const update = () => {
    const found = data.runs.flatMap((run) =>
      ["failed", "degraded"].flatMap((status) =>
        run.troubles[status]
          .map((cause, number) => ({ run, status, cause, number }))
          .filter(({ cause }) => cause.count > 0),
      ),
    );
    element.hidden = !found.length;
    found.sort((one, other) =>
      one.status === other.status ? other.cause.count - one.cause.count : one.status === "failed" ? -1 : 1,
    );
    element.replaceChildren(
      h("h2", { id: "troubles-title" }, "What went wrong"),
      h(
        "ul",
        { class: "troubles" },
        found.map((one) => trouble(one, choose)),
      ),
    );
  };
  return { element, update };
}

function trouble({ run, status, cause, number }, choose) {
  const about = [cause.step && `in ${cause.step}`, cause.status && `status ${cause.status}`].filter(Boolean).join(", ");
  const label = `Show topics: ${status}, ${kindOf(cause.kind)} ${about}`;
  const attributes = { type: "button", class: "quiet", "aria-label": label };
  return h(
    "li",
    null,
    h("span", { class: `chip ${status === "failed" ? "bad" : "warn"}` }, `${show.count(cause.count)} ${status}`),
    h(
      "div",
      null,
      h("strong", null, data.runs.length > 1 ? `${run.letter}: ${kindOf(cause.kind)}` : kindOf(cause.kind)),
      about && h("span", { class: "muted" }, ` ${about}`),
      h("p", { class: "message" }, cause.example),
      ...authorsLine(cause),
    ),
    h("button", { ...attributes, onclick: () => choose(run, status, number, cause) }, "Show topics"),
  );
}

/** What is known of it, and of how many calls it is not. */
function costOfStep({ cost, unpriced }) {
  if (!unpriced) return show.money(cost);
  return cost ? `${show.money(cost)} + ${show.count(unpriced)} not known` : show.money(null);
}

const STEP_COLUMNS = [
  ["Calls", (step) => show.count(step.calls)],
  ["Cached", (step) => show.count(step.hits)],
  ["Failed", (step) => show.count(step.failed)],
  ["Retries", (step) => show.count(step.retries)],
  ["Median", (step) => show.time(step.latency?.p50)],
  ["90%", (step) => show.time(step.latency?.p90)],
  ["99%", (step) => show.time(step.latency?.p99)],
  ["Tokens in", (step) => show.short(step.input_tokens)],
  ["Tokens out", (step) => show.short(step.output_tokens)],
  ["Reasoning", (step) => show.short(step.reasoning_tokens)],
  ["Cost", costOfStep],
];

/** The steps of all runs as `{ run, step }`; those of one name stand together. */
function stepsOf(runs) {
  const names = [...new Set(runs.flatMap((run) => run.steps.map((step) => step.step)))];
  return names.flatMap((name) =>
    runs.flatMap((run) => run.steps.filter((step) => step.step === name).map((step) => ({ run, step }))),
  );
}

function stepsTable() {
  const element = h("section", { id: "steps", "aria-labelledby": "steps-title" });
  const update = () => {
    const rows = stepsOf(data.runs).map(({ run, step }) => stepRow(run, step));
    element.hidden = !rows.length;
    const heads = ["Step", ...STEP_COLUMNS.map(([label]) => label)];
    element.replaceChildren(h("h2", { id: "steps-title" }, "Steps"), tableOf("numbers stacks", heads, rows));
  };
  return { element, update };
}

function stepRow(run, step) {
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, data.runs.length > 1 && letterOf(run), step.step),
    STEP_COLUMNS.map(([label, words]) => h("td", { "data-label": label }, words(step))),
  );
}
