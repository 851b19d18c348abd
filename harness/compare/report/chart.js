// The curves: what is chosen, the picture of it, and the values under the pointer or the arrow keys.

const curveData = dataOf("curve-data");
const chosen = { metric: 0, axis: curveData.axis, window: 1, single: false, groups: new Set(curveData.shown), at: null };
const chartBox = document.getElementById("chart");
const HEIGHT = 400;
let plotted = null;

function groupCurves(group, window) {
  return group.runs.map((run) => runCurve(curveData.runs[run], chosen.metric, chosen.axis, window)).filter(Boolean);
}

/** The chosen groups that have the metric, with their bands. */
function chosenGroups() {
  return curveData.groups
    .map((group, number) => ({ ...group, number }))
    .filter((group) => chosen.groups.has(group.number))
    .map((group) => {
      const curves = groupCurves(group, chosen.window);
      const raw = chosen.window > 1 ? groupBand(groupCurves(group, 1), curveData.t) : null;
      return { ...group, curves, raw, band: groupBand(curves, curveData.t) };
    })
    .filter((group) => group.curves.length);
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** The range of y: all means and shown runs; bands as far as they do not flatten these. */
function heightRange(groups) {
  const drawnRuns = chosen.single ? groups.flatMap((group) => group.curves.flatMap((curve) => curve.y)) : [];
  let [low, high] = extent([...groups.flatMap((group) => [...group.band.mean, ...(group.raw ? group.raw.mean : [])]), ...drawnRuns]);
  const span = high - low || Math.abs(high) * 0.1 || 1;
  const [below, above] = extent(groups.flatMap((group) => [...group.band.low, ...group.band.high]));
  low = Math.max(Math.min(low, below), low - span * 0.6) - span * 0.03;
  high = Math.min(Math.max(high, above), high + span * 0.6) + span * 0.03;
  return [low, high];
}

/** Seconds are read as minutes or hours. */
function unitOf(high) {
  if (chosen.axis !== "seconds") return { name: chosen.axis, size: 1 };
  if (high > 7200) return { name: "hours", size: 3600 };
  return high > 600 ? { name: "minutes", size: 60 } : { name: "seconds", size: 1 };
}

function tickText(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${value / 1e9}G`;
  if (size >= 1e6) return `${value / 1e6}M`;
  if (size >= 1e4) return `${value / 1e3}k`;
  return size > 0 && size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(6))).replace("-", "−");
}

function scales(groups) {
  const width = Math.max(320, chartBox.clientWidth);
  const [low, high] = heightRange(groups);
  const [from, to] = extent(groups.flatMap((group) => group.band.x));
  const frame = { left: 58, right: width - 14, top: 12, bottom: HEIGHT - 46, width };
  const end = to > from ? to : from + 1;
  return {
    frame, low, high, from, end,
    x: (value) => frame.left + ((value - from) / (end - from)) * (frame.right - frame.left),
    y: (value) => frame.bottom - ((value - low) / (high - low)) * (frame.bottom - frame.top),
  };
}

function pathOf(xs, ys, scale) {
  let pen = false;
  return xs
    .map((x, index) => {
      if (ys[index] === null) return (pen = false), "";
      const step = `${pen ? "L" : "M"}${scale.x(x).toFixed(1)} ${scale.y(ys[index]).toFixed(1)}`;
      pen = true;
      return step;
    })
    .join("");
}

function bandPath(band, scale) {
  const there = band.x.map((_, index) => index).filter((index) => band.low[index] !== null);
  if (there.length < 2) return "";
  const point = (values) => (index) => `${scale.x(band.x[index]).toFixed(1)} ${scale.y(values[index]).toFixed(1)}`;
  return `M${there.map(point(band.high)).join("L")}L${there.reverse().map(point(band.low)).join("L")}z`;
}

function axesOf(scale) {
  const { frame } = scale;
  const unit = unitOf(scale.end);
  const parts = [];
  for (const tick of ticksBetween(scale.low, scale.high, 6)) {
    const y = scale.y(tick);
    parts.push(drawn("line", { class: "grid", x1: frame.left, x2: frame.right, y1: y, y2: y }));
    parts.push(drawn("text", { class: "tick", x: frame.left - 8, y, dy: ".32em", "text-anchor": "end" }, tickText(tick)));
  }
  for (const tick of ticksBetween(scale.from / unit.size, scale.end / unit.size, Math.max(3, frame.width / 110))) {
    const attributes = { class: "tick", x: scale.x(tick * unit.size), y: frame.bottom + 18, "text-anchor": "middle" };
    parts.push(drawn("text", attributes, tickText(tick)));
  }
  const middle = (frame.left + frame.right) / 2;
  parts.push(drawn("text", { class: "axis-name", x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, unit.name));
  return parts;
}

/** Where some runs of a group have ended, the mean of the others is thinner. */
function meanLines(group, scale) {
  const whole = Math.max(...group.band.runs);
  const full = group.band.mean.map((value, index) => (group.band.runs[index] === whole ? value : null));
  const style = `line s${group.colour} d${group.dash}`;
  const lines = [drawn("path", { class: style, d: pathOf(group.band.x, full, scale), "data-group": group.number })];
  if (full.includes(null)) lines.unshift(drawn("path", { class: `${style} part`, d: pathOf(group.band.x, group.band.mean, scale) }));
  if (group.band.x.length <= 12) {
    group.band.x.forEach((x, index) =>
      lines.push(drawn("circle", { class: `dot f${group.colour}`, cx: scale.x(x), cy: scale.y(group.band.mean[index]), r: 3.5 })));
  }
  return lines;
}

function drawChart() {
  const groups = chosenGroups();
  chosen.at = null;
  hideTip();
  if (!groups.length) {
    plotted = null;
    const why = chosen.groups.size ? "None of the chosen groups has this metric over this axis." : "No group is chosen.";
    chartBox.replaceChildren(element("p", { class: "empty" }, why));
    return;
  }
  const scale = scales(groups);
  const { frame } = scale;
  const inside = drawn("g", { "clip-path": "url(#frame)" });
  const clip = drawn("clipPath", { id: "frame" }, drawn("rect", { x: frame.left - 6, y: frame.top - 6, width: frame.right - frame.left + 12, height: frame.bottom - frame.top + 6 }));
  for (const group of groups) inside.append(drawn("path", { class: `band f${group.colour}`, d: bandPath(group.band, scale) }));
  for (const group of groups) {
    const runs = chosen.single ? group.curves : [];
    runs.forEach((curve) => inside.append(drawn("path", { class: `single s${group.colour}`, d: pathOf(curve.x, curve.y, scale) })));
    if (group.raw) inside.append(drawn("path", { class: `raw s${group.colour}`, d: pathOf(group.raw.x, group.raw.mean, scale) }));
  }
  for (const group of groups) inside.append(...meanLines(group, scale));
  const cross = drawn("line", { class: "cross", y1: frame.top, y2: frame.bottom, visibility: "hidden" });
  const name = curveData.metrics[chosen.metric].label;
  const picture = drawn("svg", { viewBox: `0 0 ${frame.width} ${HEIGHT}`, role: "img", "aria-label": `${name} over ${chosen.axis}` }, clip, ...axesOf(scale), inside, cross);
  chartBox.replaceChildren(picture);
  plotted = { groups, scale, cross, knots: knots(groups.map((group) => group.band)) };
}

/** The values of every drawn group next to an x. */
function tipRows(x) {
  const unit = unitOf(plotted.scale.end);
  const head = element("div", { class: "head" }, `${shownNumber(x / unit.size, unit.size > 1 ? 3 : 5)} ${unit.name}`);
  const rows = plotted.groups
    .map((group) => [group, nearest(group.band.x, x)])
    .sort(([a, i], [b, j]) => b.band.mean[j] - a.band.mean[i])
    .slice(0, 14)
    .map(([group, index]) => {
      const { mean, low, high, runs } = group.band;
      const known = low[index] === null ? "" : ` [${shownNumber(low[index], 3)}, ${shownNumber(high[index], 3)}]`;
      const value = element("b", {}, `${shownNumber(mean[index])}${known}`);
      return element("div", {}, swatch(group.colour, group.dash), element("span", {}, `${group.label} (${runs[index]})`), value);
    });
  return [head, ...rows];
}

function pointAt(place, clientX, clientY) {
  chosen.at = Math.max(0, Math.min(plotted.knots.length - 1, place));
  const x = plotted.knots[chosen.at];
  const across = plotted.scale.x(x);
  for (const end of ["x1", "x2"]) plotted.cross.setAttribute(end, across);
  plotted.cross.setAttribute("visibility", "visible");
  const box = chartBox.getBoundingClientRect();
  showTip(clientX ?? box.left + (across * box.width) / plotted.scale.frame.width, clientY ?? box.top + 40, ...tipRows(x));
}

function leaveChart() {
  if (plotted) plotted.cross.setAttribute("visibility", "hidden");
  hideTip();
}

function startPointing() {
  chartBox.addEventListener("pointermove", (event) => {
    if (!plotted) return;
    const { frame, from, end } = plotted.scale;
    const box = chartBox.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * frame.width;
    const wanted = from + ((across - frame.left) / (frame.right - frame.left)) * (end - from);
    pointAt(nearest(plotted.knots, wanted), event.clientX, event.clientY);
  });
  chartBox.addEventListener("pointerleave", leaveChart);
  chartBox.addEventListener("blur", leaveChart);
  chartBox.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") leaveChart();
    if (!step || !plotted) return;
    event.preventDefault();
    pointAt(chosen.at === null ? 0 : chosen.at + step);
  });
}

function drawKeys() {
  const buttons = curveData.groups.map((group, number) => {
    const pressed = String(chosen.groups.has(number));
    const button = element("button", { type: "button", "aria-pressed": pressed }, swatch(group.colour, group.dash), group.label);
    button.addEventListener("click", () => {
      if (!chosen.groups.delete(number)) chosen.groups.add(number);
      button.setAttribute("aria-pressed", String(chosen.groups.has(number)));
      drawChart();
    });
    return button;
  });
  document.getElementById("keys").replaceChildren(...buttons);
}

function describe() {
  const { window } = chosen;
  document.getElementById("smoothing").textContent = window > 1 ? `smoothed, window ${window}` : "not smoothed";
  const smooth = window > 1 ? ` Each run is smoothed: the mean of ${window} points; the faint lines are not smoothed.` : "";
  const count = curveData.shown.length < curveData.groups.length && chosen.groups.size < curveData.groups.length
    ? ` ${chosen.groups.size} of ${curveData.groups.length} groups are drawn; choose others below.` : "";
  document.getElementById("chart-note").textContent =
    `Band: 95 % t interval of the mean over the runs, point by point.${smooth} Pale where runs of the group have ended or not begun.${count}`;
}

function startControls() {
  const metric = document.getElementById("metric");
  curveData.metrics.forEach(({ name, label }, index) => metric.append(element("option", { value: index, title: name }, label)));
  metric.addEventListener("change", () => update({ metric: Number(metric.value) }));
  for (const radio of document.querySelectorAll("input[name=axis]")) {
    const place = AXES.indexOf(radio.value);
    radio.disabled = !curveData.runs.some((run) => run.x.some((places) => places[place].some((value) => value !== null)));
    radio.checked = radio.value === chosen.axis;
    radio.addEventListener("change", () => update({ axis: radio.value }));
  }
  const slider = document.getElementById("window");
  slider.addEventListener("input", () => update({ window: Number(slider.value) }));
  const single = document.getElementById("single");
  single.addEventListener("change", () => update({ single: single.checked }));
  const every = curveData.groups.map((_, number) => number);
  const sets = { all: every, first: curveData.shown, none: [] };
  for (const button of document.querySelectorAll("[data-groups]")) {
    button.addEventListener("click", () => {
      update({ groups: new Set(sets[button.dataset.groups]) });
      drawKeys();
    });
  }
}

function update(changes) {
  Object.assign(chosen, changes);
  describe();
  drawChart();
}

startControls();
startPointing();
drawKeys();
update({});
new ResizeObserver(() => plotted && Math.abs(plotted.scale.frame.width - Math.max(320, chartBox.clientWidth)) > 1 && drawChart()).observe(chartBox);
