// Questions to the server, with the token of this tab.

import { RECORDS_MAX } from "./pure/acts.mjs";
import { asSegment, isAddressable } from "./pure/names.mjs";
import { listQuery } from "./pure/route.mjs";

const TOKEN = "yjs-relay-token";
const PAGE_ROWS = 50;

/**
 * The server said no, or nothing: `status` is 0 when it was not reached; `word` is its word for
 * programs, null where the answer is not one of its own.
 */
export class Refused extends Error {
  constructor(status, message, word = null) {
    super(message);
    this.status = status;
    this.word = word;
  }
}

// A browser that blocks the data of sites throws at each touch: then it holds until the page is left.
let held = null;

/** The token that the reader has given; sessionStorage forgets it with the tab. */
export const token = {
  get() {
    return stored((storage) => storage.getItem(TOKEN)) ?? held;
  },
  set(text) {
    held = text;
    stored((storage) => storage.setItem(TOKEN, text));
  },
  forget() {
    held = null;
    stored((storage) => storage.removeItem(TOKEN));
  },
};

function stored(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

/** What every request carries; a token never stands in an address. */
export function headers() {
  const given = token.get();
  return given === null ? {} : { Authorization: `Bearer ${given}` };
}

/** Who asks, and what they may do. */
export const askMe = () => ask("/debug/me");

/** The store as a whole. */
export const askStorage = (signal) => ask("/debug/storage", { signal });

/** One page of the list. */
export function askDocuments(route, signal) {
  const query = listQuery(route);
  query.set("limit", String(PAGE_ROWS));
  return ask(`/debug/documents?${query}`, { signal });
}

/** Everything about one document; null for a name that no path can hold (the stream can). */
export function askDocument(name, signal) {
  if (!isAddressable(name)) return Promise.resolve(null);
  return ask(`/debug/documents/${asSegment(name)}`, { signal });
}

/** Refused updates of one document that are kept. */
export function askQuarantine(name) {
  return askRecords("/admin/quarantine", name);
}

/** Who is admitted to one document. */
export function askSessions(name) {
  return askRecords("/admin/sessions", name);
}

function askRecords(path, name) {
  const query = new URLSearchParams({ document: name, limit: String(RECORDS_MAX) });
  return ask(`${path}?${query}`);
}

/** The bytes of one of them. */
export async function askQuarantined(number) {
  return (await answered(`/admin/quarantine/${Number(number)}`, {})).blob();
}

/** Do an act, or have it tried without doing it. */
export function act(path, { isDry = false, reason = null } = {}) {
  const query = new URLSearchParams();
  if (isDry) query.set("dry_run", "1");
  if (reason) query.set("reason", reason);
  const asked = query.size > 0 ? `${path}?${query}` : path;
  return ask(asked, { method: "POST" });
}

async function ask(path, options = {}) {
  const response = await answered(path, options);
  return response.json();
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, {
      ...options,
      headers: headers(),
      cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "the server cannot be reached");
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

async function refusalOf(response) {
  const { status } = response;
  try {
    const { message, error } = await response.json();
    if (typeof message === "string" && typeof error === "string") {
      return new Refused(status, message, error);
    }
  } catch {
    // Said below.
  }
  return new Refused(status, `the server answered ${status}`); // not one of its own refusals
}
