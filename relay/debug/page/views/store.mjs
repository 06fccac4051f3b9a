// The page of the store: how it fares, in one sentence and in figures.

import { h, svg } from "../dom.mjs";
import {
  bytes,
  count,
  counted,
  duration,
  durations,
  figure,
  NOTHING,
  span,
} from "../pure/format.mjs";
import { niceBytes, niceCeiling } from "../pure/geometry.mjs";
import { range, series } from "../pure/history.mjs";
import { storeActs } from "../pure/acts.mjs";
import { storeSummary, storeVerdict, troubles } from "../pure/verdict.mjs";
import { gauge, tape } from "./charts.mjs";
import { configuration, work } from "./store_work.mjs";
import { legend, linkTo, said, sheet, track, unreadable } from "./parts.mjs";

const SIGNS = {
  ok: "M20 33l8 8 17-18",
  degraded: "M32 20v15M32 44v.1",
  failing: "M22 22l20 20M42 22L22 42",
  silent: "M22 22l20 20M42 22L22 42",
  waiting: "M22 32v.1M32 32v.1M42 32v.1",
};

/** The whole page. */
export function storePage(state, commands) {
  const { storage } = state;
  const verdict = storeVerdict(storage, state.heardMs, state.localMs);
  if (storage === null) return hero(verdict, null, state);
  return [
    hero(verdict, storage, state),
    unreadable(state),
    troubleList(troubles(storage, state.nowMs)),
    rightNow(storage, state),
    onDisk(storage),
    work(storage, state.nowMs),
    state.me?.may_act ? acting(storage, commands) : null,
    configuration(storage),
  ];
}

function hero({ level, headline }, storage, state) {
  return h(
    "section",
    { class: "hero", "data-level": level },
    h(
      "span",
      { class: "seal", "aria-hidden": "true" },
      svg(
        "svg",
        { viewBox: "0 0 64 64" },
        svg("circle", { class: "ring", cx: 32, cy: 32, r: 30 }),
        svg("path", { class: "sign", d: SIGNS[level] }),
      ),
    ),
    h(
      "div",
      null,
      h("h1", { tabindex: "-1" }, headline),
      storage && h("p", { class: "lede" }, storeSummary(storage)),
      storage &&
        h(
          "p",
          { class: "note" },
          `up for ${span(state.nowMs - storage.process.started_ms)} · version ${storage.process.version} · ${storage.backend}, schema ${storage.schema_version} · process ${storage.process.pid}`,
        ),
    ),
  );
}

function troubleList(found) {
  if (found.length === 0) return null;
  return h(
    "ul",
    { class: "troubles", "aria-label": "What is wrong" },
    found.map((each) =>
      h(
        "li",
        { "data-level": each.level },
        h("strong", null, each.title),
        " ",
        each.document === null ? null : linkTo(each.document),
        h("p", null, said(each.text)),
      ),
    ),
  );
}

function rightNow(storage, state) {
  const { commits, process, sizes } = storage;
  const draw = (title, key, show, note, ceiling, now = null) => {
    const points = series(state.history, key);
    const shown = now ?? show(range(points)?.last ?? null);
    return gauge({
      title,
      points,
      show,
      note,
      ceiling,
      now: shown,
      until: storage.at_ms,
      hover: state.hover,
    });
  };
  const tail = ({ p50, p99 }) =>
    p99 === null ? "none yet" : `p50 · p99  ${durations([p50, p99])}`;
  const rate = (value) => (value === null ? NOTHING : `${figure(value)}/s`);
  const bytesTop = (most) => niceBytes(Math.max(most, 1024));
  const msTop = (most) => niceCeiling(Math.max(most, 1));
  const countTop = (most) => niceCeiling(Math.max(most, 10));
  return h(
    "section",
    { class: "section" },
    h("h2", null, "Right now"),
    h(
      "div",
      { class: "grid gauges" },
      draw(
        "Updates made durable",
        "updates",
        rate,
        `in ${figure(commits.per_s)} commits/s`,
        countTop,
      ),
      draw("Commit", "commit", duration, tail(commits.duration_ms), msTop),
      draw("Fsync", "fsync", duration, tail(commits.fsync_ms), msTop),
      draw(
        "Waiting for a commit",
        "queue",
        count,
        `${figure(commits.batch_rows.mean)} rows a commit`,
        countTop,
      ),
      draw("Connections", "connections", count, `in ${counted(process.rooms, "room")}`, countTop),
      draw(
        "Event loop late by",
        "lag",
        duration,
        `broadcast p99 ${duration(process.broadcast_lag_ms.p99)}`,
        (most) => niceCeiling(Math.max(most, 10)),
      ),
      draw("Database file", "file", bytes, `${bytes(sizes.free_bytes)} free within`, bytesTop),
      draw("SQLite's WAL", "wal", bytes, "beside the file", bytesTop),
    ),
    h(
      "p",
      { class: "note section-note" },
      "The lines begin when this page was opened. Percentiles are since the start of the process.",
    ),
  );
}

function onDisk({ sizes }) {
  const used = Math.max(0, sizes.file_bytes - sizes.free_bytes);
  const content = sizes.snapshot_bytes + sizes.journal_bytes;
  const whole = Math.max(sizes.file_bytes, content, sizes.wal_bytes, 1);
  const bar = (title, value, parts) => {
    const named = parts.map((part) => `${part.text} ${bytes(part.value)}`).join(", ");
    return track(title, bytes(value), tape({ parts, whole, label: `${title}: ${named}` }));
  };
  const snapshots = { text: "snapshots", value: sizes.snapshot_bytes, fill: "snapshot-fill" };
  const journal = { text: "journals", value: sizes.journal_bytes, fill: "journal-fill" };
  const pages = { text: "pages in use", value: used, fill: "stored-fill" };
  const free = { text: "free pages", value: sizes.free_bytes, fill: "free-fill" };
  const wal = { text: "WAL", value: sizes.wal_bytes, fill: "other-fill" };
  return h(
    "section",
    { class: "section" },
    h("h2", null, "Content and disk, to scale"),
    h(
      "div",
      { class: "sheet" },
      h(
        "p",
        { class: "note" },
        `${counted(sizes.documents, "document")}, ${counted(sizes.deleted_documents, "tombstone")}, ${counted(sizes.journal_rows, "journal row")}. Snapshots are compressed on disk.`,
      ),
      bar("Content, raw", content, [snapshots, journal]),
      bar("Database file", sizes.file_bytes, [pages, free]),
      bar("SQLite's WAL", sizes.wal_bytes, [wal]),
      legend(
        [snapshots, journal, pages, free, wal].map((part) => ({
          ...part,
          value: bytes(part.value),
        })),
      ),
    ),
  );
}

function acting(storage, commands) {
  return h(
    "section",
    { class: "section" },
    h("h2", null, "Act on the store"),
    h(
      "div",
      { class: "sheet" },
      h(
        "p",
        { class: "note" },
        "Each first shows what it would do, and is written down with your name.",
      ),
      h(
        "div",
        { class: "buttons top-gap" },
        storeActs(storage).map((act) =>
          h(
            "button",
            { type: "button", "data-key": act.id, onclick: () => commands.propose(act) },
            act.label,
          ),
        ),
      ),
    ),
  );
}
