// The last minutes of what the server told, for the charts. Pure: a new value for each change.

/** How far back the charts go. */
export const WINDOW_MS = 3 * 60_000;
// Where nothing changes, the server says so every 10 s.
/** A longer silence is a gap in the line, not a line across it. */
export const GAP_MS = 13_000;
const SAMPLES_MAX = 400;
const DOCUMENTS_MAX = 500;
const SIZES_MAX = 60;

export const EMPTY_HISTORY = { startedMs: null, samples: [], last: null };

/** Return the history with one more answer of the server in it. */
export function remember(history, storage) {
  // Another process counts from zero; what was before would be a negative rate.
  const isSame = history.startedMs === storage.process.started_ms;
  const before = isSame ? history.last : null;
  if (before !== null && storage.at_ms <= before.at_ms) return history;
  const samples = (isSame ? history.samples : []).filter(
    (sample) => sample.at > storage.at_ms - WINDOW_MS - GAP_MS,
  );
  samples.push(sampleOf(storage, before));
  return {
    startedMs: storage.process.started_ms,
    samples: samples.slice(-SAMPLES_MAX),
    last: storage,
  };
}

/** Mean of what came between two cumulated distributions; null when nothing did. */
export function meanBetween(before, after) {
  if (!before || after.count <= before.count) return null;
  const total = after.mean * after.count - (before.mean ?? 0) * before.count;
  return Math.max(0, total / (after.count - before.count));
}

function sampleOf(storage, before) {
  const { commits, sizes, process } = storage;
  return {
    at: storage.at_ms,
    updates: commits.updates_per_s,
    commits: commits.per_s,
    commit: meanBetween(before?.commits.duration_ms, commits.duration_ms),
    fsync: meanBetween(before?.commits.fsync_ms, commits.fsync_ms),
    queue: commits.queue,
    file: sizes.file_bytes,
    wal: sizes.wal_bytes,
    connections: process.connections,
    lag: process.event_loop_lag_ms,
  };
}

/** Points [{at, value}] of one figure; a null value is a gap. */
export function series(history, key) {
  return history.samples.map((sample) => ({ at: sample.at, value: sample[key] }));
}

/** Least, most and last of a series, without its gaps; null when there is nothing. */
export function range(points) {
  const values = points.map((point) => point.value).filter((value) => value !== null);
  if (values.length === 0) return null;
  return { least: Math.min(...values), most: Math.max(...values), last: values.at(-1) };
}

/** Return how the sizes of listed documents went while this page watched, with one more page. */
export function rememberSizes(sizes, documents) {
  const next = new Map(sizes);
  for (const each of documents) {
    const total = each.snapshot_bytes + each.journal.bytes;
    const known = next.get(each.name) ?? [];
    next.delete(each.name); // so that those seen last stand last
    next.set(each.name, [...known, total].slice(-SIZES_MAX));
  }
  for (const name of next.keys()) {
    if (next.size <= DOCUMENTS_MAX) break;
    next.delete(name);
  }
  return next;
}
