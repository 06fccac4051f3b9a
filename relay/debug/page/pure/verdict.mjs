// What the state of things comes to, in words for people. Pure.

import { ago, count, counted, sentence, span } from "./format.mjs";

// Where nothing changes the server says so every 10 s.
/** After so long without a word from it, what is shown is old news. */
export const SILENT_MS = 15_000;

const HEADLINES = {
  starting: ["waiting", "It is starting."],
  ready: ["ok", "All is well."],
  degraded: ["degraded", "Everything is safe, and something wants a look."],
  failing: ["failing", "Edits are not becoming durable."],
  draining: ["waiting", "It is shutting down in good order."],
};

/** What each health of a document says to somebody who sees the word for the first time. */
export const HEALTH_SAYS = {
  ok: "Everything that was accepted is durable.",
  degraded: "Nothing is lost; somebody should look.",
  failing: "Edits are not becoming durable.",
  unavailable: "It cannot be opened until somebody acts.",
  deleted: "It was deleted; what stands here keeps it from coming back.",
};

/** And each way in which it is stored. */
export const MODE_SAYS = {
  sql: "stored here",
  fresh: "nothing is stored yet",
  "kv-migrated": "moved here from another format",
  "kv-fallback": "relayed without being stored",
};

/** The worst of it in one word and one sentence: {level, headline}. */
export function storeVerdict(storage, heardMs, localMs) {
  if (storage === null) return { level: "waiting", headline: "Waiting for the first word." };
  const silence = localMs - heardMs;
  if (silence > SILENT_MS) {
    return { level: "silent", headline: `No word from the server for ${span(silence)}.` };
  }
  const [level, headline] = HEADLINES[storage.process.state] ?? [
    "silent",
    "Its state is not known.",
  ];
  if (level === "ok" && storage.read_only)
    return { level: "degraded", headline: "Nothing is written: it is read-only." };
  return { level, headline };
}

/** Whether an error of asking means that nobody has decided yet who may look: {status, word}. */
export function isUndecided({ status, word }) {
  return (status === 503 && word === "unavailable") || (status === 429 && word === "too_many");
}

/** What the store holds and does, in one or two sentences. */
export function storeSummary({ sizes, process, sessions }) {
  const held = `${counted(sizes.documents, "document")} on this disk, ${count(process.open_documents)} of them in memory.`;
  if (process.connections === 0) return `${held} Nobody is connected.`;
  const who = process.connections === 1 ? "connection is" : "connections are";
  return `${held} ${count(process.connections)} ${who} open in ${counted(process.rooms, "room")}, with ${counted(sessions, "active session")}.`;
}

/**
 * What is wrong, the worst first: [{level, document, title, text}]. `document` is a name or null.
 */
export function troubles(storage, nowMs) {
  const found = storage.degradations.map((each) => troubleOf(each, nowMs));
  if (storage.read_only) {
    const { by, reason, since_ms } = storage.read_only;
    const text = `Switched by ${by}, ${ago(since_ms, nowMs)}. ${sentence(reason)}`;
    found.push({ level: "degraded", document: null, title: "The store is read-only.", text });
  }
  return found.sort((a, b) => (a.level === b.level ? 0 : a.level === "failing" ? -1 : 1));
}

function troubleOf({ trouble, document, reason, since_ms, trial_ms }, nowMs) {
  const said = [sentence(reason)];
  if (since_ms !== null) said.push(`Since ${span(nowMs - since_ms)}.`);
  if (trial_ms !== null) said.push(trialSays(trial_ms, nowMs));
  // The store's own failing is the one trouble in which edits wait.
  const level = document === null && /not take writes/.test(trouble) ? "failing" : "degraded";
  return { level, document, title: sentence(trouble), text: said.join(" ") };
}

/** What a breaker does now and next. */
export function breakerSays(breaker, nowMs) {
  if (breaker.state === "half_open") return "An attempt is under way; it decides.";
  if (breaker.state === "open") {
    const since = breaker.since_ms === null ? "" : ` since ${span(nowMs - breaker.since_ms)}`;
    return `No attempts${since}. ${breaker.trial_ms === null ? "" : trialSays(breaker.trial_ms, nowMs)}`.trim();
  }
  if (breaker.failures_in_row === 0) return "Attempts are made when they are due.";
  const failed =
    breaker.failures_in_row === 1 ? "attempt" : `${count(breaker.failures_in_row)} attempts`;
  return `The last ${failed} failed; attempts go on.`;
}

function trialSays(trialMs, nowMs) {
  return trialMs <= nowMs
    ? "It is due to try again."
    : `It tries again by itself ${ago(trialMs, nowMs)}.`;
}

/** How saving goes, for a document in memory. */
export function savingSays({
  failures_in_row,
  error,
  waiting_updates,
  in_flight_updates,
  on_trial_updates,
}) {
  const waits = waiting_updates + in_flight_updates;
  const tried = on_trial_updates > 0 ? ` ${counted(on_trial_updates, "update")} on trial.` : "";
  if (failures_in_row > 0) {
    return `Storage has refused ${counted(failures_in_row, "save")} in a row; ${counted(waits, "update")} wait and are tried again.${error ? ` ${sentence(error)}` : ""}${tried}`;
  }
  if (waits > 0) return `${counted(waits, "update")} on the way to the disk.${tried}`;
  return `Everything accepted is on disk.${tried}`;
}

/** What a person who cannot see a chart is told of it. */
export function chartSays(title, found, show) {
  if (found === null) return `${title}: no values yet.`;
  return `${title}: now ${show(found.last)}, between ${show(found.least)} and ${show(found.most)} in the last three minutes.`;
}
