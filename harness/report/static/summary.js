// The top of the page: what the run is, how it stands, its numbers, its failures, its steps.

function header() {
  const element = h("header", { class: "top" });
  const update = () => element.replaceChildren(...data.runs.map(runHeader), ...notices());
  return { element, update };
}

function runHeader(run) {
  const about = run.about;
  const facts = [
    ["model", `${about.model ?? "default"} at ${about.endpoint}`], ["workflow", about.workflow],
    ["topics from", about.dataset === "-" ? "standard input" : about.dataset?.split("/").pop()], ["begun", show.moment(about.created_at)],
    ["sessions", about.sessions > 1 ? show.count(about.sessions) : null], ["harness", about.harness],
  ].filter(([, value]) => value);
  return h("div", { class: "run" },
    h("h1", null, data.runs.length > 1 && h("span", { class: `letter letter-${run.letter}` }, run.letter), h("span", { class: "name" }, run.name),
      h("span", { class: `chip ${run.state.tone}`, id: `state-${run.letter}` }, run.state.word)),
    run.state.said && h("p", { class: "said" }, run.state.said),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", { title: name === "topics from" ? about.dataset : null }, value)))));
}

function notices() {
  const found = [];
  for (const run of data.runs) {
    const who = data.runs.length > 1 ? `${run.letter}: ` : "";
    if (run.state.tone === "busy" && !data.live) found.push(`${who}The run is still under way: this page shows the ${show.plural(run.totals.rows, "topic")} finished when it was written.`);
    if (run.money.simulated) found.push(`${who}Answered by the mock: the cost is simulated at DeepSeek's prices, nothing was paid.`);
    if (run.money.at_risk > 0) found.push(`${who}Of broken requests nobody knows whether they were paid for: at most ${show.money(run.money.at_risk)} more.`);
    if (run.money.unpriced) found.push(`${who}The cost leaves out ${show.plural(run.money.unpriced, "topic")} with calls whose price is not known.`);
  }
  return found.map((text) => h("p", { class: "note" }, text));
}

/** Label, value, what stands under it, and shares for a bar: `[name, tone, number]`. */
function metrics(run) {
  const { totals, time, money, limits } = run;
  const usage = totals.usage;
  const tokens = usage.input_tokens + usage.output_tokens;
  const retries = run.attempts.reduce((sum, cause) => sum + cause.count, 0);
  return [
    { label: "Topics", value: show.count(totals.rows + totals.unfinished), number: totals.rows,
      bar: [["ok", "good", totals.ok], ["degraded", "warn", totals.degraded], ["failed", "bad", totals.failed], ["unfinished", "none", totals.unfinished]] },
    { label: "Wall time", value: show.time(time.wall_s), number: time.wall_s, better: -1,
      note: `the same requests one after another: ${show.time(time.sequential_s)}` },
    { label: "Speed-up", value: show.times(time.speedup), number: time.speedup, better: 1,
      note: time.efficiency === null ? "" : `${show.percent(time.efficiency)} of what was possible; bound by ${BOUNDS[time.bound_by] || time.bound_by}` },
    { label: "Cost", value: show.money(money.cost), number: money.cost, better: -1, note: costNote(money),
      bar: money.budget ? [["spent", money.spent >= money.budget * 0.95 ? "warn" : "c1", money.spent], ["left of the budget", "none", Math.max(0, money.budget - money.spent)]] : null, show: show.money },
    { label: "Tokens", value: show.short(tokens), number: tokens, better: -1,
      note: usage.cached_tokens ? `${show.percent(usage.cached_tokens / usage.input_tokens)} of the input cached by the provider` : "",
      bar: [["input", "c2", usage.input_tokens - usage.cached_tokens], ["cached input", "c5", usage.cached_tokens], ["reasoning", "c4", usage.reasoning_tokens],
            ["answers", "c1", usage.output_tokens - usage.reasoning_tokens]], show: show.short },
    { label: "From the cache", value: totals.calls ? show.percent(totals.hits / totals.calls) : "–", number: totals.calls ? totals.hits / totals.calls : null, better: 1,
      note: `${show.count(totals.hits)} of ${show.plural(totals.calls, "call")}${money.saved ? `; worth ${show.money(money.saved)}` : ""}` },
    { label: "Requests that failed", value: show.count(retries), number: retries, better: -1,
      note: retries ? run.attempts.slice(0, 4).map((cause) => `${show.count(cause.count)} ${kindOf(cause.kind)}`).join(" · ") : `all ${show.plural(totals.requests, "request")} were answered` },
    { label: "Calls at once", value: limits ? `${limits.places} of ${limits.maximum}` : show.count(run.in_flight ?? 0), number: limits ? limits.places : run.in_flight, better: 1,
      note: totals.refusals ? `${show.count(totals.refusals)} refused with 429${limits?.named_limit ? `; the provider named ${limits.named_limit}` : ""}` : "the provider refused none" },
  ];
}

const BOUNDS = { work: "the work and the calls in flight", "critical path": "the longest chain of calls", pace: "requests and tokens per minute" };

function costNote(money) {
  const parts = [];
  if (money.budget) parts.push(`${show.percent(money.spent / money.budget)} of the budget of ${show.money(money.budget)}`);
  if (money.spent > money.cost * 1.0001) parts.push(`${show.money(money.spent)} with what has no row`);
  return parts.join("; ");
}

function numbers() {
  const element = h("section", { id: "numbers", "aria-label": "Summary" });
  const update = () => element.replaceChildren(...(data.runs.length > 1 ? [comparison(data.runs)] : [h("div", { class: "cards" }, metrics(data.runs[0]).map(card))]), ...data.runs.map(timeBar).filter(Boolean));
  return { element, update };
}

function card(metric) {
  return h("div", { class: "card" }, h("h2", { class: "label" }, metric.label), h("p", { class: "value" }, metric.value), bar(metric.bar, metric.show || show.count), metric.note && h("p", { class: "under" }, metric.note));
}

function bar(parts, words) {
  if (!parts) return null;
  const whole = parts.reduce((sum, [, , number]) => sum + number, 0);
  const shown = parts.filter(([, , number]) => number > 0);
  return h("div", { class: "barred" },
    h("div", { class: "bar", "aria-hidden": "true" }, shown.map(([, tone, number]) => h("i", { class: `fill-${tone}`, css: { "flex-grow": String(number / (whole || 1)) } }))),
    h("ul", { class: "legend" }, shown.map(([name, tone, number]) => h("li", null, h("i", { class: `fill-${tone}` }), `${words(number)} ${name}`))));
}

function timeBar(run) {
  const { losses, bound_s: bound, efficiency } = run.time;
  if (efficiency === null || !losses.length) return null;
  const tones = ["c3", "c4", "c2", "c5", "c6", "warn"];
  const parts = [["could not have been avoided", "c1", bound], ...losses.slice(0, 6).map((loss, place) => [loss.words, tones[place], loss.seconds])];
  const rest = losses.slice(6).reduce((sum, loss) => sum + loss.seconds, 0);
  if (rest > 0) parts.push(["other", "none", rest]);
  return h("div", { class: "card wide" }, h("h2", { class: "label" }, `Where the time went${data.runs.length > 1 ? `, ${run.letter}` : ""}`), bar(parts, show.time));
}

function comparison(runs) {
  const [a, b] = runs.map(metrics);
  const rows = a.map((metric, place) => {
    const other = b[place];
    const change = metric.number && other.number !== null ? (other.number - metric.number) / metric.number : null;
    const tone = !metric.better || change === null || Math.abs(change) < 0.005 ? "" : change * metric.better > 0 ? "better" : "worse";
    return h("tr", null, h("th", { scope: "row" }, metric.label),
      [metric, other].map((one) => h("td", null, h("strong", null, one.value), h("small", null, one.bar ? one.bar.filter(([, , n]) => n > 0).map(([name, , n]) => `${(one.show || show.count)(n)} ${name}`).join(" · ") : one.note))),
      h("td", { class: `change ${tone}` }, change === null ? "–" : Math.abs(change) < 0.0005 ? "same" : `${change > 0 ? "+" : "−"}${show.percent(Math.abs(change))}`));
  });
  return h("div", { class: "scroll" }, h("table", { class: "comparison" },
    h("thead", null, h("tr", null, h("td", null), runs.map((run) => h("th", { scope: "col" }, h("span", { class: `letter letter-${run.letter}` }, run.letter), run.name)), h("th", { scope: "col" }, "change"))),
    h("tbody", null, rows)));
}

/** Failures by cause, with a button that shows their topics in the table. */
function troubles(choose) {
  const element = h("section", { id: "troubles", "aria-labelledby": "troubles-title" });
  const update = () => {
    const found = data.runs.flatMap((run) => ["failed", "degraded"].flatMap((status) => run.troubles[status].map((cause, number) => ({ run, status, cause, number }))));
    element.hidden = !found.length;
    found.sort((one, other) => (one.status === other.status ? other.cause.count - one.cause.count : one.status === "failed" ? -1 : 1));
    element.replaceChildren(h("h2", { id: "troubles-title" }, "What went wrong"), h("ul", { class: "troubles" }, found.map((one) => trouble(one, choose))));
  };
  return { element, update };
}

function trouble({ run, status, cause, number }, choose) {
  const about = [cause.step && `in ${cause.step}`, cause.status && `status ${cause.status}`].filter(Boolean).join(", ");
  return h("li", null,
    h("span", { class: `chip ${status === "failed" ? "bad" : "warn"}` }, `${show.count(cause.count)} ${status}`),
    h("div", null, h("strong", null, data.runs.length > 1 ? `${run.letter}: ${kindOf(cause.kind)}` : kindOf(cause.kind)), about && h("span", { class: "muted" }, ` ${about}`), h("p", { class: "message" }, cause.example)),
    h("button", { type: "button", class: "quiet", onclick: () => choose(run, status, number, cause) }, "Show topics"));
}

function stepsTable() {
  const element = h("section", { id: "steps", "aria-labelledby": "steps-title" });
  const update = () => {
    const rows = data.runs.flatMap((run) => run.steps.map((step) => stepRow(run, step)));
    element.hidden = !rows.length;
    const heads = ["Step", "Calls", "Cached", "Failed", "Retries", "Median", "90%", "99%", "Tokens in", "Tokens out", "Reasoning", "Cost"];
    element.replaceChildren(h("h2", { id: "steps-title" }, "Steps"), h("div", { class: "scroll" },
      h("table", { class: "numbers" }, h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", null, rows))));
  };
  return { element, update };
}

function stepRow(run, step) {
  const latency = step.latency || {};
  const cells = [step.calls, step.hits, step.failed, step.retries].map(show.count)
    .concat([latency.p50, latency.p90, latency.p99].map(show.time), [step.input_tokens, step.output_tokens, step.reasoning_tokens].map(show.short), [show.money(step.cost)]);
  return h("tr", null, h("th", { scope: "row" }, data.runs.length > 1 && h("span", { class: `letter letter-${run.letter}` }, run.letter), step.step), cells.map((cell) => h("td", null, cell)));
}
