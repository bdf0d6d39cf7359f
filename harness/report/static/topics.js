// The table of topics: searched, filtered and sorted by its source, and drawn a screenful at a time.

const FIRST_ROWS = 100;
const MORE_ROWS = 300;
const PRINTED_ROWS = 1000;

const NUMBERS = [
  ["cost", "Cost", show.money],
  ["elapsed_s", "Time", show.time],
  ["calls", "Calls", show.count],
  ["retries", "Retries", show.count],
  ["output_tokens", "Tokens out", show.short],
];

/** A link to a topic, or to a call of it in one of two runs. */
function linkTo(topic, call, letter) {
  const parts = new URLSearchParams({ topic });
  if (call) parts.set("call", call);
  if (letter && data.runs.length > 1) parts.set("run", letter);
  return `#${parts}`;
}

/** The head of a column, which tells two runs apart. */
function labelOf(words, run) {
  return data.runs.length > 1 ? `${words} ${run.letter}` : words;
}

function cell(column, words, run, ...content) {
  return h("td", { class: `col-${column}`, "data-label": labelOf(words, run) }, ...content);
}

/** The words for a number of a topic; retries are known when the view has read the topic's calls. */
function wordsOf(row, number, column, words) {
  const value = valueOf(row, number, column);
  return value === null && column !== "cost" ? "–" : words(value);
}

class TopicTable {
  constructor(source) {
    this.source = source;
    this.two = data.runs.length > 1;
    this.numbers = NUMBERS.slice(0, this.two ? 2 : undefined);
    this.query = { status: "all", cause: null, words: [], order: { column: "order", run: 0, down: false } };
    this.rows = [];
    this.wanted = 0;
    this.sought = 0; // so many lines were asked for
    this.counts = { all: 0 };
    this.build();
    this.growWhenNear();
    beforePrint.add(() => this.drawForPrint());
  }

