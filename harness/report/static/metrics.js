// A run's numbers in words: what the cards show, and what two runs are compared by.

const BOUNDS = {
  work: "the work and the calls in flight",
  "critical path": "the longest chain of calls",
  pace: "requests and tokens per minute",
};

/**
 * Each with its label and value, what stands under it, and the parts of a bar (`[name, colour, number]`). `number` is
 * what two runs are compared by, `better` whether more (1) or less (-1) of it is good news.
 */
function metrics(run, beingRead = isBeingRead(run)) {
  const rows = [topicsOf, costOf, tokensOf, cacheOf];
  const all = [topicsOf, wallOf, speedUpOf, costOf, tokensOf, cacheOf, failuresOf, limitOf];
  return (beingRead ? rows : all).map((metric) => metric(run));
}

/** Whether the view has not read all of the run yet, so that the numbers over all calls are still to come. */
function isBeingRead(run) {
  return typeof run.reading === "number";
}

function topicsOf({ totals }) {
  const value = show.count(totals.rows + totals.unfinished);
  return { label: "Topics", value, number: totals.rows, bar: endings(totals) };
}

function wallOf({ time, totals }) {
  const which = totals.unfinished ? "the requests of finished topics" : "the same requests";
  const note = time.sequential_s > 0 && `${which} one after another: ${show.time(time.sequential_s)}`;
  return { label: "Wall time", value: show.time(time.wall_s), number: time.wall_s, better: -1, note };
}

function speedUpOf({ time }) {
  const possible = `${show.percent(time.efficiency)} of what was possible; bound by ${BOUNDS[time.bound_by]}`;
  const note = time.efficiency === null ? "" : possible;
  return { label: "Speed-up", value: show.times(time.speedup), number: time.speedup, better: 1, note };
}

function costOf({ money, totals }) {
  const { cost, at_risk: unknown, used, budget } = money;
  const near = budget && used >= budget * 0.95;
  if (!money.known) return { label: "Cost", value: "not known", number: null, better: -1, note: money.why };
  const bar = (budget || unknown > 0) && [
    ["spent", near ? "warn" : "c1", cost],
    ["at most for requests that broke off", "c3", unknown - money.untold_cost],
    ["reserved for answers whose usage was not told", "c3", money.untold_cost],
    ["left of the budget", "none", budget ? Math.max(0, budget - used) : 0],
  ];
  const begun = totals.unfinished ? "are not finished" : "were run again";
  const note = sentence([
    budget && `${show.percent(used / budget)} of the budget of ${show.money(budget)} used`,
    money.elsewhere >= 0.00005 && `${show.money(money.elsewhere)} spent on topics that ${begun}`,
  ]);
  return { label: "Cost", value: show.money(cost), number: cost, better: -1, note, bar, words: show.money };
}

/** What is to be said, in one line; what is false is not. */
function sentence(parts) {
  return parts.filter(Boolean).join("; ");
}

function tokensOf({ totals: { usage }, money }) {
  const sum = usage.input_tokens + usage.output_tokens;
  if (usage.untold && !sum) {
    const note = `by the server, for ${show.plural(usage.untold, "answer")}`;
    return { label: "Tokens", value: "not told", number: null, better: -1, note };
  }
  const cached = usage.cached_tokens / usage.input_tokens;
  const note = sentence([
    usage.untold && `not told for ${show.plural(usage.untold, "answer")}`,
    usage.reasoning_untold && `reasoning not told for ${show.plural(usage.reasoning_untold, "answer")}`,
    usage.cached_tokens && `${show.percent(cached)} of the input cached by the provider`,
    money.budget_tokens && `${show.short(money.used_tokens)} of the budget of ${show.short(money.budget_tokens)} used`,
  ]);
  const bar = [
    ["input", "c2", usage.input_tokens - usage.cached_tokens],
    ["cached input", "c5", usage.cached_tokens],
    ["reasoning", "c4", usage.reasoning_tokens],
    ["answers", "c1", usage.output_tokens - usage.reasoning_tokens],
  ];
  return { label: "Tokens", value: show.short(sum), number: sum, better: -1, note, bar, words: show.short };
}

function cacheOf({ totals, money }) {
  const share = totals.calls ? totals.hits / totals.calls : null;
  const worth = money.saved ? `; worth ${show.money(money.saved)}` : "";
  const note = `${show.count(totals.hits)} of ${show.plural(totals.calls, "call")}${worth}`;
  return { label: "From the cache", value: show.percent(share), number: share, better: 1, note };
}

function failuresOf({ attempts, totals }) {
  const sum = attempts.reduce((count, cause) => count + cause.count, 0);
  const causes = attempts.slice(0, 4).map((cause) => `${show.count(cause.count)} ${causeOf(cause)}`);
  const others = attempts.slice(4).reduce((count, cause) => count + cause.count, 0);
  if (others) causes.push(`${show.count(others)} other`);
  const none = totals.requests ? `${show.plural(totals.requests, "request")}, all answered` : "no request was sent";
  const note = sum ? causes.join(" · ") : none;
  return { label: "Requests that failed", value: show.count(sum), number: sum, better: -1, note };
}

function limitOf({ limits, totals, in_flight: wanted }) {
  const value = limits ? `${limits.places} of ${limits.maximum}` : show.count(wanted ?? 0);
  const when = limits ? "let in at the end" : "let in at most";
  const named = limits?.named_limit ? `, which named a limit of ${limits.named_limit}` : "";
  const refused = totals.refusals ? `${show.count(totals.refusals)} refused by the provider (429)` : "none refused";
  const note = `${when}; ${refused}${named}`;
  return { label: "Calls at once", value, number: limits ? limits.places : wanted, better: 1, note };
}
