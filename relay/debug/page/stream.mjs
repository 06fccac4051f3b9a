// The server's stream of events while the page is looked at, and polling where there is none.

import { headers, askStorage, askDocument } from "./api.mjs";
import { EventParser, pauseAfter } from "./pure/sse.mjs";
import { isUndecided } from "./pure/verdict.mjs";

const POLL_MS = 3_000;
// A proxy may let a stream through and keep what it says to itself; the first word comes at once.
const FIRST_WORD_MS = 3_000;
// A stream says something every 10 s at least; one that does not is dead without a word.
const SILENT_MS = 25_000;

/**
 * Follow the store, and one document if it is named, until stopped. `hear(event, data)` gets
 * what came by its name; `note(how)` gets "live", "polling" or "lost"; `refuse(error)` ends it.
 * Attempts at a stream are ever rarer; polls are not.
 */
export class Stream {
  #stop = new AbortController();
  #polling = null; // ends the polls, while there are any
  #hear;
  #note;
  #refuse;
  #document;

  constructor(document, { hear, note, refuse }) {
    this.#document = document;
    this.#hear = hear;
    this.#note = note;
    this.#refuse = refuse;
    this.#follow();
  }

  stop() {
    this.#stop.abort();
  }

  async #follow() {
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      const late = setTimeout(() => this.#poll(), FIRST_WORD_MS);
      try {
        await this.#read(() => {
          failures = 0;
          clearTimeout(late);
          this.#polling?.abort();
          this.#polling = null;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401 || error.status === 403) return this.#refuse(error);
      } finally {
        clearTimeout(late);
      }
      if (signal.aborted) return;
      // A proxy may not let streams through, while ordinary requests work.
      this.#poll();
      await pause(pauseAfter(failures), signal);
      failures += 1;
    }
  }

  async #read(isAlive) {
    const watch = new Watch(this.#stop.signal);
    try {
      const query =
        this.#document === null ? "" : `?${new URLSearchParams({ document: this.#document })}`;
      const response = await fetch(`/debug/stream${query}`, {
        headers: { ...headers(), Accept: "text/event-stream" },
        signal: watch.signal,
        cache: "no-store",
        redirect: "error",
      });
      if (!response.ok) throw Object.assign(new Error("refused"), { status: response.status });
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        watch.reset();
        for (const { event, data } of parser.push(value)) {
          isAlive();
          this.#note("live");
          this.#hear(event, JSON.parse(data));
        }
      }
    } finally {
      watch.end();
    }
  }

  /** Ask now and then until a stream speaks; whoever polls already goes on. */
  async #poll() {
    if (this.#polling !== null) return;
    const own = (this.#polling = new AbortController());
    const signal = AbortSignal.any([this.#stop.signal, own.signal]);
    while (!signal.aborted) {
      await this.#ask(signal);
      await pause(POLL_MS, signal);
    }
  }

  async #ask(signal) {
    // What comes after the stream has spoken is older than what that said.
    const hear = (event, data) => signal.aborted || this.#hear(event, data);
    try {
      hear("storage", await askStorage(signal));
      if (this.#document !== null) hear("document", await askDocument(this.#document, signal));
      if (!signal.aborted) this.#note("polling");
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401 || error.status === 403) return this.#refuse(error);
      // A document that is gone (404) is the view's to tell; it asks for itself.
      if (isUndecided(error)) this.#hear("undecided", error);
      else if (error.status !== 404) this.#note("lost");
    }
  }
}

/** A signal that also fires when nothing has come for a while. */
class Watch {
  #own = new AbortController();
  #timer;
  signal;

  constructor(outer) {
    this.signal = AbortSignal.any([outer, this.#own.signal]);
    this.reset();
  }

  reset() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#own.abort(), SILENT_MS);
  }

  end() {
    clearTimeout(this.#timer);
    this.#own.abort(); // lets go of the socket, whatever ended the reading
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
