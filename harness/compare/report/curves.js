// The numbers of the curves: what `harness.compare.report.curves.band` computes, for what is chosen on the page.

const AXES = ["steps", "tokens", "seconds"];
const MOST_KNOTS = 600;
const EVEN_KNOTS = 200;
const LEAST_LEFT = 3; // runs of a group that has more, for a band

/** The mean of each value and the window - 1 before it. */
function smoothed(values, window) {
  let sum = 0;
  return values.map((value, index) => {
    sum += value - (index >= window ? values[index - window] : 0);
    return sum / Math.min(index + 1, window);
  });
}

/** A run's curve, {x, y}, without points that have no place on the axis; null where it was never measured. */
function runCurve(run, metric, axis, window) {
  const found = run.y[metric];
  if (!found) return null;
  const places = run.x[found[0]][AXES.indexOf(axis)];
  const there = found[1].map((_, index) => index).filter((index) => places[index] !== null && found[1][index] !== null);
  if (!there.length) return null;
  const y = there.map((index) => found[1][index]);
  return { x: there.map((index) => places[index]), y: window > 1 ? smoothed(y, window) : y };
}

/** Every x of the curves, or evenly spaced ones where these are too many. */
function knots(curves) {
  const every = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  if (every.length <= MOST_KNOTS) return every;
  const [low, high] = [every[0], every[every.length - 1]];
  return Array.from({ length: EVEN_KNOTS }, (_, n) => low + ((high - low) * n) / (EVEN_KNOTS - 1));
}

/** The curve's values at ascending knots: straight lines between its points, null beyond its ends. */
function valuesAt(curve, at) {
  let left = 0;
  const { x, y } = curve;
  return at.map((knot) => {
    if (knot < x[0] || knot > x[x.length - 1]) return null;
    while (left < x.length - 2 && x[left + 1] < knot) left += 1;
    const right = Math.min(left + 1, x.length - 1);
    const width = x[right] - x[left];
    return width > 0 ? y[left] + ((y[right] - y[left]) * (knot - x[left])) / width : y[left];
  });
}

/** The mean of a group's curves with its t interval, knot by knot: {x, mean, low, high, runs}. */
function groupBand(curves, quantiles) {
  const x = knots(curves);
  const values = curves.map((curve) => valuesAt(curve, x));
  const least = Math.max(2, Math.min(LEAST_LEFT, curves.length));
  const band = { x, mean: [], low: [], high: [], runs: [] };
  for (let knot = 0; knot < x.length; knot += 1) {
    const here = values.map((each) => each[knot]).filter((value) => value !== null);
    const mean = here.reduce((sum, value) => sum + value, 0) / here.length;
    const squares = here.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const several = here.length >= least;
    const half = several ? quantiles[here.length] * Math.sqrt(squares / (here.length - 1) / here.length) : null;
    band.mean.push(mean);
    band.low.push(several ? mean - half : null);
    band.high.push(several ? mean + half : null);
    band.runs.push(here.length);
  }
  return band;
}

/** About `count` round numbers inside a range. */
function ticksBetween(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= raw * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}
