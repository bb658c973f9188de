// Draws lines over time where a page has figures for them. Without it the table below them has all.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--portal-${name}`).trim();
  const axis = (more) => ({ grid: { color: colour("line") }, ticks: { color: colour("soft"), maxRotation: 0, autoSkipPadding: 16 }, ...more });
  const dataset = (series) => {
    const paint = colour(`chart-${series.paint}`);
    return {
      type: "line", label: series.label, data: series.values, borderColor: paint, backgroundColor: paint, borderWidth: 2,
      borderDash: series.dash ?? [], stepped: series.stepped ?? false, pointRadius: 0, pointHitRadius: 6, spanGaps: false,
    };
  };
  for (const canvas of document.querySelectorAll("canvas[data-lines]")) {
    const shown = JSON.parse(document.getElementById(canvas.dataset.lines).textContent);
    const look = () => ({
      scales: { x: axis({ grid: { display: false } }), y: axis({ beginAtZero: true }) },
      legend: { position: "bottom", labels: { color: colour("text"), boxWidth: 12, boxHeight: 12 } },
    });
    const chart = new Chart(canvas, {
      data: { labels: shown.labels, datasets: shown.series.map(dataset) },
      options: {
        animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        scales: look().scales, plugins: { legend: look().legend },
      },
    });
    new MutationObserver(() => {
      chart.data.datasets = shown.series.map(dataset);
      chart.options.scales = look().scales;
      chart.options.plugins.legend = look().legend;
      chart.update("none");
    }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  }
})();
