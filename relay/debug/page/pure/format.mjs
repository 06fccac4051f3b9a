// Figures as people read them. Pure: what time it is, is an argument.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What stands where there is no value. */
export const NOTHING = "–";

/** 12402 → "12,402". */
export function count(value) {
  return value === null || value === undefined ? NOTHING : WHOLE.format(value);
}

/** 1, "row" → "1 row"; 2, "row" → "2 rows"; the plural may be given. */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Three digits that count: 0.42, 4.2, 42, 420. */
export function figure(value) {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.005) return "<0.01";
  if (size >= 99.5) return WHOLE.format(value);
  if (size >= 9.95) return trimmed(value, 1);
  return trimmed(value, 2);
}

function trimmed(value, digits) {
  return value.toFixed(digits).replace(/\.?0+$/, "");
}

/** A length: 1536 → "1.5 KiB". */
export function bytes(value) {
  if (value === null || value === undefined) return NOTHING;
  let scaled = value;
  let unit = 0;
  // 1023.6 KiB would be written as 1,024 KiB.
  while (Math.abs(scaled) >= 1023.5 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count(scaled) : figure(scaled)} ${UNITS[unit]}`;
}

/** A measured duration: "0.42 ms", "1.3 s", "2 min 5 s". */
export function duration(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  if (ms < 999.5) return `${figure(ms)} ms`;
  if (ms < MINUTE) return `${figure(ms / SECOND)} s`;
  return span(ms);
}

/** Several durations in one line: "1.6 · 2.9 · 7.2 ms", each with its unit when they differ. */
export function durations(list) {
  if (list.some((ms) => ms >= 999.5)) return list.map(duration).join(" · ");
  return `${list.map(figure).join(" · ")} ms`;
}

/** A length of time in its two largest units: "3 d 4 h", "12 s". */
export function span(ms) {
  const whole = Math.max(0, Math.floor(ms / SECOND)) * SECOND;
  if (whole < MINUTE) return `${whole / SECOND} s`;
  if (whole < HOUR) return twoUnits(whole, MINUTE, "min", SECOND, "s");
  if (whole < DAY) return twoUnits(whole, HOUR, "h", MINUTE, "min");
  return twoUnits(whole, DAY, "d", HOUR, "h");
}

function twoUnits(ms, large, largeName, small, smallName) {
  const rest = Math.floor((ms % large) / small);
  const head = `${count(Math.floor(ms / large))} ${largeName}`;
  return rest === 0 ? head : `${head} ${rest} ${smallName}`;
}

/** "just now", "4 s ago", "in 12 s". */
export function ago(thenMs, nowMs) {
  if (thenMs === null || thenMs === undefined) return NOTHING;
  const passed = nowMs - thenMs;
  if (Math.abs(passed) < SECOND) return "just now";
  return passed > 0 ? `${span(passed)} ago` : `in ${span(-passed)}`;
}

/** A share of 0 to 1, in percent. */
export function share(value) {
  if (value === null || value === undefined) return NOTHING;
  const percent = 100 * value;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  return `${trimmed(percent, 1)} %`;
}

/** "2026-11-21 19:54:44", where the reader is. */
export function clock(ms) {
  if (ms === null || ms === undefined) return NOTHING;
  const at = new Date(ms);
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** "journal_rows_before" → "journal rows before". */
export function words(key) {
  return String(key)
    .replace(/_(ms|s)$/, "")
    .replaceAll("_", " ");
}

/** A fact by what its key says of its unit; text is told apart from figures by the caller. */
export function fact(key, value) {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value !== "number") return String(value);
  if (/(^|_)(bytes|byte_length)(_|$)/.test(key)) return bytes(value);
  // Times are milliseconds since 1970, durations are not: none lasts for thirty years.
  if (/_ms$/.test(key)) return value > 30 * 365 * DAY ? clock(value) : duration(value);
  if (/_s$/.test(key)) return duration(value * SECOND);
  return Number.isInteger(value) ? count(value) : figure(value);
}

/** Upper-case the first letter; what the server says begins in the middle of a sentence. */
export function sentence(text) {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}
