// Small pieces that several pages use.

import { h, svg } from "../dom.mjs";
import { ago, clock } from "../pure/format.mjs";
import { visiblePieces } from "../pure/names.mjs";
import { hrefOf } from "../pure/route.mjs";

/** A state as shape, colour and word. */
export function mark(level, word = level) {
  return h("span", { class: "mark", "data-level": level }, h("i", { "aria-hidden": "true" }), word);
}

/** A name in which what is not seen is shown. */
export function nameOf(name) {
  return h("bdi", { class: "name", dir: "auto" }, piecesOf(name));
}

/** The same for other words that may be a stranger's: users, reasons, particulars. */
export function said(text) {
  return h("bdi", { class: "said", dir: "auto" }, piecesOf(text));
}

function piecesOf(text) {
  return visiblePieces(text).map((piece) =>
    piece.isMark
      ? h("span", { class: "odd", title: "a character that is not seen" }, piece.text)
      : piece.text,
  );
}

/** A link to a document's page. */
export function linkTo(name, attributes = {}) {
  return h("a", { href: hrefOf({ view: "document", name }), ...attributes }, nameOf(name));
}

/** A moment, as long ago, with the exact time for whoever points at it. */
export function moment(ms, nowMs) {
  if (ms === null) return ago(null);
  return h("time", { datetime: new Date(ms).toISOString(), title: clock(ms) }, ago(ms, nowMs));
}

/** That the server could not look into its storage, when it could not. */
export function unreadable({ unreadable: why }) {
  if (why === null) return null;
  return h(
    "p",
    { class: "because", "data-level": "failing" },
    "The server could not look into its storage: ",
    said(why),
    ".",
  );
}

/** That nobody decides whether the reader may look, while that is so. */
export function undecided({ undecided: why }) {
  if (why === null) return null;
  return h(
    "p",
    { class: "because", "data-level": "degraded", "data-key": "undecided" },
    "The server tells nothing new until it is decided whether you may look: ",
    said(why),
    ".",
  );
}

/** Terms and what they are: pairs [term, value]; a null pair is left out. */
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.filter(Boolean).map(([term, value]) => [h("dt", null, term), h("dd", null, value)]),
  );
}

/** A sheet of paper with a heading. */
export function sheet(title, ...content) {
  return h("section", { class: "sheet" }, h("h2", null, title), content);
}

/** A bar with its title and its value above it. */
export function track(title, value, bar) {
  return h(
    "div",
    { class: "track" },
    h("p", { class: "track-label" }, h("span", null, title), h("span", null, value)),
    bar,
  );
}

/** What a chart's colours mean: [{fill, text, value}]. */
export function legend(entries) {
  return h(
    "ul",
    { class: "legend" },
    entries.map(({ fill, text, value }) =>
      h(
        "li",
        null,
        svg(
          "svg",
          { viewBox: "0 0 12 12", "aria-hidden": "true" },
          svg("rect", { width: 12, height: 12, class: fill }),
        ),
        h("span", null, text),
        h("b", null, value),
      ),
    ),
  );
}

/** A table in a frame that scrolls sideways; the frame can be reached with the keyboard. */
export function table(id, caption, heads, rows, { isTall = false } = {}) {
  return h(
    "div",
    {
      class: isTall ? "scroll tall" : "scroll",
      role: "region",
      "aria-labelledby": id,
      tabindex: "0",
    },
    h(
      "table",
      null,
      h("caption", { id }, caption),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          heads.map((head) =>
            h("th", { scope: "col", class: head.isNumber ? "number" : null }, head.text),
          ),
        ),
      ),
      h("tbody", null, rows),
    ),
  );
}
