// The view of a topic that was opened: brings its details, goes to a call, and to the topics beside it.

class TopicView {
  constructor(table, goHome) {
    this.table = table;
    this.goHome = goHome;
    this.content = h("div");
    this.element = h("section", { id: "topic", hidden: true }, this.content);
    this.turn = 0;
  }

  /** Show a topic, and a call of it where one is named. */
  async open(id, callId, letter) {
    const turn = ++this.turn;
    this.element.hidden = false;
    if (this.content.dataset.topic !== id) this.say(id, "Opening…");
    const found = await this.table.find(id).catch(problemOf);
    if (turn !== this.turn) return;
    this.missing = !found;
    if (!found) return this.say(id, `No finished topic has the id “${id}” in this page.`);
    if (found.problem) return this.say(id, `The topic cannot be shown: ${found.problem}`);
    this.found = found;
    const details = await Promise.all(data.runs.map((_, number) => detailOrProblem(found.row, number)));
    // Another one may have been opened, or all left, while this one came.
    if (turn !== this.turn) return;
    this.content.dataset.topic = id;
    this.content.replaceChildren(this.bar(id), topicTitle(found.row, details), topicColumns(details));
    this.element.querySelector("h1").focus({ preventScroll: true });
    if (callId) this.showCall(callId, letter || data.runs[0].letter);
    else scrollTo(0, 0);
  }

  close() {
    this.turn += 1;
    this.missing = false;
    this.found = null;
    this.element.hidden = true;
    delete this.content.dataset.topic;
    this.content.replaceChildren();
  }

  say(id, words) {
    this.found = null;
    this.content.replaceChildren(this.bar(id), h("p", { class: "empty" }, words));
  }

  showCall(callId, letter) {
    const calls = [...this.content.querySelectorAll(`[data-run="${letter}"] .call`)];
    const call = calls.find((one) => one.dataset.call === callId);
    if (!call) return;
    call.open = true;
    call.dispatchEvent(new Event("toggle"));
    call.scrollIntoView({ block: "start" });
    call.querySelector("summary").focus({ preventScroll: true });
  }

  bar(id) {
    const home = h("a", { href: "#" }, "← All topics");
    home.addEventListener("click", (event) => {
      event.preventDefault();
      this.goHome();
    });
    const copy = copyButton(linkTo(id), "Copy a link to this topic");
    const beside = [this.linkTo(this.found?.before, "← Previous"), this.linkTo(this.found?.after, "Next →")];
    return h("nav", { class: "crumbs", "aria-label": "Topic" }, home, h("span", { class: "grow" }), ...beside, copy);
  }

  linkTo(next, words) {
    const attributes = next === undefined ? { "aria-disabled": "true", class: "off" } : { href: linkTo(next) };
    return h("a", attributes, words);
  }
}

/** The detail of a topic in a run; null where it has none, and the problem where it cannot be had. */
async function detailOrProblem(row, number) {
  return hasRow(row, number) ? detailOf(row, number).catch(problemOf) : null;
}

function problemOf(error) {
  return { problem: String(error.message || error) };
}
