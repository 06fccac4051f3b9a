// The column beside a document: its breaker, its content, where it came from. Sheets of facts.

import { h } from "../dom.mjs";
import { bytes, clock, count, counted, duration, sentence, share } from "../pure/format.mjs";
import { breakerSays } from "../pure/verdict.mjs";
import { tape } from "./charts.mjs";
import { facts, moment, said, sheet } from "./parts.mjs";

const STATES = [
  ["closed", "closed"],
  ["open", "open"],
  ["half_open", "half open"],
];
const LEVELS = { closed: "ok", open: "failing", half_open: "degraded" };

/** All of them. */
export function aboutSheets(document, nowMs) {
  return [
    document.read_only === null ? null : readOnly(document.read_only, nowMs),
    breaker(document.breaker, nowMs),
    content(document),
    saving(document.live, nowMs),
    snapshot(document.snapshot, nowMs),
    origin(document, nowMs),
  ];
}

function readOnly({ by, reason, since_ms }, nowMs) {
  return sheet(
    "Read-only",
    h("p", null, said(sentence(reason))),
    facts([
      ["Switched by", said(by)],
      ["Since", moment(since_ms, nowMs)],
    ]),
  );
}

function breaker(now, nowMs) {
  return sheet(
    "Breaker of checkpoints",
    h(
      "ol",
      { class: "breaker", "data-level": LEVELS[now.state] },
      STATES.map(([state, word]) =>
        h("li", { "aria-current": state === now.state ? "true" : null }, word),
      ),
    ),
    h("p", null, breakerSays(now, nowMs)),
    now.reason === null ? null : h("p", { class: "note" }, said(sentence(now.reason))),
    now.failures_in_row === 0
      ? null
      : h("p", { class: "note" }, `${counted(now.failures_in_row, "failure")} in a row.`),
  );
}

function content({ content: known }) {
  if (known === null)
    return sheet(
      "Content",
      h("p", { class: "note" }, "Nobody has looked at it since this server keeps track."),
    );
  return sheet(
    "Content",
    facts([
      ["Clients that ever wrote", count(known.clients)],
      ["Clocks", count(known.clocks)],
      ["Deleted", `${count(known.deleted_clocks)}, ${share(known.deleted_share)}`],
      ["Pending", bytes(known.pending_bytes)],
      ["As of row", count(known.seq)],
    ]),
    tape({
      parts: [
        { value: known.clocks - known.deleted_clocks, fill: "snapshot-fill" },
        { value: known.deleted_clocks, fill: "other-fill" },
      ],
      whole: known.clocks,
      thin: true,
      cls: "progress",
      label: `${share(known.deleted_share)} of it is deleted`,
    }),
  );
}

function saving(live, nowMs) {
  if (live === null) return null;
  const { saving: now } = live;
  return sheet(
    "Saving",
    facts([
      ["Durable up to row", count(now.last_durable_seq)],
      ["Last save", moment(now.last_saved_ms, nowMs)],
      ["It took", duration(now.last_save_duration_ms)],
      ["Saves since loaded", count(now.saves)],
      ["Failures in a row", count(now.failures_in_row)],
      ["Waiting", `${counted(now.waiting_updates, "update")}, ${bytes(now.waiting_bytes)}`],
      ["On the way", counted(now.in_flight_updates, "update")],
      ["On trial", counted(now.on_trial_updates, "update")],
      ["Loaded", moment(live.loaded_ms, nowMs)],
      ["Loading took", duration(live.load_duration_ms)],
    ]),
  );
}

function snapshot(known, nowMs) {
  if (known === null) return null;
  return sheet(
    "Snapshot",
    facts([
      ["Number", count(known.id)],
      ["Holds rows up to", count(known.cut_seq)],
      ["Raw", bytes(known.raw_bytes)],
      [
        "Stored",
        `${bytes(known.stored_bytes)}, ${share(known.stored_bytes / Math.max(1, known.raw_bytes))}`,
      ],
      ["Chunks", `${count(known.chunks)}, ${known.codecs.join(", ")}`],
      ["Made", moment(known.created_ms, nowMs)],
      ["Checksum", h("code", null, known.checksum)],
    ]),
  );
}

function origin(document, nowMs) {
  const { migration } = document;
  return sheet(
    "Origin",
    facts([
      ["Content", migration.status === "fresh" ? "written here from the start" : migration.status],
      migration.source === null ? null : ["Read from", migration.source],
      [
        "First written",
        h("span", { title: clock(document.created_ms) }, moment(document.created_ms, nowMs)),
      ],
      document.deleted_ms === null ? null : ["Deleted", moment(document.deleted_ms, nowMs)],
      ["Oversized updates", count(document.oversized_count)],
      ["In quarantine", count(document.quarantined)],
    ]),
  );
}
