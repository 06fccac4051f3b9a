// What is stored of a document, to scale, and the checkpoints that made it so.

import { h } from "../dom.mjs";
import { bytes, count, counted, duration } from "../pure/format.mjs";
import { niceBytes } from "../pure/geometry.mjs";
import { attempts, tape } from "./charts.mjs";
import { legend, moment, said, table, track } from "./parts.mjs";

/** Journal and snapshot, to scale. */
export function toScaleSheet(facts) {
  const { journal, snapshot, cut_seq, last_seq } = facts;
  const rows = [
    { value: cut_seq, fill: "snapshot-fill" },
    { value: journal.rows, fill: "journal-fill", pieces: journal.rows },
  ];
  const rawBytes = snapshot?.raw_bytes ?? 0;
  const whole = Math.max(rawBytes, snapshot?.stored_bytes ?? 0, journal.bytes, 1);
  const bar = (text, part, thin = false) =>
    tape({ parts: [part], whole, thin, label: `${text}: ${bytes(part.value)}` });
  return h(
    "section",
    { class: "sheet section" },
    h(
      "div",
      { class: "sheet-head" },
      h("h2", null, "Journal and snapshot, to scale"),
      h("p", { class: "note" }, "What is not nothing is drawn at least a hair wide."),
    ),
    track(
      "By row",
      last_seq === 0 ? "no rows" : `rows 1 to ${count(last_seq)}, cut after ${count(cut_seq)}`,
      tape({
        parts: rows,
        whole: last_seq,
        label: `Rows 1 to ${count(cut_seq)} are in the snapshot, ${counted(journal.rows, "row")} after them in the journal.`,
      }),
    ),
    track(
      "Snapshot, raw",
      bytes(rawBytes),
      bar("Snapshot, raw", { value: rawBytes, fill: "snapshot-fill" }),
    ),
    track(
      "Snapshot, as stored",
      snapshot === null
        ? "none"
        : `${bytes(snapshot.stored_bytes)} in ${counted(snapshot.chunks, "chunk")}, ${snapshot.codecs.join(", ")}`,
      bar("Snapshot, stored", {
        value: snapshot?.stored_bytes ?? 0,
        fill: "stored-fill",
        pieces: snapshot?.chunks ?? 1,
      }),
    ),
    track(
      "Journal",
      `${bytes(journal.bytes)} in ${counted(journal.rows, "row")}`,
      bar("Journal", { value: journal.bytes, fill: "journal-fill", pieces: journal.rows }),
    ),
    legend([
      { fill: "snapshot-fill", text: "in the snapshot", value: counted(cut_seq, "row") },
      {
        fill: "stored-fill",
        text: "its chunks on disk",
        value: bytes(snapshot?.stored_bytes ?? 0),
      },
      {
        fill: "journal-fill",
        text: "read after it at every load",
        value: counted(journal.rows, "row"),
      },
    ]),
  );
}

/** Every attempt that is kept, as a chart and as a table. */
export function checkpoints({ checkpoints: made }, nowMs) {
  if (made.length === 0) {
    return h(
      "section",
      { class: "sheet" },
      h("h2", null, "Checkpoints"),
      h("p", { class: "note" }, "None was made yet: its journal is short."),
    );
  }
  const top = niceBytes(
    Math.max(...made.map((each) => Math.max(each.journal_bytes_before, each.snapshot_bytes_after))),
  );
  const failed = made.filter((each) => each.result === "failed").length;
  const label = `${counted(made.length, "attempt")}, ${failed} failed; the table tells each.`;
  const heads = ["When", "Why", "Result", "Took", "Journal", "Snapshot"].map((text, i) => ({
    text,
    isNumber: i > 2,
  }));
  return h(
    "section",
    { class: "sheet" },
    h(
      "div",
      { class: "sheet-head" },
      h("h2", null, "Checkpoints"),
      h("p", { class: "note" }, `up to ${bytes(top)}; the newest at the right`),
    ),
    attempts(made, top, label),
    legend([
      { fill: "journal-fill", text: "journal before", value: "" },
      { fill: "snapshot-fill", text: "snapshot after", value: "" },
    ]),
    h(
      "details",
      { id: "attempts", open: true, class: "top-gap" },
      h("summary", null, counted(made.length, "attempt")),
      table(
        "attempt-caption",
        "Attempts at a checkpoint, the newest first",
        heads,
        made.map((each) => attemptRow(each, nowMs)),
        { isTall: true },
      ),
    ),
  );
}

function attemptRow(each, nowMs) {
  const isPublished = each.result === "published";
  return h(
    "tr",
    { "data-key": `attempt-${each.number}` },
    h("td", null, moment(each.started_ms, nowMs)),
    h("td", null, each.reason),
    h(
      "td",
      null,
      isPublished
        ? "published"
        : [
            h("span", { class: "result-failed" }, "failed"),
            h("p", { class: "why" }, said(each.error ?? "")),
          ],
    ),
    h("td", { class: "number" }, duration(each.duration_ms)),
    h(
      "td",
      { class: "number" },
      `${bytes(each.journal_bytes_before)} → ${bytes(isPublished ? each.journal_bytes_after : each.journal_bytes_before)}`,
    ),
    h(
      "td",
      { class: "number" },
      isPublished
        ? `${bytes(each.snapshot_bytes_before)} → ${bytes(each.snapshot_bytes_after)}`
        : "–",
    ),
  );
}
