// What went wrong, by cause, and the steps in numbers.

/** Failures by cause, with a button that shows their topics in the table. */
function troubles(choose) {
  const element = h("section", { id: "troubles", "aria-labelledby": "troubles-title" });
  const update = () => {
    const found = data.runs.flatMap((run) =>
      ["failed", "degraded"].flatMap((status) =>
        run.troubles[status].map((cause, number) => ({ run, status, cause, number })),
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
    ),
    h("button", { type: "button", class: "quiet", onclick: () => choose(run, status, number, cause) }, "Show topics"),
  );
}

function stepsTable() {
  const element = h("section", { id: "steps", "aria-labelledby": "steps-title" });
  const update = () => {
    const rows = data.runs.flatMap((run) => run.steps.map((step) => stepRow(run, step)));
    element.hidden = !rows.length;
    const heads = [
      "Step",
      "Calls",
      "Cached",
      "Failed",
      "Retries",
      "Median",
      "90%",
      "99%",
      "Tokens in",
      "Tokens out",
      "Reasoning",
      "Cost",
    ];
    element.replaceChildren(
      h("h2", { id: "steps-title" }, "Steps"),
      h(
        "div",
        { class: "scroll" },
        h(
          "table",
          { class: "numbers" },
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              heads.map((head) => h("th", { scope: "col" }, head)),
            ),
          ),
          h("tbody", null, rows),
        ),
      ),
    );
  };
  return { element, update };
}

function stepRow(run, step) {
  const latency = step.latency || {};
  const cells = [step.calls, step.hits, step.failed, step.retries]
    .map(show.count)
    .concat(
      [latency.p50, latency.p90, latency.p99].map(show.time),
      [step.input_tokens, step.output_tokens, step.reasoning_tokens].map(show.short),
      [show.money(step.cost)],
    );
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, data.runs.length > 1 && letterOf(run), step.step),
    cells.map((cell) => h("td", null, cell)),
  );
}
