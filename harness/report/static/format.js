// Numbers for people.

const whole = new Intl.NumberFormat("en");
const LETTER_WIDTH = 7; // pixels, of a drawing's text

const show = {
  count: (value) => whole.format(value),
  short: (value) =>
    value < 1e4
      ? whole.format(value)
      : value < 1e6
        ? `${(value / 1e3).toFixed(value < 1e5 ? 1 : 0)}k`
        : `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)}M`,
  percent: (share) => (share === null ? "–" : `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`),
  times: (value) => (value === null ? "–" : `${value.toFixed(value < 100 ? 1 : 0)}×`),
  money: (value) => {
    if (value === null || value === undefined) return "not known";
    if (value === 0) return "$0";
    if (value >= 100) return `$${whole.format(Math.round(value))}`;
    return `$${value.toFixed(value >= 1 ? 2 : value >= 0.001 ? 4 : 6)}`;
  },
  /** 0.42 s, 12.3 s, 4 min 05 s, 7 h 12 min; with spaces at which no line is broken */
  time: (seconds) => {
    if (seconds === null || seconds === undefined) return "–";
    const joined = (...words) => words.join("\u00a0");
    if (seconds < 0.0005) return joined("0", "s");
    if (seconds < 1) return joined(Math.round(seconds * 1000), "ms");
    if (seconds < 119.95) return joined(seconds.toFixed(seconds < 10 ? 2 : 1), "s");
    const all = Math.round(seconds);
    const two = (number) => String(number).padStart(2, "0");
    if (all < 7200) return joined(Math.floor(all / 60), "min", two(all % 60), "s");
    return joined(whole.format(Math.floor(all / 3600)), "h", two(Math.floor((all % 3600) / 60)), "min");
  },
  /** What stands at an axis of time. */
  clock: (seconds) => {
    if (seconds < 120) return `${+seconds.toFixed(2)} s`;
    if (seconds < 7200) return `${+(seconds / 60).toFixed(1)} min`;
    return `${+(seconds / 3600).toFixed(2)} h`;
  },
  minute: (iso) => (iso ? `${iso.slice(0, 10)} ${iso.slice(11, 16)}` : "–"),
  moment: (iso) => (iso ? `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC` : "–"),
  /** When something began and ended, with the date where it is needed. */
  between: ({ since, until }) => {
    if (until === null) return `${show.minute(since)} UTC to the end of the session`;
    const end = since.slice(0, 10) === until.slice(0, 10) ? until.slice(11, 16) : show.minute(until);
    return `${show.minute(since)} to ${end} UTC`;
  },
  plural: (count, one, many) => `${whole.format(count)} ${count === 1 ? one : many || `${one}s`}`,
};

const KINDS = {
  rate_limited: "refused (429)",
  connection: "connection broke",
  timeout: "timed out",
  server: "server error",
  gateway: "a gateway without its server",
  incomplete: "broken off",
  malformed: "malformed answer",
  blank: "blank answer",
  interrupted: "interrupted by the provider",
  unparseable: "not the JSON asked for",
  rejected: "rejected by the step's check",
  length: "cut off by max_tokens",
  content_filter: "content filter",
  refusal: "the model declined",
  too_long: "prompt too long",
  Degraded: "not all of the output",
  bad_request: "bad request",
  forbidden: "forbidden",
  redirect: "redirected",
  auth: "key refused",
  balance: "account empty",
  quota: "quota used up",
  unknown_model: "unknown model",
};

/** So many characters of a text, from its beginning or (of a path, say) from its end. */
function cutShort(text, length) {
  return text.length > length ? `${text.slice(0, Math.max(1, length - 1))}…` : text;
}

function endOf(text, length) {
  return text.length > length ? `…${text.slice(-Math.max(1, length - 1))}` : text;
}

/** The parts of a bar (`[name, colour, number]`) that tell how topics ended. */
function endings({ ok, degraded, failed, unfinished }) {
  return [
    ["ok", "good", ok],
    ["degraded", "warn", degraded],
    ["failed", "bad", failed],
    ["unfinished", "none", unfinished],
  ];
}

function kindOf(kind) {
  return KINDS[kind] || kind;
}

/** The same for a cause among others, told apart from those of the same kind by the HTTP status. */
function causeOf({ kind, status }) {
  const words = kindOf(kind);
  return status && !words.includes(status) ? `${words} ${status}` : words;
}
