// The page of a run, or of two: puts the parts together, follows the address, the keyboard, and a run that goes on.

const LETTERS = ["A", "B"];
const KEYS = [
  ["/", "search"],
  ["j, k", "next and previous topic"],
  ["Enter", "open it"],
  ["[ , ]", "previous and next topic, when one is open"],
  ["Esc", "back to all topics"],
  ["?", "these keys"],
];

const data = dataOf("data");
adopt(data.runs);

const table = new TopicTable(data.live ? new ServedTopics(data.window) : new FileTopics());
const summary = [
  header(),
  numbers(),
  troubles((...cause) => table.showCause(...cause)),
  plotSection(),
  stepsTable(),
];
const sections = [...summary, table];
const offline = offlineNote();
const home = h("main", { id: "home" }, ...sections.map((one) => one.element), footer());
const view = new TopicView(table, goHome);
const help = helpDialog();
let scrolled = 0;
let last = null;
let known = null; // the tag of the numbers that the page has

byId("app").append(
  ...(data.live ? [h("nav", { class: "crumbs" }, h("a", { href: data.home }, "← All runs"))] : []),
  offline.element,
  home,
  view.element,
  help,
);
sections.forEach((one) => one.update());
route();
addEventListener("hashchange", route);
addEventListener("keydown", press);
if (data.live) follow(data.events, refetch, offline.set);
document.documentElement.dataset.ready = "yes";

function adopt(runs) {
  data.runs = runs;
  data.runs.forEach((run, number) => {
    run.letter = LETTERS[number];
  });
}

function opened() {
  return new URLSearchParams(location.hash.slice(1)).get("topic");
}

function route() {
  const place = new URLSearchParams(location.hash.slice(1));
  const topic = opened();
  if (topic !== null) {
    if (!home.hidden) scrolled = scrollY;
    home.hidden = true;
    last = topic;
    document.title = `${topic} – harness`;
    view.open(topic, place.get("call"), place.get("run"));
    return;
  }
  view.close();
  document.title = `${data.runs.map((run) => run.name).join(" · ")} – harness`;
  if (!home.hidden) return;
  home.hidden = false;
  scrollTo(0, scrolled);
  if (last !== null) table.linkOf(linkTo(last))?.focus({ preventScroll: true });
}

function goHome() {
  history.pushState(null, "", location.pathname + location.search);
  route();
}

async function goBeside(by) {
  const here = opened();
  const found = here === null ? undefined : await table.find(here);
  const next = by < 0 ? found?.before : found?.after;
  if (next !== undefined && opened() === here) location.hash = linkTo(next);
}

function footer() {
  return h(
    "footer",
    null,
    `Written by harness ${data.version} at ${show.moment(data.written_at)}. `,
    typeof uPlot === "undefined" ? "" : "Plots by uPlot (MIT licence, Leon Sorokin). ",
    "Press ",
    h("kbd", null, "?"),
    " for the keys.",
  );
}

function helpDialog() {
  const close = h("button", { type: "button" }, "Close");
  const dialog = h(
    "dialog",
    { id: "help", "aria-label": "Keys" },
    h("h2", null, "Keys"),
    h(
      "dl",
      { class: "grid" },
      KEYS.flatMap(([key, words]) => [h("dt", null, h("kbd", null, key)), h("dd", null, words)]),
    ),
    h("p", { class: "actions" }, close),
  );
  close.addEventListener("click", () => dialog.close());
  return dialog;
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.closest?.("input, textarea")) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      table.move(0);
    }
    return;
  }
  const atHome = opened() === null;
  const act = {
    "/": () => atHome && table.search.focus(),
    j: () => atHome && table.move(1),
    k: () => atHome && table.move(-1),
    "[": () => goBeside(-1),
    "]": () => goBeside(1),
    "?": () => help.showModal(),
    Escape: () => !atHome && goHome(),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

async function refetch() {
  const answer = await asked(`${data.source}?have=${data.runs.map((run) => run.made)}`, known);
  if (answer.status === 404) offline.set(true, "The run's directory is gone");
  if (answer.ok) {
    known = answer.headers.get("ETag");
    const { runs } = await answer.json();
    // What was not sent is as it was.
    adopt(runs.map((run, number) => ({ ...data.runs[number], ...run })));
    keepingFocus(() => summary.forEach((one) => one.update()));
  }
  if (answer.ok || answer.status === 304) table.update();
  if (view.missing) route();
}
