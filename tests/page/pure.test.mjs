// The pure modules of the page, under Node's own test runner.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as acts from "../../relay/debug/page/pure/acts.mjs";
import * as format from "../../relay/debug/page/pure/format.mjs";
import * as geometry from "../../relay/debug/page/pure/geometry.mjs";
import * as past from "../../relay/debug/page/pure/history.mjs";
import * as names from "../../relay/debug/page/pure/names.mjs";
import * as routes from "../../relay/debug/page/pure/route.mjs";
import { EventParser, pauseAfter } from "../../relay/debug/page/pure/sse.mjs";
import * as verdict from "../../relay/debug/page/pure/verdict.mjs";

const table = (call, cells) => {
  for (const [input, output] of cells) assert.equal(call(...[input].flat()), output, String(input));
};

// ---- format --------------------------------------------------------------------------------

test("lengths have three digits that count and a unit of 1024", () => {
  table(format.bytes, [
    [0, "0 B"],
    [1, "1 B"],
    [1023, "1,023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [1024 * 1023.6, "1 MiB"],
    [842_000_000, "803 MiB"],
    [5 * 1024 ** 4, "5 TiB"],
    [4000 * 1024 ** 4, "4,000 TiB"],
    [null, "–"],
  ]);
});

test("figures drop digits that say nothing", () => {
  table(format.figure, [
    [0, "0"],
    [0.001, "<0.01"],
    [0.42, "0.42"],
    [4.2, "4.2"],
    [42.04, "42"],
    [42.15, "42.1"],
    [99.6, "100"],
    [1234.5, "1,235"],
    [10, "10"],
    [null, "–"],
  ]);
});

test("durations are in the unit that fits, and lengths of time in two", () => {
  table(format.duration, [
    [0.42, "0.42 ms"],
    [999, "999 ms"],
    [999.6, "1 s"],
    [1300, "1.3 s"],
    [125_000, "2 min 5 s"],
    [null, "–"],
  ]);
  table(format.span, [
    [999, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_660_000, "1 h 1 min"],
    [97_200_000, "1 d 3 h"],
    [-5, "0 s"],
  ]);
  assert.equal(format.durations([1.6, 2.88, 7.2]), "1.6 · 2.88 · 7.2 ms");
  assert.equal(format.durations([1.6, 2000]), "1.6 ms · 2 s");
});

test("a moment is told from now, before and after", () => {
  table(format.ago, [
    [[1000, 1500], "just now"],
    [[1000, 5000], "4 s ago"],
    [[17_000, 5000], "in 12 s"],
    [[null, 1], "–"],
  ]);
});

test("shares, counts and sentences", () => {
  table(format.share, [
    [0, "0 %"],
    [0.0004, "<0.1 %"],
    [0.311, "31.1 %"],
    [1, "100 %"],
    [null, "–"],
  ]);
  table(format.counted, [
    [[1, "row"], "1 row"],
    [[0, "row"], "0 rows"],
    [[2000, "time", "times in a row"], "2,000 times in a row"],
  ]);
  table(format.sentence, [
    ["disk full", "Disk full."],
    ["Why?", "Why?"],
  ]);
});

test("a fact is written by what its key says of its unit", () => {
  table(format.fact, [
    [["journal_bytes", 2048], "2 KiB"],
    [["bytes_before", 1], "1 B"],
    [["byte_length", 9], "9 B"],
    [["duration_ms", 6.4], "6.4 ms"],
    [["ttl_s", 90], "1 min 30 s"],
    [["rows", 1200], "1,200"],
    [["share", 0.5], "0.5"],
    [["is_live", true], "yes"],
    [["is_live", false], "no"],
    [["x", null], "–"],
    [["x", "<b>"], "<b>"],
    [["list", [1, 2]], "[1,2]"],
    [["megabytesque", 3], "3"],
  ]);
  assert.match(format.fact("created_ms", 1_790_000_000_000), /^2026-09-2\d \d\d:\d\d:\d\d$/);
  assert.equal(format.words("journal_rows_before"), "journal rows before");
});

// ---- names ---------------------------------------------------------------------------------

test("what is not seen in a name is shown", () => {
  table(names.visibleText, [
    ["notes/a b", "notes/a b"],
    ["notes/\u202egpj.exe", "notes/‹U+202E›gpj.exe"],
    ["a\u0000b\u007fc", "a‹U+0000›b‹U+007F›c"],
    ["a\u200bb\u00a0c\u2028d\ufeffe", "a‹U+200B›b‹U+00A0›c‹U+2028›d‹U+FEFF›e"],
    ["\u3164\u115f\u2800", "‹U+3164›‹U+115F›‹U+2800›"],
    ["\u{e0041}\ufff9", "‹U+E0041›‹U+FFF9›"],
    ["\ud800", "‹U+D800›"],
    [" a  b ", "␣a␣␣b␣"],
    ["שלום ❤️ 日本", "שלום ❤️ 日本"],
    ["<img src=x>", "<img src=x>"],
  ]);
});

test("a name is typed as it is or as it is shown", () => {
  assert.ok(names.isTyped("a\u200bb", "a\u200bb"));
  assert.ok(names.isTyped("a‹U+200B›b", "a\u200bb"));
  assert.ok(!names.isTyped("ab", "a\u200bb"));
  assert.ok(!names.isTyped("", "a"));
});

test("names that an address loses are known", () => {
  for (const name of [".", "..", "\ud800"]) assert.ok(!names.isAddressable(name));
  for (const name of ["...", "a/../b", "%2e%2e"]) assert.ok(names.isAddressable(name));
  assert.equal(names.asSegment("a/b?#%"), "a%2Fb%3F%23%25");
});

// ---- addresses -----------------------------------------------------------------------------

test("every route comes back from its address", () => {
  const list = { view: "documents", prefix: "", sort: "name", trouble: false, after: null };
  const all = [
    { view: "store" },
    list,
    { ...list, prefix: "a/b&c#%", sort: "bytes", trouble: true, after: "50" },
    ...["a/b", "..", "a?b#c%41", "שלום", "\u202e", " "].map((name) => ({ view: "document", name })),
  ];
  for (const route of all) assert.deepEqual(routes.parseRoute(routes.hrefOf(route)), route);
});

test("addresses that are no routes are told apart", () => {
  assert.deepEqual(routes.parseRoute(""), { view: "store" });
  for (const hash of ["#/nothing", "#/documents/%zz", "#nonsense"]) {
    assert.deepEqual(routes.parseRoute(hash), { view: "unknown" });
  }
  assert.equal(routes.parseRoute("#/documents?sort=evil").sort, "name");
});

// ---- the stream ----------------------------------------------------------------------------

test("events are whole however the bytes were cut", () => {
  const text =
    ': hello\r\nevent: storage\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid: 7\ndata:x\n\nevent: lost\n\ndata\rdata: y\r\r!';
  const wanted = [
    { event: "storage", data: '{"a":\n1}' },
    { event: "message", data: "x" },
    { event: "message", data: "\ny" },
  ];
  for (let size = 1; size <= text.length; size += 1) {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < text.length; at += size)
      found.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(found, wanted, `pieces of ${size}`);
  }
});

