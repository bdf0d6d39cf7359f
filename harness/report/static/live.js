// A page that is served follows what happens: the server says that something changed, the page asks what.

/** Call `changed` after each event; `offline` is told whether the server is gone. */
function follow(address, changed, offline) {
  const events = new EventSource(address);
  let asking = false;
  let again = false;
  const ask = async () => {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      await changed();
    } catch {
      offline(true);
    } finally {
      asking = false;
    }
    if (again) {
      again = false;
      ask();
    }
  };
  events.addEventListener("open", () => offline(false));
  events.addEventListener("error", () => {
    offline(true);
    ask(); // which tells a run that is gone from a view that is
  });
  events.addEventListener("changed", ask);
}

function offlineNote() {
  const element = h("p", { class: "note offline", role: "status", hidden: true });
  return {
    element,
    set: (gone, why) => {
      if (gone && !why && !element.hidden) return; // what is known better stays
      element.hidden = !gone;
      element.textContent = `${why ?? "The view has ended, or cannot be reached"}: this page shows what it knew last.`;
    },
  };
}
