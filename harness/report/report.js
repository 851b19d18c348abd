// Shows the values under the pointer, for every chart of the page. The picture itself needs no script.
(() => {
  const shown = (value) => (value === null ? "–" : Math.abs(value) >= 1000 ? value.toLocaleString("en") : String(value));

  function row(series, index) {
    const line = document.createElement("div");
    const mark = document.createElement("i");
    mark.className = "k-box b" + series.c;
    const label = document.createElement("span");
    label.textContent = series.l;
    const value = document.createElement("b");
    value.textContent = shown(series.y[index]);
    line.append(mark, label, value);
    return line;
  }

  function attach(svg) {
    const chart = JSON.parse(svg.dataset.chart);
    const cross = svg.querySelector(".cross");
    const steps = [...new Set(chart.series.flatMap((series) => series.x))].sort((a, b) => a - b);
    const toPixel = (step) =>
      chart.start + ((step - chart.low) / (chart.high - chart.low)) * (chart.end - chart.start);

    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const across = (event.clientX - box.left) * scale;
      const wanted = chart.low + ((across - chart.start) / (chart.end - chart.start)) * (chart.high - chart.low);
      const step = steps[nearest(steps, wanted)];
      cross.setAttribute("x1", toPixel(step));
      cross.setAttribute("x2", toPixel(step));
      cross.setAttribute("visibility", "visible");
      const head = document.createElement("div");
      head.className = "head";
      head.textContent = "step " + step;
      const rows = chart.series
        .map((series) => [series, series.x.indexOf(step)])
        .filter(([, index]) => index >= 0)
        .map(([series, index]) => row(series, index));
      showTip(event.clientX, event.clientY, head, ...rows);
    });
    svg.addEventListener("pointerleave", () => {
      cross.setAttribute("visibility", "hidden");
      hideTip();
    });
  }

  document.querySelectorAll("svg[data-chart]").forEach(attach);
})();
