// Where things stand in a chart. Pure: numbers in, numbers and path data out.

/** The next of 1, 2, 5, 10, 20, … that is at least this: the top of a scale. */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((each) => each * power >= value * 0.999999);
  return step * power;
}

/** The next power of two, for lengths in bytes. */
export function niceBytes(value) {
  return value > 0 ? 2 ** Math.ceil(Math.log2(value)) : 1;
}

/**
 * Path data {line, area, last} of points [{at, value}] in a box; from … to is the time across it.
 * A null value, and a pause above gapMs, breaks the line. `last` is where it ends, or null.
 */
export function lineShape(points, { width, height, from, to, top, gapMs }) {
  const place = ({ at, value }) => ({
    x: round(((at - from) / (to - from)) * width),
    y: round(height - (Math.min(value, top) / top) * height),
  });
  const runs = runsOf(
    points.filter(({ at }) => at >= from - gapMs && at <= to),
    gapMs,
  ).map((run) => run.map(place));
  return {
    line: runs.map(polyline).join(""),
    area: runs.map((run) => closed(run, height)).join(""),
    last: runs.at(-1)?.at(-1) ?? null,
  };
}

function runsOf(points, gapMs) {
  const runs = [];
  let before = null;
  for (const point of points) {
    if (point.value === null) {
      before = null;
      continue;
    }
    if (before === null || point.at - before.at > gapMs) runs.push([]);
    runs.at(-1).push(point);
    before = point;
  }
  return runs;
}

function polyline(run) {
  // A single point has no length and would not be drawn.
  if (run.length === 1) return `M${run[0].x} ${run[0].y}h.01`;
  return run.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join("");
}

function closed(run, height) {
  if (run.length < 2) return "";
  return `${polyline(run)}V${height}H${run[0].x}Z`;
}

/** Path data of a line through values at equal distances, as large as the box. */
export function sparkLine(values, { width, height }) {
  if (values.length < 2) return "";
  const least = Math.min(...values);
  const most = Math.max(...values);
  const step = width / (values.length - 1);
  // What does not change is a line through the middle.
  const y = (value) =>
    most === least ? height / 2 : height - ((value - least) / (most - least)) * height;
  return values
    .map((value, i) => `${i === 0 ? "M" : "L"}${round(i * step)} ${round(y(value))}`)
    .join("");
}

/** Bars [{x, y, width, height}] of values at equal distances; what is not zero is seen. */
export function bars(values, { width, height, gap, top = Math.max(...values), least = 1.5 }) {
  const step = width / Math.max(1, values.length);
  return values.map((value, i) => {
    const tall = value > 0 ? Math.max(least, (value / top) * height) : 0;
    return {
      x: round(i * step),
      y: round(height - tall),
      width: round(step - gap),
      height: round(tall),
    };
  });
}

/**
 * Pieces [{x, width, isWidened}] of parts (numbers) on a scale where `whole` is `width` wide.
 * What is not zero is at least `least` wide, and says so; the largest give way for that.
 */
export function toScale(parts, whole, width, least = 2) {
  const exact = parts.map((part) => (whole > 0 ? (part / whole) * width : 0));
  const widened = exact.map((wide, i) => parts[i] > 0 && wide < least);
  const wanted = exact.map((wide, i) => (widened[i] ? least : wide));
  const sum = (list) => list.reduce((total, wide) => total + wide, 0);
  // Only for what was widened: parts that are more than the whole shall be seen to be.
  const excess = Math.min(sum(wanted) - width, sum(wanted) - sum(exact));
  if (excess > 0) {
    const largest = wanted.indexOf(Math.max(...wanted));
    wanted[largest] = Math.max(least, wanted[largest] - excess);
  }
  let x = 0;
  return wanted.map((wide, i) => {
    const piece = { x: round(x), width: round(wide), isWidened: widened[i] };
    x += wide;
    return piece;
  });
}

/** Where lines divide a width into so many equal pieces; none when they would be a grey mass. */
export function divisions(pieces, x, width, closest = 4) {
  if (pieces < 2 || width / pieces < closest) return [];
  return Array.from({ length: pieces - 1 }, (_, i) => round(x + ((i + 1) * width) / pieces));
}

/** The index of the point next to a place between 0 and 1 across from … to; -1 without points. */
export function nearest(points, place, from, to) {
  const wanted = from + place * (to - from);
  let found = -1;
  for (let i = 0; i < points.length; i += 1) {
    const isNearer =
      found < 0 || Math.abs(points[i].at - wanted) < Math.abs(points[found].at - wanted);
    if (points[i].value !== null && isNearer) found = i;
  }
  return found;
}

function round(value) {
  return Math.round(value * 100) / 100;
}
