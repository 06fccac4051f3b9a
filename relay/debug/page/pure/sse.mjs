// Server-sent events out of a stream of text, as the HTML standard reads them. Pure.

// A document with 500 clients and 200 traces is some 200 KB; what is far beyond is not our server.
const BUFFER_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Takes pieces of text as they come and returns the events that are whole. */
export class EventParser {
  #rest = "";
  #event = "";
  #data = [];

  /** Return [{event, data}, …]. Throws RangeError when one line has no end. */
  push(text) {
    this.#rest += text;
    const found = [];
    for (;;) {
      const end = this.#rest.search(/\r\n|\n|\r(?!$)/);
      if (end < 0) break;
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + (this.#rest.startsWith("\r\n", end) ? 2 : 1));
      this.#take(line, found);
    }
    if (this.#rest.length > BUFFER_CHARACTERS_MAX) throw new RangeError("a line without an end");
    return found;
  }

  #take(line, found) {
    if (line === "") {
      if (this.#data.length > 0) {
        found.push({ event: this.#event || "message", data: this.#data.join("\n") });
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === "event") this.#event = value ?? "";
    else if (field === "data") this.#data.push(value ?? "");
  }
}

/** How long to wait before the attempt after so many failures, in milliseconds. */
export function pauseAfter(failures) {
  return Math.min(15_000, 500 * 2 ** Math.min(failures, 10));
}
