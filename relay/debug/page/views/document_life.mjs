// What goes on in a document: clients, traces; and everything as JSON.

import { h } from "../dom.mjs";
import { userOf } from "../pure/acts.mjs";
import { bytes, clock, count, counted, duration, fact } from "../pure/format.mjs";
import { moment, said, table } from "./parts.mjs";

/** Who has it open. */
export function clients({ live }, nowMs) {
  if (live === null || live.connections.length === 0) {
    return h(
      "section",
      { class: "sheet" },
      h("h2", null, "Clients"),
      h("p", { class: "note" }, "Nobody has it open."),
    );
  }
  const heads = [
    { text: "Who" },
    { text: "May" },
    { text: "Joined" },
    { text: "Lag", isNumber: true },
    { text: "Queue", isNumber: true },
    { text: "Unsaved", isNumber: true },
  ];
  const rest = live.connection_count - live.connections.length;
  return h(
    "section",
    { class: "sheet" },
    h("h2", null, "Clients"),
    table(
      "client-caption",
      `${counted(live.connection_count, "live connection")}${rest > 0 ? `, ${count(rest)} of them not listed` : ""}`,
      heads,
      live.connections.map((each) => clientRow(each, nowMs)),
      { isTall: true },
    ),
  );
}

function clientRow(each, nowMs) {
  return h(
    "tr",
    { "data-key": `client-${each.id}` },
    h(
      "th",
      { scope: "row" },
      said(userOf(each)),
      h("p", { class: "why" }, `#${each.id}, `, said(each.peer)),
    ),
    h(
      "td",
      null,
      h("span", { class: each.permission === "admin" ? "tag warn" : "tag" }, each.permission),
    ),
    h("td", null, moment(each.joined_ms, nowMs)),
    h(
      "td",
      { class: "number" },
      each.is_collapsed
        ? h(
            "span",
            { class: "tag warn", title: "a slow reader: gets one diff instead of what it missed" },
            "collapsed",
          )
        : null,
      " ",
      duration(each.lag_ms),
    ),
    h(
      "td",
      { class: "number" },
      each.queued_frames === 0
        ? "empty"
        : `${counted(each.queued_frames, "frame")}, ${bytes(each.queued_bytes)}`,
    ),
    h("td", { class: "number" }, each.unsaved_updates === 0 ? "–" : count(each.unsaved_updates)),
  );
}

/** What happened to it, the newest first. */
export function traces({ traces: kept, traces_dropped }) {
  const dropped =
    traces_dropped > 0 ? `; ${count(traces_dropped)} older or too many were not kept` : "";
  if (kept.length === 0)
    return h(
      "section",
      { class: "sheet" },
      h("h2", null, "Traces"),
      h("p", { class: "note" }, `Nothing was noted yet${dropped}.`),
    );
  // Counted from the oldest that was ever noted, so that a row stays itself when older ones go.
  const first = traces_dropped;
  return h(
    "section",
    { class: "sheet" },
    h("h2", null, "Traces"),
    h(
      "p",
      { class: "note", id: "trace-caption" },
      `${counted(kept.length, "event")}, the newest first${dropped}`,
    ),
    h(
      "ol",
      { class: "traces scroll tall", tabindex: "0", "aria-labelledby": "trace-caption" },
      kept.map((each, i) => traceEntry(each, first + i)).reverse(),
    ),
  );
}

function traceEntry(each, number) {
  const particulars = Object.entries(each.facts).map(([key, value]) =>
    h("span", null, h("em", null, said(key), " "), said(fact(key, value))),
  );
  return h(
    "li",
    { "data-key": `trace-${number}` },
    h("time", { datetime: new Date(each.at_ms).toISOString() }, clock(each.at_ms)),
    h("strong", null, said(each.event)),
    h("span", { class: "particulars" }, particulars),
  );
}

/** Everything as the server says it; written out only while it is open. */
export function raw(facts, isOpen, commands) {
  return h(
    "section",
    { class: "section" },
    h(
      "details",
      {
        class: "sheet",
        id: "raw",
        ontoggle: (event) => commands.openRaw(event.currentTarget.open),
      },
      h("summary", null, "Everything, as JSON"),
      isOpen
        ? h(
            "pre",
            { tabindex: "0", role: "region", "aria-label": "JSON" },
            JSON.stringify(facts, null, 2),
          )
        : null,
    ),
  );
}
