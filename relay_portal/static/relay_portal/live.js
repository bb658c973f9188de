// Keeps a page about something that runs true while it is open, until it has ended. Without it a reload shows the same.
(() => {
  const EVERY = 2_000; // milliseconds
  const shown = document.querySelector("[data-live]");
  if (!shown) return;
  // What a person reads with the keyboard, or has opened to answer, stays until they have left it.
  const isInUse = () => document.hidden || shown.contains(document.activeElement) || shown.querySelector("details[open]");
  const refresh = async () => {
    if (isInUse()) return;
    try {
      const answer = await fetch(window.location.href, { redirect: "error", headers: { Accept: "text/html" } });
      if (!answer.ok || isInUse()) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(shown.id);
      shown.replaceChildren(...fresh.childNodes);
      if (!("live" in fresh.dataset)) clearInterval(turn);
    } catch {
      // what is shown stays; the next turn asks again
    }
  };
  const turn = setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);
})();