test("a line without an end is given up", () => {
  const parser = new EventParser();
  assert.throws(() => {
    for (let i = 0; i < 40; i += 1) parser.push("x".repeat(512 * 1024));
  }, RangeError);
});

test("pauses between attempts grow to a bound", () => {
  assert.deepEqual([0, 1, 2, 5, 500].map(pauseAfter), [500, 1000, 2000, 15_000, 15_000]);
});

// ---- what was told before ------------------------------------------------------------------

const told = (at, { started = 1, count = 0, mean = null, queue = 0 } = {}) => ({
  at_ms: at,
  process: { started_ms: started, connections: 2, event_loop_lag_ms: 1 },
  sizes: { file_bytes: 10, wal_bytes: 5 },
  commits: {
    updates_per_s: 4,
    per_s: 2,
    queue,
    duration_ms: { count, mean },
    fsync_ms: { count, mean },
  },
});

test("the mean of a second comes out of two cumulated means", () => {
  assert.equal(past.meanBetween({ count: 10, mean: 2 }, { count: 20, mean: 3 }), 4);
  assert.equal(past.meanBetween({ count: 0, mean: null }, { count: 4, mean: 3 }), 3);
  assert.equal(past.meanBetween({ count: 4, mean: 3 }, { count: 4, mean: 3 }), null);
  assert.equal(past.meanBetween(undefined, { count: 4, mean: 3 }), null);
});

