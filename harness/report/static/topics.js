// The table of topics: searched, filtered, sorted in memory, and drawn a screenful at a time.

const FIRST_ROWS = 100;
const MORE_ROWS = 300;
const PRINTED_ROWS = 1000;
const inOrder = new Intl.Collator("en", { numeric: true });
const STATUSES = ["ok", "degraded", "failed"];

const NUMBERS = [
  ["cost", "Cost", show.money], ["elapsed_s", "Time", show.time], ["calls", "Calls", show.count],
  ["retries", "Retries", show.count], ["output_tokens", "Tokens out", show.short],
];

/** The topics of all runs as rows: one a topic, with its place in each run (or -1). */
function topicRows() {
  const rows = new Map();
  data.runs.forEach((run, number) => {
    run.topics.id.forEach((id, place) => {
      let row = rows.get(id);
      if (!row) {
        row = { id, title: run.topics.title[place], places: data.runs.map(() => -1), order: run.topics.index[place] };
        row.words = `${id} ${row.title}`.toLowerCase();
        rows.set(id, row);
      }
      row.places[number] = place;
    });
  });
  return [...rows.values()];
}

function valueOf(row, number, column) {
  const place = row.places[number];
  return place < 0 ? null : data.runs[number].topics[column][place];
}

function statusOf(row, number) {
  return valueOf(row, number, "status") ?? "missing";
}

/** Whether the two runs tell this topic apart. */
function differs(row) {
  return valueOf(row, 0, "print") !== valueOf(row, 1, "print");
}

