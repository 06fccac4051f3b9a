// The page of the store, below the charts: what was done since the start, and the settings.

import { h } from "../dom.mjs";
import { bytes, count, counted, duration, durations, fact, words } from "../pure/format.mjs";
import { breakerSays } from "../pure/verdict.mjs";
import { tape } from "./charts.mjs";
import { facts, mark, moment, said, sheet, table } from "./parts.mjs";

/** Sheets of counters. */
export function work(storage, nowMs) {
  const { commits, checkpoints, trials, load_ms } = storage;
  const tail = ({ p50, p90, p99 }) => (p99 === null ? "none yet" : durations([p50, p90, p99]));
  return h(
    "section",
    { class: "section" },
    h("h2", null, "Since the start"),
    h(
      "div",
      { class: "grid wide" },
      sheet(
        "Commits",
        facts([
          ["Commits", count(commits.commits)],
          ["Updates made durable", count(commits.updates)],
          ["Their bytes", bytes(commits.update_bytes)],
          ["Refused updates", count(commits.refused)],
          ["p50 · p90 · p99", tail(commits.duration_ms)],
          [
            "Refused by the disk",
            commits.failures_in_row === 0
              ? "none in a row"
              : counted(commits.failures_in_row, "time", "times in a row"),
          ],
        ]),
      ),
      sheet(
        "Checkpoints",
        facts([
          ["Published", count(checkpoints.published)],
          ["Failed", count(checkpoints.failed)],
          ["Due now", count(checkpoints.due)],
          ["p50 · p90 · p99", tail(checkpoints.duration_ms)],
        ]),
        h("p", { class: "note" }, breakerSays(checkpoints.breaker, nowMs)),
      ),
      sheet(
        "Cold loads",
        facts([
          ["Loads", count(load_ms.count)],
          ["p50 · p90 · p99", tail(load_ms)],
          ["In memory", counted(storage.process.open_documents, "document")],
        ]),
      ),
      scrubSheet(storage.scrubber, storage.sizes, nowMs),
      sheet(
        "Guard",
        facts([
          ["Updates tried apart", count(trials.done)],
          ["Refused there", count(trials.refused)],
          ["Processes that died", count(trials.processes_died)],
          ["Waiting for a trial", bytes(trials.waiting_bytes)],
          ["Kept in quarantine", count(storage.quarantined)],
          ["Not tried yet, of an older store", counted(storage.unvouched, "document")],
        ]),
      ),
      sheet(
        "Set apart",
        facts([
          ["Damaged, and set aside", counted(storage.set_aside, "document")],
          ["Read-only by a switch", counted(storage.read_only_documents, "document")],
          ["Events not kept", count(storage.traces_dropped)],
        ]),
      ),
      processSheet(storage),
    ),
  );
}

function processSheet({ process, sessions }) {
  return sheet(
    "Process",
    facts([
      ["Resident memory", bytes(process.memory_bytes)],
      ["Frames received", count(process.frames_received)],
      ["Connections", `${count(process.connections)} in ${counted(process.rooms, "room")}`],
      ["Active sessions", count(sessions)],
      ["Event loop late by", duration(process.event_loop_lag_ms)],
    ]),
  );
}

function scrubSheet(scrubber, sizes, nowMs) {
  if (scrubber === null)
    return sheet(
      "Re-reading",
      h("p", { class: "note" }, "It is off: damage is found when a document is opened."),
    );
  const isUnderWay = scrubber.started_ms !== null && !(scrubber.finished_ms >= scrubber.started_ms);
  const part = Math.min(1, scrubber.documents / Math.max(1, sizes.documents));
  return sheet(
    "Re-reading",
    facts([
      ["Passes done", count(scrubber.passes)],
      [
        isUnderWay ? "Read in this pass" : "Read in the last pass",
        `${counted(scrubber.documents, "document")}, ${bytes(scrubber.bytes)}`,
      ],
      ["Began", moment(scrubber.started_ms, nowMs)],
      ["Ended", isUnderWay ? "under way" : moment(scrubber.finished_ms, nowMs)],
      [
        "Found damaged",
        scrubber.damaged === 0 ? "none" : mark("failing", counted(scrubber.damaged, "document")),
      ],
    ]),
    isUnderWay
      ? tape({
          parts: [{ value: part, fill: "snapshot-fill" }],
          whole: 1,
          thin: true,
          cls: "progress",
          label: `${Math.round(100 * part)} % of this pass`,
        })
      : null,
  );
}

/** Every setting. */
export function configuration({ configuration: settings }) {
  const rows = Object.entries(settings).map(([key, value]) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, words(key)),
      h("td", { class: "mono" }, said(fact("", value))),
    ),
  );
  return h(
    "section",
    { class: "section" },
    h(
      "details",
      { class: "sheet", id: "configuration" },
      h("summary", null, "Configuration"),
      table(
        "settings",
        "Every setting; secrets are hidden",
        [{ text: "Setting" }, { text: "Value" }],
        rows,
      ),
    ),
  );
}
