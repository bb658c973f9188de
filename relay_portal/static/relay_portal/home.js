// Draws the home page's chart, and keeps the page true while it is open. Without it everything is there but for the drawing.
(() => {
  const page = document.querySelector("[data-refresh]");
  const canvas = document.getElementById("home-chart");
  if (!page || !canvas) return;
  const EVERY = 10_000; // milliseconds
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--portal-${name}`).trim();
  const data = () => JSON.parse(document.getElementById("home-data").textContent);
  let shown = data();

  const dataset = (series) => {
    const isLine = series.event === "accepted";
    const paint = colour(`chart-${series.event}`);
    return {
      type: isLine ? "line" : "bar", label: series.label, data: series.values, backgroundColor: paint, borderColor: paint,
      borderWidth: isLine ? 2 : 0, pointRadius: 0, pointHitRadius: 6, tension: 0, stack: isLine ? "line" : "bar", order: isLine ? 0 : 1,
    };
  };
  const axis = (more) => ({ grid: { color: colour("line") }, ticks: { color: colour("soft"), maxRotation: 0, autoSkipPadding: 16, precision: 0 }, ...more });
  const scales = () => ({ x: axis({ stacked: true, grid: { display: false } }), y: axis({ stacked: true, beginAtZero: true }) });
  const legend = () => ({ position: "bottom", labels: { color: colour("text"), boxWidth: 12, boxHeight: 12 } });

  const chart = new Chart(canvas, {
    data: { labels: shown.labels, datasets: shown.series.map(dataset) },
    options: {
      animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false }, scales: scales(), plugins: { legend: legend() },
      onClick: (_event, hits) => { if (hits.length && shown.urls[hits[0].index]) window.location = shown.urls[hits[0].index]; },
      onHover: (event, hits) => { event.native.target.style.cursor = hits.length ? "pointer" : "default"; },
    },
  });
  const draw = () => {
    const hidden = chart.data.datasets.map((_each, index) => !chart.isDatasetVisible(index));
    chart.data = { labels: shown.labels, datasets: shown.series.map(dataset) };
    hidden.forEach((isHidden, index) => chart.setDatasetVisibility(index, !isHidden));
    chart.options.scales = scales();
    chart.options.plugins.legend = legend();
    chart.update("none");
  };
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });

  // What a person reads with the keyboard stays as it is until they have left it; what is folded out stays so.
  const replace = (fresh) => {
    const old = document.getElementById(fresh.id);
    if (!old || old.contains(document.activeElement)) return;
    const open = [...old.querySelectorAll("details")].map((each) => each.open);
    old.replaceChildren(...fresh.childNodes);
    old.querySelectorAll("details").forEach((each, index) => { each.open = open[index] ?? each.open; });
  };
  const lost = document.getElementById("home-lost");
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(page.dataset.refresh, { redirect: "error", headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      shown = JSON.parse(fresh.getElementById("home-data").textContent);
      fresh.querySelectorAll("[data-part]").forEach(replace);
      draw();
      lost.hidden = true;
    } catch {
      lost.textContent = page.dataset.lost;
      lost.hidden = false;
    }
  };
  if (page.dataset.refresh) {
    setInterval(refresh, EVERY);
    document.addEventListener("visibilitychange", refresh);
  }
})();