function topicTable() {
  const state = { words: "", status: "all", cause: null, sort: "order", down: false, drawn: 0, rows: [], all: [] };
  const two = data.runs.length > 1;
  const search = h("input", { type: "search", id: "search", placeholder: "Search id and text", "aria-label": "Search topics", autocomplete: "off", spellcheck: "false", oninput: () => { state.words = search.value; refresh(); } });
  const filters = h("div", { class: "filters", role: "group", "aria-label": "Status" });
  const cause = h("p", { class: "note cause", hidden: true });
  const count = h("p", { class: "muted", "aria-live": "polite", id: "count" });
  const body = h("tbody");
  const head = h("tr");
  const end = h("div", { class: "end", "aria-hidden": "true" });
  const printed = h("p", { class: "note print-only" });
  const table = h("table", { class: two ? "topics two" : "topics" }, h("thead", null, head), body);
  const element = h("section", { id: "topics", "aria-labelledby": "topics-title" }, h("h2", { id: "topics-title" }, "Topics"),
    h("div", { class: "controls" }, search, filters, count), cause, table, end, printed);

  const fits = (row) => {
    if (state.status === "differs" ? !differs(row) : state.status !== "all" && !data.runs.some((_, number) => statusOf(row, number) === state.status)) return false;
    if (state.cause && (statusOf(row, state.cause.run) !== state.cause.status || valueOf(row, state.cause.run, "cause") !== state.cause.number)) return false;
    return state.words.toLowerCase().split(/\s+/).every((word) => row.words.includes(word));
  };

  const refresh = (keep = 0) => {
    state.rows = state.all.filter(fits);
    sortRows();
    state.drawn = 0;
    body.replaceChildren();
    draw(Math.max(FIRST_ROWS, keep));
    count.textContent = state.rows.length === state.all.length ? show.plural(state.all.length, "topic") : `${show.count(state.rows.length)} of ${show.plural(state.all.length, "topic")}`;
    if (!state.rows.length) body.append(h("tr", { class: "none" }, h("td", { colspan: head.childElementCount }, state.all.length ? "No topic fits." : "No topic is finished yet.")));
    drawHead();
    drawFilters();
  };

  const sortRows = () => {
    const [number, column] = state.sort === "order" || state.sort === "id" ? [0, state.sort] : [Number(state.sort[0]), state.sort.slice(2)];
    const key = column === "order" ? (row) => row.order : column === "id" ? (row) => row.id : (row) => (column === "status" ? STATUSES.indexOf(statusOf(row, number)) : valueOf(row, number, column));
    const sign = state.down ? -1 : 1;
    state.rows.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === b) return one.order - other.order;
      if (a === null) return 1;
      if (b === null) return -1;
      return (typeof a === "string" ? inOrder.compare(a, b) : a - b) * sign;
    });
  };

  const draw = (most) => {
    const until = Math.min(state.rows.length, state.drawn + most);
    body.append(...state.rows.slice(state.drawn, until).map(drawRow));
    state.drawn = until;
  };

  const drawHead = () => {
    const heads = [["id", "Topic", "text"]];
    data.runs.forEach((run, number) => {
      const letter = two ? ` ${run.letter}` : "";
      heads.push([`${number}.status`, `Status${letter}`, "text"], ...NUMBERS.filter((_, place) => !two || place < 2).map(([column, words]) => [`${number}.${column}`, words + letter, column]));
    });
    if (two) heads.push([null, "Output", "text"]);
    head.replaceChildren(...heads.map(([sort, words, kind]) => {
      const active = state.sort === sort;
      const cell = h("th", { scope: "col", class: `col-${kind}`, "aria-sort": active ? (state.down ? "descending" : "ascending") : null });
      cell.append(sort ? h("button", { type: "button", onclick: () => sortBy(sort) }, words, h("span", { class: "arrow", "aria-hidden": "true" }, active ? (state.down ? "↓" : "↑") : "")) : words);
      return cell;
    }));
  };

  const sortBy = (sort) => {
    // The third time the order of the dataset comes back; numbers begin with the largest.
    const first = !/id$/.test(sort);
    if (state.sort !== sort) [state.sort, state.down] = [sort, first];
    else if (state.down === first) state.down = !first;
    else [state.sort, state.down] = ["order", false];
    refresh();
    head.querySelectorAll("button").forEach((button) => { if (button.closest("th").ariaSort) button.focus(); });
  };

  const drawRow = (row) => {
    const cells = data.runs.flatMap((_, number) => {
      const status = statusOf(row, number);
      const shown = NUMBERS.filter((__, place) => !two || place < 2);
      return [h("td", { class: "col-status" }, h("span", { class: `status ${status}` }, status)),
        ...shown.map(([column, , words]) => h("td", { class: `col-${column}` }, row.places[number] < 0 ? "–" : words(valueOf(row, number, column))))];
    });
    if (two) cells.push(h("td", { class: "muted" }, row.places.includes(-1) ? "only in one" : differs(row) ? "differs" : "same"));
    const line = h("tr", null, h("th", { scope: "row" }, h("a", { href: linkTo(row.id) }, row.id), h("span", { class: "title" }, row.title)), ...cells);
    line.addEventListener("click", (event) => { if (!event.target.closest("a") && !getSelection().toString()) location.hash = linkTo(row.id); });
    return line;
  };

  const drawFilters = () => {
    const counts = { all: state.all.length };
    for (const row of state.all) for (const status of new Set(data.runs.map((_, number) => statusOf(row, number)))) counts[status] = (counts[status] || 0) + 1;
    const names = ["all", ...[...STATUSES, "missing"].filter((status) => counts[status])];
    if (two) { counts.differs = state.all.filter(differs).length; names.push("differs"); }
    filters.replaceChildren(...names.map((name) => h("button", { type: "button", class: "filter", "aria-pressed": String(state.status === name), "data-status": name, onclick: () => setStatus(name) }, name, h("small", null, show.count(counts[name] || 0)))));
  };

  const setStatus = (status) => {
    state.status = status;
    setCause(null);
    refresh();
    filters.querySelector(`[data-status="${status}"]`)?.focus();
  };

  const setCause = (chosen, words = "") => {
    state.cause = chosen;
    cause.hidden = !chosen;
    cause.replaceChildren(`Only: ${words} `, h("button", { type: "button", class: "quiet", onclick: () => setStatus("all") }, "Show all"));
  };

  const update = () => {
    const focused = document.activeElement?.closest?.("tr a")?.getAttribute("href");
    state.all = topicRows();
    refresh(state.drawn);
    if (focused) [...body.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  };

  new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting) && state.drawn < state.rows.length) draw(MORE_ROWS); }, { rootMargin: "600px" }).observe(end);
  printing.before.add(() => {
    if (state.drawn < PRINTED_ROWS) draw(PRINTED_ROWS - state.drawn);
    printed.textContent = state.rows.length > state.drawn ? `Printed are the first ${show.count(state.drawn)} of ${show.count(state.rows.length)} topics.` : "";
  });

  return {
    element, update, search,
    /** Show the topics of one cause, and go there. */
    choose: (run, status, number, cause) => {
      [state.status, state.words, search.value] = [status, "", ""];
      setCause({ run: data.runs.indexOf(run), status, number }, `${status}, ${kindOf(cause.kind)}`);
      refresh();
      element.scrollIntoView({ block: "start" });
      body.querySelector("a")?.focus({ preventScroll: true });
    },
    /** Move the focus by so many rows. */
    move: (by) => {
      const links = [...body.querySelectorAll("th a")];
      const here = links.indexOf(document.activeElement);
      const next = links[Math.max(0, Math.min(links.length - 1, here < 0 ? 0 : here + by))];
      next?.focus();
      next?.scrollIntoView({ block: "nearest" });
    },
    /** The id of the topic so many rows from this one, as the table is sorted and filtered now. */
    beside: (id, by) => {
      const here = state.rows.findIndex((row) => row.id === id);
      return here < 0 ? undefined : state.rows[here + by]?.id;
    },
    find: (id) => state.all.find((row) => row.id === id),
  };
}

function linkTo(topic, call, letter) {
  const parts = new URLSearchParams({ topic });
  if (call) parts.set("call", call);
  if (letter && data.runs.length > 1) parts.set("run", letter);
  return `#${parts}`;
}
