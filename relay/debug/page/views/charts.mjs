// Charts as SVG, from the numbers that geometry.mjs gives. Each has words for who does not see it.

import { h, svg } from "../dom.mjs";
import { bytes, clock } from "../pure/format.mjs";
import { bars, divisions, lineShape, nearest, sparkLine, toScale } from "../pure/geometry.mjs";
import { GAP_MS, range, WINDOW_MS } from "../pure/history.mjs";
import { chartSays } from "../pure/verdict.mjs";

const WIDE = 300;
const HIGH = 68;

/**
 * A figure over the last minutes. `points` are [{at, value}], `show` writes a value, `ceiling`
 * makes the top of the scale, `hover` is {place, move} of the pointer, 0 to 1, over all charts.
 */
export function gauge({ title, points, show, now, note, ceiling, until, hover }) {
  const found = range(points);
  const top = ceiling(found?.most ?? 0);
  const from = until - WINDOW_MS;
  const at = hover.place === null ? -1 : nearest(points, hover.place, from, until);
  const pointed = at < 0 ? null : points[at];
  const seen = pointed === null ? now : show(pointed.value);
  return h(
    "div",
    { class: "sheet gauge" },
    h("h3", null, title),
    h(
      "p",
      { class: "now" },
      seen,
      h("small", null, pointed === null ? note : `at ${clock(pointed.at).slice(11)}`),
    ),
    lineChart({ points, top, from, until, hover, pointed, label: chartSays(title, found, show) }),
    h(
      "p",
      { class: "scale", "aria-hidden": "true" },
      h("span", null, "3 min ago"),
      h("span", null, `up to ${show(top)}`),
      h("span", null, "now"),
    ),
  );
}

function lineChart({ points, top, from, until, hover, pointed, label }) {
  const box = { width: WIDE, height: HIGH, from, to: until, top, gapMs: GAP_MS };
  const { line, area } = lineShape(points, box);
  const cross = pointed === null ? null : ((pointed.at - from) / WINDOW_MS) * WIDE;
  const point = (event) => {
    const frame = event.currentTarget.getBoundingClientRect();
    hover.move((event.clientX - frame.left) / frame.width);
  };
  return svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${WIDE} ${HIGH}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
      onpointermove: point,
      onpointerleave: () => hover.move(null),
    },
    svg("rect", { width: WIDE, height: HIGH, fill: "transparent" }),
    svg("path", { class: "area", d: area }),
    svg("path", { class: "line", d: line }),
    svg("path", { class: "ground", d: `M0 ${HIGH}H${WIDE}` }),
    cross === null ? null : svg("path", { class: "cross", d: `M${cross} 0V${HIGH}` }),
  );
}

/** Small bars: the writes of the last minutes, the newest at the right. */
export function writesSpark(writes) {
  const size = { width: 120, height: 24, gap: 1 };
  const total = writes.reduce((sum, each) => sum + each, 0);
  const label =
    total === 0
      ? "no writes in the last five minutes"
      : `${total} rows written in the last five minutes`;
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: "0 0 120 24",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
    },
    svg("path", { class: "base", d: "M0 24H120" }),
    total === 0
      ? null
      : bars(writes, size)
          .filter((bar) => bar.height > 0)
          .map((bar) => svg("rect", bar)),
  );
}

/** A small line: how a size went while it was watched. */
export function sizeSpark(sizes) {
  const size = { width: 100, height: 12 };
  return svg(
    "svg",
    { class: "spark", viewBox: "-1 -2 102 16", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "line", d: sparkLine(sizes, size) }),
  );
}

/**
 * Parts side by side on one scale: [{value, fill, pieces}], `whole` as wide as the page.
 * `pieces` draws lines between so many equal pieces, when there is room for them.
 */
export function tape({ parts, whole, label, thin = false, cls = "" }) {
  const width = 1000;
  const places = toScale(
    parts.map((part) => part.value),
    whole,
    width,
    3,
  );
  return svg(
    "svg",
    {
      class: `tape ${thin ? "thin" : ""} ${cls}`.trim(),
      viewBox: `0 0 ${width} 40`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
    },
    svg("rect", { class: "ground", width, height: 40 }),
    parts.map((part, i) => [
      svg("rect", { class: part.fill, x: places[i].x, width: places[i].width, height: 40 }),
      divisions(part.pieces ?? 1, places[i].x, places[i].width, 4).map((x) =>
        svg("path", { class: "cut", d: `M${x} 0V40` }),
      ),
    ]),
  );
}

/** Checkpoint attempts from the oldest to the newest: journal before, snapshot after; × failed. */
export function attempts(checkpoints, top, label) {
  const inOrder = [...checkpoints].reverse();
  const step = 600 / Math.max(12, inOrder.length);
  const high = (value) => (value > 0 ? Math.max(2, (value / top) * 130) : 0);
  const bar = (cls, x, value) =>
    svg("rect", { class: cls, x, y: 136 - high(value), width: step * 0.36, height: high(value) });
  return svg(
    "svg",
    {
      class: "attempts",
      viewBox: "0 0 600 140",
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
    },
    svg("path", { class: "ground", d: "M0 136H600" }),
    inOrder.map((each, i) => {
      const x = i * step + step * 0.1;
      const middle = x + step * 0.58;
      const reach = Math.min(5, step * 0.2);
      return svg(
        "g",
        null,
        svg("title", null, attemptSays(each)),
        bar("before", x, each.journal_bytes_before),
        each.result === "published"
          ? bar("after", x + step * 0.4, each.snapshot_bytes_after)
          : svg("path", {
              class: "failed",
              d: `M${middle - reach} 116l${2 * reach} 14m0 -14l${-2 * reach} 14`,
            }),
      );
    }),
  );
}

function attemptSays(each) {
  const journal = `${clock(each.started_ms)}: journal of ${bytes(each.journal_bytes_before)}`;
  return each.result === "published"
    ? `${journal} into a snapshot of ${bytes(each.snapshot_bytes_after)}`
    : `${journal}, failed`;
}
