// One call: folded to a line, and opened to its prompt, reasoning, answer, usage, times, attempts and errors.

const LONG = 20000;

function callElement(call, detail, run) {
  const failed = Boolean(call.error);
  const uneasy = call.failures.length || call.rejected;
  const words = [
    show.time(call.end_s - call.start_s),
    call.source === "endpoint" ? null : call.source === "shared" ? "shared" : "cached",
    call.usage.output_tokens ? `${show.short(call.usage.output_tokens)} tokens out` : null,
    call.attempts > 1 ? `${call.attempts} attempts` : null,
    call.cost === null ? "cost not known" : show.money(call.cost),
  ].filter(Boolean);
  const element = h(
    "details",
    { class: "call", "data-call": call.id },
    h(
      "summary",
      null,
      h("span", {
        class: `dot ${failed ? "bad" : uneasy ? "warn" : "good"}`,
        title: failed ? "failed" : call.rejected ? "rejected" : uneasy ? "answered after failures" : "answered",
      }),
      h("span", { class: "call-id" }, call.id),
      failed && h("span", { class: "chip bad" }, kindOf(call.error.kind || call.error.type)),
      call.rejected && h("span", { class: "chip warn" }, kindOf("rejected")),
      h("span", { class: "muted" }, words.join(" · ")),
    ),
  );
  // Nothing of it is built before somebody looks: a topic may have two hundred calls.
  const fill = () => {
    if (element.childElementCount === 1) element.append(callBody(call, detail, run));
  };
  element.addEventListener("toggle", () => {
    if (element.open) fill();
  });
  return element;
}

function callBody(call, detail, run) {
  return h(
    "div",
    { class: "call-body" },
    h(
      "div",
      { class: "actions" },
      copyButton(linkTo(detail.id, call.id, run.letter), `Copy a link to the call ${call.id}`),
    ),
    call.error && errorBox(call.error),
    call.rejected && errorBox({ type: "rejected", message: call.rejected }, "warn"),
    part(
      "Prompt",
      true,
      ...call.messages.map((message) =>
        h("div", { class: "message-box" }, h("h5", null, message.role), longText(message.content)),
      ),
    ),
    call.reasoning &&
      part(
        `Reasoning, ${show.plural(call.usage.reasoning_tokens, "token")}`,
        true,
        longText(call.reasoning, "reasoning"),
      ),
    part(
      call.error ? "What had arrived" : "Answer",
      false,
      call.content
        ? longText(call.content)
        : h(
            "p",
            { class: "empty" },
            call.tool_calls.length ? "The model called functions and said nothing." : "Nothing.",
          ),
      ...call.tool_calls.map(toolCall),
    ),
    call.failures.length &&
      part(`Attempts that failed, ${show.count(call.failures.length)}`, false, attemptsTable(call.failures)),
    part("Usage and times", true, facts(call)),
  );
}

function part(title, folded, ...content) {
  return h("details", { class: "part", open: !folded }, h("summary", null, title), ...content);
}

function longText(text, kind = "") {
  const box = h("div", { class: `text ${kind}`, dir: "auto" }, text.slice(0, LONG));
  if (text.length <= LONG) return box;
  const more = h("button", { type: "button", class: "quiet" }, `Show all ${show.count(text.length)} characters`);
  more.addEventListener("click", () => {
    box.textContent = text;
    more.remove();
  });
  return h("div", null, box, more);
}

function toolCall(call) {
  return h("div", { class: "message-box" }, h("h5", null, call.name), longText(call.arguments));
}

function errorBox(error, tone = "bad") {
  const about = [
    error.kind && error.type,
    error.step && `in ${error.step}`,
    error.status && `status ${error.status}`,
  ]
    .filter(Boolean)
    .join(", ");
  return h(
    "div",
    { class: `error-box ${tone}` },
    h("strong", null, kindOf(error.kind || error.type)),
    about && h("span", { class: "muted" }, ` ${about}`),
    h("p", { class: "message" }, error.message),
    ...authorsLine(error),
  );
}

/** The line of the workflow's code that a failure came from, where there is one, and what helps. */
function authorsLine({ where, code, remedy }) {
  return [
    where && h("p", { class: "place" }, where, code && h("code", null, code)),
    remedy && h("p", { class: "remedy" }, `→ ${remedy}`),
  ].filter(Boolean);
}

function attemptsTable(failures) {
  const heads = ["#", "What", "Status", "After", "Then slept", "Cost"];
  const rows = failures.flatMap((failure) => [
    h(
      "tr",
      null,
      [
        failure.number,
        kindOf(failure.kind),
        failure.status ?? "–",
        show.time(failure.elapsed_s),
        show.time(failure.backoff_s),
        failure.cost === null ? "not known" : show.money(failure.cost),
      ].map((cell) => h("td", null, String(cell))),
    ),
    h(
      "tr",
      { class: "said" },
      h(
        "td",
        { colspan: heads.length },
        h("p", { class: "message" }, failure.message),
        ["reasoning", "content"]
          .filter((name) => failure[name])
          .map((name) =>
            part(`${name === "content" ? "Answer" : "Reasoning"} that had arrived`, true, longText(failure[name])),
          ),
      ),
    ),
  ]);
  return tableOf("attempts", heads, rows);
}

function facts(call) {
  const usage = call.usage;
  const asked = Object.entries(call.asked)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
  const rows = [
    ["Tokens in", usage.untold ? "not told" : counted(usage.input_tokens, usage.cached_tokens, "cached by the provider")],
    ["Tokens out", usage.untold ? "not told" : counted(usage.output_tokens, usage.reasoning_tokens, "reasoning")],
    ["Of it reasoning", usage.reasoning_untold ? "not told" : null],
    ["Cost", `${call.cost === null ? "not known" : show.money(call.cost)}${call.saved ? `; the answer had cost ${show.money(call.saved)} before` : ""}`],
    ["Answered by", `${call.source}${call.attempts ? `, ${show.plural(call.attempts, "request")}` : ""}`],
    ["Finished", call.finish_reason],
    ["Latency", show.time(call.latency_s)],
    ["First reasoning token", call.ttft_reasoning_s === null ? null : show.time(call.ttft_reasoning_s)],
    ["First token of the answer", call.ttft_answer_s === null ? null : show.time(call.ttft_answer_s)],
    ...call.waits.map(({ words, seconds }) => [capitalised(words), waited(seconds)]),
    ["Asked", asked],
    ["Model", call.model],
    ["Fingerprint", call.fingerprint],
    ["Provider's id", call.trace_id],
    ["Cache key", call.key],
  ].filter(([, value]) => value);
  return h(
    "dl",
    { class: "grid" },
    rows.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]),
  );
}

function waited(seconds) {
  return seconds > 0.0005 && show.time(seconds);
}

function capitalised(words) {
  return words[0].toUpperCase() + words.slice(1);
}

function counted(all, part, words) {
  return part ? `${show.count(all)}, ${show.count(part)} ${words}` : show.count(all);
}
