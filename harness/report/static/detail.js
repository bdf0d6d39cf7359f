// What a topic holds: its output, its parts, when its calls were under way, and each of them.

function topicTitle(row, details) {
  const text = details.find((detail) => detail?.topic)?.topic;
  return h(
    "div",
    null,
    h("h1", { tabindex: "-1" }, row.id),
    text && h("p", { class: "topic-text", dir: "auto" }, text),
  );
}

/** One column a run. */
function topicColumns(details) {
  const two = details.length > 1;
  const columns = details.map((detail, number) => {
    const run = data.runs[number];
    const head = two && h("h2", { class: "column-head" }, letterOf(run), run.name);
    return h("article", { "data-run": run.letter }, head, ...columnBody(detail, run));
  });
  return h("div", { class: two ? "columns" : "" }, columns);
}

function columnBody(detail, run) {
  if (!detail) return [h("p", { class: "empty" }, "This run has no row of the topic.")];
  if (detail.problem) return [h("p", { class: "error-box bad" }, `The topic cannot be shown: ${detail.problem}`)];
  return topicBody(detail, run);
}

function tokensIn(usage) {
  const untold = usage.untold ? [`tokens not told for ${show.plural(usage.untold, "answer")}`] : [];
  const sum = usage.input_tokens + usage.output_tokens;
  if (untold.length && !sum) return untold;
  return [`${show.short(usage.input_tokens)} tokens in`, `${show.short(usage.output_tokens)} out`, ...untold];
}

function topicBody(detail, run) {
  const facts = [
    detail.cost === null ? "cost not known" : show.money(detail.cost),
    show.time(detail.elapsed_s),
    `${show.time(detail.sequential_s)} one after another`,
    show.plural(detail.told, "call"),
    detail.hits ? `${show.count(detail.hits)} cached` : null,
    ...tokensIn(detail.usage),
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
    detail.error && errorBox(detail.error, detail.status === "degraded" ? "warn" : "bad"),
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
    `The row tells of ${show.plural(detail.told, "call")}; in traces.jsonl are ${detail.calls.length}.`,
  );
}
