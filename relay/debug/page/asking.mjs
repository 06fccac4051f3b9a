// What the page knows, from what the server says when asked and by itself.

import { askDocument, askDocuments, askQuarantine, askSessions, askStorage } from "./api.mjs";
import { counted } from "./pure/format.mjs";
import { remember, rememberSizes } from "./pure/history.mjs";
import { visibleText } from "./pure/names.mjs";
import { hrefOf } from "./pure/route.mjs";
import { storeVerdict } from "./pure/verdict.mjs";

/** Keeps `state` up to what it hears; `draw()` after each change, `refused(error)` of a 401. */
export class Asking {
  #state;
  #draw;
  #announce;
  #refused;
  #listing = null; // the question for the list that is under way
  #recordsAsked = 0;

  constructor(state, { draw, announce, refused }) {
    this.#state = state;
    this.#draw = draw;
    this.#announce = announce;
    this.#refused = refused;
  }

  /** Take an event of the stream. */
  hear(event, data) {
    const state = this.#state;
    state.heardMs = Date.now();
    if (event === "refused") return this.#refused(new Error(data.message));
    if (event === "storage") this.#takeStorage(data);
    if (event === "document" && data !== null) this.#takeDocument(data);
    if (event === "gone") state.document = { ...state.document, error: "it is no longer there" };
    state.unreadable = event === "unavailable" ? data.message : null;
    const isNews = event === "undecided" && state.undecided === null;
    if (isNews) this.#announce("Nobody decides whether you may look.");
    state.undecided = event === "undecided" ? data.message : null;
    return this.#draw();
  }

  /** Ask for the store as a whole. */
  async loadStorage() {
    try {
      this.#takeStorage(await askStorage());
      this.#draw();
    } catch {
      // The stream tells when the server is not there.
    }
  }

  /** Ask for the page of the list that the address names; an older question is given up. */
  async loadList() {
    const state = this.#state;
    this.#listing?.abort();
    const asked = (this.#listing = new AbortController());
    const { route } = state;
    state.list = { ...state.list, isWaiting: true };
    this.#draw();
    try {
      this.#takeList(hrefOf(route), await askDocuments(route, asked.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) return this.#refused(error);
      state.list = { ...state.list, error: error.message, isWaiting: false };
    }
    this.#draw();
  }

  /** Ask for the document that is shown. */
  async loadDocument() {
    const state = this.#state;
    const { name } = state.document;
    try {
      const facts = await askDocument(name);
      if (facts !== null) this.#takeDocument(facts);
    } catch (error) {
      if (error.status === 401) return this.#refused(error);
      // Who has gone on meanwhile is not told.
      if (name === state.document.name)
        state.document = { ...state.document, error: error.message };
    }
    this.#draw();
  }

  /** Ask again for what only who may act is told of the document that is shown. */
  async loadRecords() {
    const state = this.#state;
    const { name } = state.document;
    const asked = (this.#recordsAsked += 1);
    const [quarantine, sessions] = await Promise.allSettled([
      askQuarantine(name),
      askSessions(name),
    ]);
    // Who has gone on meanwhile is not told, and an older answer does not replace a newer one.
    if (asked !== this.#recordsAsked || name !== state.document.name) return;
    state.quarantine = quarantine.value?.entries ?? null; // the count stands beside it all the same
    state.sessions = sessions.value?.sessions ?? null;
    this.#draw();
  }

  #takeStorage(storage) {
    const state = this.#state;
    state.storage = storage;
    state.toldMs = Date.now();
    state.skewMs = storage.at_ms - state.toldMs;
    state.history = remember(state.history, storage);
    const { level, headline } = storeVerdict(storage, state.toldMs, state.toldMs);
    if (state.level !== null && state.level !== level) this.#announce(headline);
    state.level = level;
  }

  #takeList(key, page) {
    const state = this.#state;
    const isNew = state.list.key !== key;
    state.list = { page, key, error: null, isWaiting: false };
    state.sizes = rememberSizes(state.sizes, page.documents);
    if (isNew) this.#announce(`${counted(page.documents.length, "document")} listed.`);
  }

  #takeDocument(facts) {
    const state = this.#state;
    if (facts.name !== state.document.name) return; // who asked has gone on
    const before = state.document.facts;
    state.document = { name: facts.name, facts, error: null };
    if (before !== null && before.health !== facts.health) {
      this.#announce(`${visibleText(facts.name)} is ${facts.health}.`);
    }
    if (state.me?.may_act && recordsIn(before) !== recordsIn(facts)) this.loadRecords();
  }
}

// What tells that sessions or refused updates have come or gone.
function recordsIn(facts) {
  if (facts === null) return null;
  const admitted = facts.live?.connections.map((each) => each.session) ?? [];
  return JSON.stringify([facts.quarantined, ...admitted.sort()]);
}