test("the past has three minutes, in order, of one process", () => {
  let history = past.EMPTY_HISTORY;
  for (let at = 0; at <= 600_000; at += 1000)
    history = past.remember(history, told(at, { count: at, mean: 2 }));
  assert.ok(history.samples.length <= 200);
  assert.equal(history.samples.at(-1).commit, 2);
  assert.ok(history.samples[0].at >= 600_000 - past.WINDOW_MS - past.GAP_MS);
  assert.equal(past.remember(history, told(600_000)), history, "told twice");
  assert.equal(past.remember(history, told(599_000)), history, "told late");
  const next = past.remember(history, told(601_000, { started: 2, count: 5, mean: 1 }));
  assert.equal(next.samples.length, 1, "another process");
  assert.equal(next.samples[0].commit, null);
});

test("a series has its range without its gaps", () => {
  let history = past.remember(past.EMPTY_HISTORY, told(1000, { queue: 3 }));
  history = past.remember(history, told(2000, { queue: 1 }));
  assert.deepEqual(past.range(past.series(history, "queue")), { least: 1, most: 3, last: 1 });
  assert.equal(past.range(past.series(history, "commit")), null);
});

test("sizes of listed documents are kept, and not for ever", () => {
  const page = (from) =>
    Array.from({ length: 50 }, (_, i) => ({
      name: `d${from + i}`,
      snapshot_bytes: 10,
      journal: { bytes: i },
    }));
  let sizes = new Map();
  for (let round = 0; round < 100; round += 1) sizes = past.rememberSizes(sizes, page(0));
  assert.equal(sizes.get("d3").length, 60);
  for (let from = 50; from < 2000; from += 50) sizes = past.rememberSizes(sizes, page(from));
  assert.equal(sizes.size, 500);
  assert.ok(sizes.has("d1999") && !sizes.has("d3"));
});

// ---- geometry ------------------------------------------------------------------------------

test("scales end at a number that people like", () => {
  table(geometry.niceCeiling, [
    [0, 1],
    [-1, 1],
    [NaN, 1],
    [0.3, 0.5],
    [1, 1],
    [1.01, 2],
    [412, 500],
    [1000, 1000],
    [5001, 10_000],
  ]);
  table(geometry.niceBytes, [
    [0, 1],
    [1, 1],
    [1000, 1024],
    [1024, 1024],
    [1025, 2048],
  ]);
});

test("a line is broken where nothing was heard", () => {
  const box = { width: 100, height: 10, from: 0, to: 10_000, top: 10, gapMs: 2000 };
  const shape = geometry.lineShape(
    [
      [0, 0],
      [1000, 10],
      [2000, null],
      [3000, 5],
      [8000, 5],
      [9000, 99],
      [20_000, 5],
    ].map(([at, value]) => ({ at, value })),
    box,
  );
  assert.equal(shape.line, "M0 10L10 0M30 5h.01M80 5L90 0");
  assert.equal(shape.area, "M0 10L10 0V10H0ZM80 5L90 0V10H80Z");
  assert.deepEqual(shape.last, { x: 90, y: 0 });
  assert.deepEqual(geometry.lineShape([], box), { line: "", area: "", last: null });
});

test("parts are to scale, what is not nothing is seen, and all of it fits", () => {
  assert.deepEqual(geometry.toScale([50, 50], 200, 100), [
    { x: 0, width: 25, isWidened: false },
    { x: 25, width: 25, isWidened: false },
  ]);
  const [large, small, none] = geometry.toScale([999_999, 1, 0], 1_000_000, 100);
  assert.deepEqual(small, { x: 98, width: 2, isWidened: true });
  assert.deepEqual([large.width, none.width], [98, 0]);
  assert.deepEqual(
    geometry.toScale([80, 40], 100, 100).map((piece) => piece.width),
    [80, 40],
    "never hidden",
  );
  assert.deepEqual(
    geometry.toScale([0, 0], 0, 100).map((piece) => piece.width),
    [0, 0],
  );
});

test("bars, divisions, sparks and the nearest point", () => {
  assert.deepEqual(
    geometry.bars([0, 1, 100], { width: 30, height: 10, gap: 1 }).map((bar) => bar.height),
    [0, 1.5, 10],
  );
  assert.deepEqual(geometry.divisions(4, 10, 40), [20, 30, 40]);
  assert.deepEqual(geometry.divisions(40, 10, 40), []);
  assert.deepEqual(geometry.divisions(1, 0, 40), []);
  assert.equal(geometry.sparkLine([1, 3, 2], { width: 10, height: 4 }), "M0 4L5 0L10 2");
  assert.equal(geometry.sparkLine([2, 2], { width: 10, height: 4 }), "M0 2L10 2");
  assert.equal(geometry.sparkLine([2], { width: 10, height: 4 }), "");
  const points = [
    [0, 1],
    [40, null],
    [100, 2],
  ].map(([at, value]) => ({ at, value }));
  assert.equal(geometry.nearest(points, 0.45, 0, 100), 0);
  assert.equal(geometry.nearest(points, 0.9, 0, 100), 2);
  assert.equal(geometry.nearest([], 0.9, 0, 100), -1);
});

