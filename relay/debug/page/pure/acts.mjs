// What an operator may do, and how each act is put to them before it is done. Pure.

import { sentence } from "./format.mjs";
import { asSegment, visibleText } from "./names.mjs";

/** How many sessions and refused updates of a document the page asks for, and acts on. */
export const RECORDS_MAX = 50;

const DOCUMENT_ACTS = {
  compact: {
    label: "Compact",
    title: "Fold the journal into a snapshot",
    says: "A new snapshot is made, compared with its source and published; then the rows that it holds are removed. No content changes. The breaker starts afresh.",
  },
  load: {
    label: "Load",
    title: "Load it into memory",
    says: "It is read and verified now, so that the next client does not wait for that.",
    when: (document) => document.live === null,
  },
  unload: {
    label: "Unload",
    title: "Drop it from memory",
    says: "Its clients are closed with a transient code and come back by themselves. What is not saved yet is saved first.",
    when: (document) => document.live !== null,
  },
  "read-only": {
    label: "Make read-only",
    title: "Let nobody write to it",
    says: "Edits are refused until it is lifted. Clients stay connected, and send what they have when it is lifted.",
    when: (document) => document.read_only === null,
    asksWhy: true,
  },
  writable: {
    label: "Make writable",
    title: "Let clients write to it again",
    says: "Clients are asked for what they typed meanwhile, and it is stored.",
    when: (document) => document.read_only !== null,
  },
  delete: {
    label: "Delete…",
    title: "Delete it",
    says: "Its content is removed and cannot be brought back. A tombstone stays, which keeps old clients from bringing it back unnoticed.",
    when: (document) => document.deleted_ms === null,
    isGrave: true,
    asksName: true,
  },
  forget: {
    label: "Forget…",
    title: "Forget its tombstone",
    says: "Nothing tells any more that it was deleted. A client that still has it brings it back when it connects.",
    when: (document) => document.deleted_ms !== null,
    isGrave: true,
    asksName: true,
  },
};

const STORE_ACTS = {
  "compact-due": {
    path: "/admin/compact-due",
    label: "Compact what is due",
    title: "Compact every document that is due",
    says: "Documents whose checkpoint is due get it now, one after the other.",
  },
  "truncate-wal": {
    path: "/admin/store/truncate-wal",
    label: "Truncate the WAL",
    title: "Write the WAL into the database file",
    says: "SQLite's WAL is written back and cut to nothing. Commits wait meanwhile.",
  },
  vacuum: {
    path: "/admin/store/vacuum",
    label: "Vacuum…",
    title: "Write the database file anew",
    says: "The file is copied without its free pages, which takes that much room on the disk again for a while. Every write waits meanwhile.",
    isGrave: true,
  },
  "read-only": {
    path: "/admin/store/read-only",
    label: "Make read-only…",
    title: "Let nobody write to any document",
    says: "Every edit is refused until it is lifted. Clients stay connected, and send what they have when it is lifted.",
    when: (storage) => storage.read_only === null,
    isGrave: true,
    asksWhy: true,
  },
  writable: {
    path: "/admin/store/writable",
    label: "Make writable",
    title: "Let clients write again",
    says: "Clients are asked for what they typed meanwhile, and it is stored.",
    when: (storage) => storage.read_only !== null,
  },
};

const ENTRY_ACTS = {
  release: {
    label: "Release…",
    title: "Take a refused update back",
    says: "It is handed to its document again. When the document takes it, its clients get it and the entry goes; when it is refused again, everything stays as it is.",
  },
  discard: {
    label: "Discard…",
    title: "Discard a refused update",
    says: "Its bytes are removed and cannot be brought back. Save them first if somebody may yet want them.",
    isGrave: true,
  },
};

const REVOKE = {
  label: "Revoke…",
  title: "End a session",
  says: "What it has open is closed, and nothing that comes from it later is stored. Whoever still has a good token can begin a new one.",
  isGrave: true,
};

/** The acts that make sense for a document now: [{id, path, document, label, title, says, …}]. */
export function documentActs(document) {
  return sensible(DOCUMENT_ACTS, document).map((act) => ({
    ...act,
    path: `/admin/documents/${asSegment(document.name)}/${act.id}`,
    document: document.name,
  }));
}

/** The same for the store. */
export function storeActs(storage) {
  return sensible(STORE_ACTS, storage).map((act) => ({ ...act, document: null }));
}

/** The same for a refused update that is kept. */
export function entryActs(entry) {
  return sensible(ENTRY_ACTS, entry).map((act) => ({
    ...act,
    path: `/admin/quarantine/${Number(entry.number)}/${act.id}`,
    document: entry.document,
    about: `update ${entry.number}`,
  }));
}

/** The same for a session. */
export function sessionActs(session) {
  return sensible({ revoke: REVOKE }, session).map((act) => ({
    ...act,
    path: `/admin/sessions/${asSegment(session.session)}/revoke`,
    document: session.document,
    about: `the session of ${visibleText(userOf(session))}`,
  }));
}

/** Who a session or a connection is of. */
export function userOf({ user }) {
  return user || "nobody in particular";
}

function sensible(acts, subject) {
  return Object.entries(acts)
    .map(([id, act]) => ({ id, isGrave: false, asksName: false, asksWhy: false, ...act }))
    .filter((act) => act.when?.(subject) ?? true);
}

/** What a dry run says would come: {isNothing, text}. */
export function previewSays(act, preview) {
  if (preview.result === "noop")
    return { isNothing: true, text: "There is nothing to do: it would change nothing." };
  const what = preview.result.replace(/^would_/, "").replaceAll("_", " ");
  const about = act.about ?? (act.document === null ? null : visibleText(act.document));
  return { isNothing: false, text: `This would ${what}${about === null ? "" : ` ${about}`}.` };
}

/** What came of it. */
export function resultSays(act, answer) {
  const what = String(answer.result ?? "done").replaceAll("_", " ");
  if (answer.result === "noop") return `${act.title}: there was nothing to do.`;
  return `${act.title}: ${what}.`;
}

/**
 * What an error of an act says of the act: {status, word, message}. `isTrial` of a dry run, of
 * which it is known that it does nothing.
 */
export function failureSays({ status, word = null, message }, isTrial) {
  if ((status >= 400 && status < 500) || status === 507) return `It was refused: ${message}.`;
  // These are the server's own sentences; a proxy's answer may come after the server was asked.
  if (word === "unrecorded" || (status === 503 && word !== null)) return sentence(message);
  if (isTrial) return `What it would do is not known: ${message}.`;
  return `It is not known whether it was done: look at the audit. ${sentence(message)}`;
}