  build() {
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search id and text",
      "aria-label": "Search topics",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.searchFor(this.search.value),
    });
    this.filters = h("div", { class: "filters", role: "group", "aria-label": "Status" });
    this.cause = h("p", { class: "note cause", hidden: true });
    this.count = h("p", { class: "muted", "aria-live": "polite", id: "count" });
    this.head = h("tr");
    this.body = h("tbody");
    this.end = h("div", { class: "end", "aria-hidden": "true" });
    this.printed = h("p", { class: "note print-only" });
    const table = h("table", { class: "topics stacks" }, h("thead", null, this.head), this.body);
    const title = h("h2", { id: "topics-title" }, "Topics");
    const controls = h("div", { class: "controls" }, this.search, this.filters, this.count);
    const content = [title, controls, this.cause, table, this.end, this.printed];
    this.element = h("section", { id: "topics", "aria-labelledby": "topics-title" }, ...content);
  }

  /** Show what the runs say now, with the same search, filter and order. */
  update() {
    this.load(Math.max(this.rows.length, this.sought));
  }

  /** Show other topics, or in another order; `then` is called when they are there. */
  ask(change, then) {
    this.query = { ...this.query, ...change };
    this.sought = 0;
    this.load(0, then);
  }

  load(atLeast, then) {
    this.source.window(this.query, 0, Math.max(FIRST_ROWS, atLeast), (found) => {
      keepingFocus(() => this.show(found));
      then?.();
    });
  }

  show({ wanted, counts, rows }) {
    if (rows !== this.rows) this.body.replaceChildren(...rows.map((row) => this.line(row)));
    Object.assign(this, { wanted, counts, rows });
    const more = data.runs.some((run) => run.rows_read === false) ? " so far" : "";
    const all = `${show.plural(counts.all, "topic")}${more}`;
    this.count.textContent = wanted === counts.all ? all : `${show.count(wanted)} of ${all}`;
    this.drawHead();
    this.drawFilters();
    this.body.querySelector(".none")?.remove();
    if (!rows.length) {
      const words = counts.all ? "No topic fits." : "No topic is finished yet.";
      this.body.append(h("tr", { class: "none" }, h("td", { colspan: this.head.childElementCount }, words)));
    }
  }

  more(most) {
    const { query } = this;
    const from = this.rows.length;
    this.sought = from + most;
    this.source.window(query, from, most, ({ rows }) => {
      if (query !== this.query || from !== this.rows.length) return;
      this.rows = [...this.rows, ...rows];
      this.body.append(...rows.map((row) => this.line(row)));
    });
  }

  growWhenNear() {
    const near = (seen) => {
      if (seen.some((one) => one.isIntersecting) && this.rows.length < this.wanted) this.more(MORE_ROWS);
    };
    new IntersectionObserver(near, { rootMargin: "600px" }).observe(this.end);
  }

  drawForPrint() {
    // What a server has to be asked for comes too late for this print.
    if (this.rows.length < Math.min(PRINTED_ROWS, this.wanted)) this.more(PRINTED_ROWS - this.rows.length);
    const rest = this.wanted > this.rows.length;
    const words = `Printed are the first ${show.count(this.rows.length)} of ${show.count(this.wanted)} topics.`;
    this.printed.textContent = rest ? words : "";
  }

  line(row) {
    const cells = data.runs.flatMap((run, number) => {
      const status = statusOf(row, number);
      const missing = !hasRow(row, number);
      return [
        cell("status", "Status", run, h("span", { class: `status ${status}` }, status)),
        ...this.numbers.map(([column, label, words]) =>
          cell(column, label, run, missing ? "–" : wordsOf(row, number, column, words)),
        ),
      ];
    });
    if (this.two) {
      const inBoth = hasRow(row, 0) && hasRow(row, 1);
      const words = !inBoth ? "only in one" : differs(row) ? "differs" : "same";
      cells.push(h("td", { class: "muted", "data-label": "Output" }, words));
    }
    const link = h("a", { href: linkTo(row.id) }, row.id);
    const line = h("tr", null, h("th", { scope: "row" }, link, h("span", { class: "title" }, row.title)), ...cells);
    line.addEventListener("click", (event) => {
      const meant = !event.target.closest("a") && !getSelection().toString();
      if (meant) location.hash = linkTo(row.id);
    });
    return line;
  }

  drawHead() {
    const heads = [["Topic", "text", 0, "id"]];
    data.runs.forEach((run, number) => {
      heads.push([labelOf("Status", run), "text", number, "status"]);
      for (const [column, words] of this.numbers) heads.push([labelOf(words, run), column, number, column]);
    });
    if (this.two) heads.push(["Output", "text", 0, null]);
    this.head.replaceChildren(...heads.map((head) => this.headCell(...head)));
  }

  headCell(words, kind, run, column) {
    const { order } = this.query;
    const active = column !== null && order.column === column && order.run === run;
    const direction = order.down ? "descending" : "ascending";
    const cell = h("th", { scope: "col", class: `col-${kind}`, "aria-sort": active ? direction : null });
    if (column === null) {
      cell.append(words);
      return cell;
    }
    const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, active ? (order.down ? "↓" : "↑") : "");
    cell.append(h("button", { type: "button", onclick: () => this.sortBy(run, column) }, words, arrow));
    return cell;
  }

  /** Numbers begin with the largest; the second time it is turned round, the third time the dataset's order is back. */
  sortBy(run, column) {
    const first = column !== "id";
    let { order } = this.query;
    if (order.column !== column || order.run !== run) order = { column, run, down: first };
    else if (order.down === first) order = { column, run, down: !first };
    else order = { column: "order", run: 0, down: false };
    this.ask({ order }, () => this.head.querySelector("[aria-sort] button")?.focus());
  }

  drawFilters() {
    const { counts } = this;
    const names = ["all", ...STATUSES, "missing", "differs"].filter((name) => name === "all" || counts[name]);
    const buttons = names.map((name) => {
      const pressed = String(this.query.status === name);
      const attributes = { type: "button", class: "filter", "aria-pressed": pressed, "data-status": name };
      return h(
        "button",
        { ...attributes, onclick: () => this.showStatus(name) },
        name,
        h("small", null, show.count(counts[name])),
      );
    });
    this.filters.replaceChildren(...buttons);
  }

  searchFor(text) {
    this.ask({ words: text.toLowerCase().split(/\s+/) });
  }

  /** Only topics of this status. */
  showStatus(status) {
    this.cause.hidden = true;
    this.ask({ status, cause: null }, () => this.filters.querySelector(`[data-status="${status}"]`)?.focus());
  }

  /** Only the topics of one cause; goes there. */
  showCause(run, status, number, cause) {
    this.search.value = "";
    const all = h("button", { type: "button", class: "quiet", onclick: () => this.showStatus("all") }, "Show all");
    this.cause.replaceChildren(`Only: ${status}, ${kindOf(cause.kind)} `, all);
    this.cause.hidden = false;
    this.ask({ status, words: [], cause: { run: data.runs.indexOf(run), status, number } }, () => {
      this.element.scrollIntoView({ block: "start" });
      this.body.querySelector("a")?.focus({ preventScroll: true });
    });
  }

  /** Move the focus by so many rows; from outside of the table to its first. */
  move(by) {
    const links = [...this.body.querySelectorAll("th a")];
    const here = links.indexOf(document.activeElement);
    const next = links[here < 0 ? 0 : Math.max(0, Math.min(links.length - 1, here + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  /** A topic, and the ids of those beside it, as the table is filtered and sorted now; undefined if there is none. */
  find(id) {
    return this.source.find(id, this.query);
  }

  linkOf(address) {
    return [...this.body.querySelectorAll("th a")].find((link) => link.getAttribute("href") === address);
  }
}