// ---- verdicts ------------------------------------------------------------------------------

const store = (state, { degradations = [], read_only = null } = {}) => ({
  process: { state },
  degradations,
  read_only,
});

test("the headline is as bad as the state, and old news is no state", () => {
  for (const [state, level] of [
    ["ready", "ok"],
    ["degraded", "degraded"],
    ["failing", "failing"],
    ["starting", "waiting"],
    ["draining", "waiting"],
    ["new", "silent"],
  ]) {
    assert.equal(verdict.storeVerdict(store(state), 1000, 2000).level, level, state);
  }
  assert.equal(verdict.storeVerdict(null, null, 5).level, "waiting");
  assert.equal(
    verdict.storeVerdict(store("ready"), 1000, 12_000).level,
    "ok",
    "it says a word every 10 s",
  );
  const silent = verdict.storeVerdict(store("ready"), 1000, 21_000);
  assert.deepEqual(silent, { level: "silent", headline: "No word from the server for 20 s." });
  const closed = store("ready", { read_only: { by: "ada", reason: "moving", since_ms: 1 } });
  assert.equal(verdict.storeVerdict(closed, 1000, 2000).level, "degraded");
});

test("troubles are sentences, the worst first, with what is hidden shown", () => {
  const found = verdict.troubles(
    store("failing", {
      degradations: [
        {
          trouble: "checkpoints have paused",
          document: "a",
          reason: "not equal\u202e",
          since_ms: 1000,
          trial_ms: 25_000,
        },
        {
          trouble: "storage does not take writes",
          document: null,
          reason: "disk full",
          since_ms: 1000,
          trial_ms: null,
        },
      ],
      read_only: { by: "ada", reason: "moving", since_ms: 1000 },
    }),
    13_000,
  );
  assert.deepEqual(
    found.map(({ level, document, title }) => [level, document, title]),
    [
      ["failing", null, "Storage does not take writes."],
      ["degraded", "a", "Checkpoints have paused."],
      ["degraded", null, "The store is read-only."],
    ],
  );
  assert.equal(found[0].text, "Disk full. Since 12 s.");
  assert.equal(found[1].text, "Not equal\u202e. Since 12 s. It tries again by itself in 12 s.");
  assert.equal(found[2].text, "Switched by ada, 12 s ago. Moving.");
});

test("a breaker says what it does next", () => {
  const breaker = (state, failures_in_row, since_ms = null, trial_ms = null) =>
    verdict.breakerSays({ state, failures_in_row, since_ms, trial_ms }, 10_000);
  assert.match(breaker("closed", 0), /when they are due/);
  assert.match(breaker("closed", 2), /last 2 attempts failed/);
  assert.match(breaker("half_open", 2), /under way/);
  assert.equal(
    breaker("open", 2, 4000, 22_000),
    "No attempts since 6 s. It tries again by itself in 12 s.",
  );
  assert.equal(breaker("open", 2, 4000, 9_000), "No attempts since 6 s. It is due to try again.");
});

test("saving says what waits and what was refused", () => {
  const saving = (facts) =>
    verdict.savingSays({
      failures_in_row: 0,
      waiting_updates: 0,
      in_flight_updates: 0,
      on_trial_updates: 0,
      ...facts,
    });
  assert.equal(saving({}), "Everything accepted is on disk.");
  assert.equal(
    saving({ waiting_updates: 1, in_flight_updates: 2 }),
    "3 updates on the way to the disk.",
  );
  assert.match(
    saving({ failures_in_row: 3, waiting_updates: 9 }),
    /refused 3 saves in a row; 9 updates wait/,
  );
  assert.match(saving({ failures_in_row: 1, error: "disk full" }), /tried again\. Disk full\.$/);
  assert.match(saving({ on_trial_updates: 1 }), /1 update on trial/);
});

test("the summary counts and a chart has words", () => {
  const facts = {
    sizes: { documents: 1 },
    process: { open_documents: 1, connections: 0, rooms: 0 },
    sessions: 0,
  };
  assert.match(verdict.storeSummary(facts), /^1 document on this disk.* Nobody is connected\.$/);
  facts.process = { open_documents: 1, connections: 1, rooms: 1 };
  assert.match(verdict.storeSummary(facts), /1 connection is open in 1 room/);
  assert.equal(verdict.chartSays("Queue", null, String), "Queue: no values yet.");
  assert.match(
    verdict.chartSays("Queue", { least: 1, most: 3, last: 2 }, String),
    /now 2, between 1 and 3/,
  );
});

