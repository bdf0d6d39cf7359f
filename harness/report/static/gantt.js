// A topic's calls on its clock: waits, attempts that failed, silence, reasoning, answer.

const GANTT_ROW = 24;
const PHASES = {
  wait: "waiting",
  outage: "waiting for a provider that was away",
  failed: "attempt that failed",
  backoff: "backoff",
  silence: "to the first token",
  reasoning: "reasoning",
  answer: "answer",
  cache: "from the cache",
};

/** The parts of a call as `[phase, from, to, words]` in seconds of its session; waits stand before the first attempt. */
function phasesOf(call) {
  const found = [];
  let at = call.start_s;
  const until = (phase, seconds, words) => {
    const end = Math.min(call.end_s, at + (seconds || 0));
    if (end > at) found.push([phase, at, end, words || PHASES[phase]]);
    at = end;
  };
  if (call.source !== "endpoint")
    return [["cache", call.start_s, Math.max(call.end_s, call.start_s), PHASES.cache]];
  for (const wait of call.waits) if (wait.colour) until(wait.colour, wait.seconds, wait.words);
  for (const failure of call.failures) {
    until("failed", failure.elapsed_s);
    until("backoff", failure.backoff_s);
  }
  if (!call.error) {
    const begun = at;
    const first = [call.ttft_reasoning_s, call.ttft_answer_s].filter((time) => time !== null);
    const silent = first.length ? Math.min(...first) : 0;
    until("silence", silent);
    if (call.ttft_reasoning_s !== null) until("reasoning", (call.ttft_answer_s ?? call.latency_s) - silent);
    until("answer", begun + call.latency_s - at);
  }
  return found;
}

function gantt(detail, run) {
  const calls = detail.calls;
  if (!calls.length) return null;
  const start = Math.min(...calls.map((call) => call.start_s));
  const end = Math.max(...calls.map((call) => call.end_s), start + 1e-6);
  const place = h("div", { class: "gantt" });
  const draw = () => {
    const width = Math.max(280, Math.floor(place.clientWidth) || 800);
    const left = Math.min(200, Math.round(width * 0.34));
    const x = (time) => left + ((time - start) / (end - start)) * (width - left - 8);
    const height = calls.length * GANTT_ROW + 28;
    const ticks = ticksOf(end - start, width - left).map((time) =>
      svg(
        "g",
        { class: "tick" },
        svg("line", { x1: x(start + time), x2: x(start + time), y1: 0, y2: height - 22 }),
        svg("text", { x: x(start + time), y: height - 6, "text-anchor": "middle" }, show.clock(time)),
      ),
    );
    const rows = calls.map((call, row) =>
      svg(
        "a",
        { href: linkTo(detail.id, call.id, run.letter), class: "row" },
        svg(
          "title",
          null,
          `${call.id}: ${show.time(call.end_s - call.start_s)}`,
          call.error && `, ${kindOf(call.error.kind || call.error.type)}`,
        ),
        svg("rect", { class: "hover", x: 0, y: row * GANTT_ROW, width, height: GANTT_ROW }),
        svg(
          "text",
          { x: 0, y: row * GANTT_ROW + 16, class: call.error ? "failed" : null },
          endOf(call.id, Math.floor(left / LETTER_WIDTH)),
        ),
        phasesOf(call).map(([phase, from, to, words]) =>
          svg(
            "rect",
            {
              class: `phase-${phase}`,
              x: x(from),
              y: row * GANTT_ROW + 5,
              width: Math.max(1.5, x(to) - x(from)),
              height: GANTT_ROW - 10,
              rx: 2,
            },
            svg("title", null, `${call.id}: ${words} ${show.time(to - from)}`),
          ),
        ),
      ),
    );
    place.replaceChildren(
      svg(
        "svg",
        {
          width,
          height,
          viewBox: `0 0 ${width} ${height}`,
          role: "img",
          "aria-label": "When each call of the topic was under way",
        },
        ticks,
        rows,
      ),
    );
  };
  new ResizeObserver(draw).observe(place);
  const seen = new Set(calls.flatMap(phasesOf).map(([phase]) => phase));
  return h(
    "div",
    null,
    place,
    h(
      "ul",
      { class: "legend" },
      Object.entries(PHASES)
        .filter(([phase]) => seen.has(phase))
        .map(([phase, words]) => h("li", null, h("i", { class: `phase-${phase}` }), words)),
    ),
  );
}

function ticksOf(seconds, width) {
  const most = Math.max(2, Math.floor(width / 90));
  const raw = seconds / most;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= raw) || raw;
  const found = [];
  for (let place = 0; place * step <= seconds * 1.0001; place += 1) found.push(place * step);
  return found;
}
