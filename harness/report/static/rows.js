// The topics of all runs as rows, and which of them are shown in which order: decided without a page.

const STATUSES = ["ok", "degraded", "failed"];
const IN_ORDER = new Intl.Collator("en", { numeric: true });

/** One row a topic, with its place in each run (or -1). `words` is what a search looks at. */
function topicRows(runs) {
  const rows = new Map();
  runs.forEach((run, number) => {
    run.topics.id.forEach((id, place) => {
      let row = rows.get(id);
      if (!row) {
        const title = run.topics.title[place];
        const words = `${id} ${title}`.toLowerCase();
        row = { id, title, words, places: runs.map(() => -1), order: run.topics.index[place] };
        rows.set(id, row);
      }
      row.places[number] = place;
    });
  });
  return [...rows.values()];
}

/** What a run's column says of a topic; null where the run has no row of it. A row of the view has its cells. */
function valueOf(row, number, column) {
  if (row.cells) return row.cells[number]?.[column] ?? null;
  const place = row.places[number];
  return place < 0 ? null : data.runs[number].topics[column][place];
}

function statusOf(row, number) {
  return valueOf(row, number, "status") ?? "missing";
}

/** Whether a run has a row of the topic. */
function hasRow(row, number) {
  return valueOf(row, number, "status") !== null;
}

/** Whether two runs tell this topic apart. */
function differs(row) {
  return valueOf(row, 0, "print") !== valueOf(row, 1, "print");
}

/** Whether a row is wanted: by its status, by the cause of its failure, by every word of the search. */
function isWanted(row, { status, cause, words }) {
  if (status === "differs" && !differs(row)) return false;
  const ofStatus = () => data.runs.some((_, number) => statusOf(row, number) === status);
  if (status !== "all" && status !== "differs" && !ofStatus()) return false;
  if (cause && statusOf(row, cause.run) !== cause.status) return false;
  if (cause && valueOf(row, cause.run, "cause") !== cause.number) return false;
  return words.every((word) => row.words.includes(word));
}

/** The rows by a column of a run, or in the order of the dataset; what is not known comes last. */
function sorted(rows, { column, run, down }) {
  const key = {
    order: (row) => row.order,
    id: (row) => row.id,
    status: (row) => STATUSES.indexOf(statusOf(row, run)),
  }[column];
  const of = key || ((row) => valueOf(row, run, column));
  const sign = down ? -1 : 1;
  const compare = (a, b) => (typeof a === "string" ? IN_ORDER.compare(a, b) : a - b);
  return rows.toSorted((one, other) => {
    const [a, b] = [of(one), of(other)];
    if (a === b) return one.order - other.order;
    if (a === null || b === null) return a === null ? 1 : -1;
    return compare(a, b) * sign;
  });
}

/** How many topics have each status in any of the runs. */
function statusCounts(rows) {
  const counts = { all: rows.length };
  for (const row of rows) {
    for (const status of new Set(data.runs.map((_, number) => statusOf(row, number)))) {
      counts[status] = (counts[status] || 0) + 1;
    }
  }
  if (data.runs.length > 1) counts.differs = rows.filter(differs).length;
  return counts;
}
