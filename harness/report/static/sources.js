// Where the table's lines come from: all of them are in this file, or the server of the view has them and is asked.

/** The topics of a file, in memory: what is asked for is there at once. */
class FileTopics {
  constructor() {
    this.all = topicRows(data.runs);
    this.counts = statusCounts(this.all);
  }

  /** Hand over so many of the lines that fit, from one on; and how many fit, and how many there are by status. */
  window(query, from, most, show) {
    if (this.query !== query) {
      this.query = query;
      this.rows = sorted(
        this.all.filter((row) => isWanted(row, query)),
        query.order,
      );
    }
    show({ wanted: this.rows.length, counts: this.counts, rows: this.rows.slice(from, from + most) });
  }

  /** A topic, and the ids of those beside it as the table is filtered and sorted. */
  async find(id) {
    const row = this.all.find((one) => one.id === id);
    const here = this.rows.indexOf(row);
    const beside = (by) => (here < 0 ? undefined : this.rows[here + by]?.id);
    return row && { row, before: beside(-1), after: beside(1) };
  }
}

/** The topics of a view: the server filters and sorts, and sends the lines that are drawn. */
class ServedTopics {
  constructor(first) {
    this.first = first;
    this.turn = 0;
    this.known = {};
  }

  async window(query, from, most, show) {
    const address = `rows.json?${fieldsOf(query)}&from=${from}&most=${most}`;
    if (this.first) {
      const { first } = this;
      this.first = null;
      this.known = { address, ...first };
      show(first);
      return;
    }
    const turn = ++this.turn;
    const known = this.known.address === address ? this.known : {};
    // That the server is gone is said where its events are followed.
    const answer = await asked(`${address}&have=${known.tag ?? ""}`).catch(() => null);
    // The table may be asking for another part by now.
    if (turn !== this.turn || !answer?.ok) return;
    // Lines that are as they were are not sent again.
    const found = { rows: known.rows, ...(await answer.json()) };
    if (turn !== this.turn) return;
    this.known = { address, ...found };
    show(found);
  }

  async find(id, query) {
    const fields = fieldsOf(query);
    fields.set("id", id);
    const answer = await asked(`topic.json?${fields}`);
    if (!answer.ok) throw new Error(await answer.text());
    const found = await answer.json();
    return found && { row: found.row, before: found.before ?? undefined, after: found.after ?? undefined };
  }
}

/** An answer of the server; where it has nothing but what is known by its tag, it says so (304). */
function asked(address, tag) {
  return fetch(address, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
}

function fieldsOf({ status, cause, words, order }) {
  const fields = { status, words: words.join(" "), sort: order.column, run: order.run, down: order.down ? 1 : 0 };
  if (cause) fields.cause = [cause.run, cause.status, cause.number].join(",");
  return new URLSearchParams(fields);
}