test("only who decides, when they do not, leaves it undecided who may look", () => {
  assert.ok(verdict.isUndecided({ status: 503, word: "unavailable" }));
  assert.ok(verdict.isUndecided({ status: 429, word: "too_many" }));
  for (const word of ["storage", "busy", null]) assert.ok(!verdict.isUndecided({ status: 503, word }));
  assert.ok(!verdict.isUndecided({ status: 401, word: "unauthorized" }));
});

// ---- acts ----------------------------------------------------------------------------------

const ids = (list) => list.map((act) => act.id);
const subject = (facts) => ({
  name: "a/b",
  live: null,
  read_only: null,
  deleted_ms: null,
  ...facts,
});

test("only acts that make sense are offered", () => {
  assert.deepEqual(ids(acts.documentActs(subject({}))), ["compact", "load", "read-only", "delete"]);
  assert.deepEqual(ids(acts.documentActs(subject({ live: {}, read_only: {} }))), [
    "compact",
    "unload",
    "writable",
    "delete",
  ]);
  assert.ok(ids(acts.documentActs(subject({ deleted_ms: 5 }))).includes("forget"));
  assert.deepEqual(ids(acts.storeActs({ read_only: null })), [
    "compact-due",
    "truncate-wal",
    "vacuum",
    "read-only",
  ]);
  assert.ok(ids(acts.storeActs({ read_only: {} })).includes("writable"));
});

test("an act on a document has its name as one segment, and grave ones ask for it", () => {
  const all = acts.documentActs(subject({}));
  assert.equal(all[0].path, "/admin/documents/a%2Fb/compact");
  assert.deepEqual(ids(all.filter((act) => act.asksName)), ["delete"]);
  assert.deepEqual(ids(all.filter((act) => act.asksWhy)), ["read-only"]);
});

test("records are acted on by number and id, and are named in the preview", () => {
  const [release, discard] = acts.entryActs({ number: 7, document: "a" });
  assert.equal(release.path, "/admin/quarantine/7/release");
  assert.equal(discard.path, "/admin/quarantine/7/discard");
  assert.deepEqual([release.isGrave, discard.isGrave], [false, true]);
  const [revoke] = acts.sessionActs({ session: "a/b", user: "e\u202e", document: "a" });
  assert.equal(revoke.path, "/admin/sessions/a%2Fb/revoke");
  assert.equal(
    acts.previewSays(revoke, { result: "would_revoke" }).text,
    "This would revoke the session of e‹U+202E›.",
  );
  assert.equal(
    acts.previewSays(discard, { result: "would_discard" }).text,
    "This would discard update 7.",
  );
  assert.equal(acts.userOf({ user: "" }), "nobody in particular");
});

test("a preview says what would come, or that nothing would", () => {
  const [act] = acts.documentActs(subject({ name: "a\u202e" }));
  assert.deepEqual(acts.previewSays(act, { result: "would_compact" }), {
    isNothing: false,
    text: "This would compact a‹U+202E›.",
  });
  assert.ok(acts.previewSays(act, { result: "noop" }).isNothing);
  assert.match(acts.resultSays(act, { result: "compacted" }), /: compacted\.$/);
  assert.match(acts.resultSays(act, { result: "noop" }), /nothing to do/);
});

test("what failed is said to be refused only when it was", () => {
  const says = (status, word, isTrial = false) =>
    acts.failureSays({ status, word, message: "so it is" }, isTrial);
  for (const status of [400, 403, 404, 409, 422, 429, 507]) {
    assert.equal(says(status, "some"), "It was refused: so it is.");
    assert.equal(says(status, null, true), "It was refused: so it is.");
  }
  assert.equal(says(503, "storage"), "So it is.");
  assert.equal(says(503, "storage", true), "So it is.");
  assert.equal(says(500, "unrecorded"), "So it is.");
  // Nothing tells whether the server was asked before a proxy or the network gave up.
  const unknown = /^It is not known whether it was done: look at the audit\. So it is\.$/;
  for (const status of [0, 500, 502, 503, 504, undefined]) {
    assert.match(says(status, null), unknown);
    assert.equal(says(status, null, true), "What it would do is not known: so it is.");
  }
});
