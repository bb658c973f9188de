// Fetches a part of the page from its own address, and again every few seconds. Without it a link leads there.
(() => {
  const EVERY = 3_000; // milliseconds
  for (const part of document.querySelectorAll("[data-fragment]")) {
    const refresh = async () => {
      if (document.hidden || part.contains(document.activeElement)) return;
      try {
        const answer = await fetch(part.dataset.fragment, { redirect: "error", headers: { Accept: "text/html" } });
        if (!answer.ok) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        part.replaceChildren(...fresh.body.childNodes);
      } catch {
        // what is shown stays; the next turn asks again
      }
    };
    refresh();
    setInterval(refresh, EVERY);
    document.addEventListener("visibilitychange", refresh);
  }
})();
