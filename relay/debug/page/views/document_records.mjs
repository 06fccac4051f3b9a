// What only who may act is told of a document: who is admitted to it, and what it refused.

import { h } from "../dom.mjs";
import { RECORDS_MAX, entryActs, sessionActs, userOf } from "../pure/acts.mjs";
import { bytes, count, counted } from "../pure/format.mjs";
import { moment, said, table } from "./parts.mjs";

const SESSION_HEADS = [
  { text: "Who" },
  { text: "May" },
  { text: "Since" },
  { text: "Until" },
  { text: "Open", isNumber: true },
  { text: "" },
];
const ENTRY_HEADS = [
  { text: "Number" },
  { text: "Why" },
  { text: "Sender" },
  { text: "Last seen" },
  { text: "Size", isNumber: true },
  { text: "" },
];

/** The sheets of both; what did not come, or is nothing, is left out. */
export function records(facts, { sessions, quarantine, notSaved }, nowMs, commands) {
  return [
    sessions === null ? null : sessionSheet(facts, sessions, nowMs, commands),
    facts.quarantined === 0 || quarantine === null
      ? null
      : quarantineSheet(facts, quarantine, notSaved, nowMs, commands),
  ];
}

function sessionSheet(facts, sessions, nowMs, commands) {
  if (sessions.length === 0) {
    return section("Sessions", h("p", { class: "note" }, "Nobody is admitted to it."));
  }
  const caption = counted(sessions.length, "active session");
  return section(
    "Sessions",
    table(
      "session-caption",
      sessions.length < RECORDS_MAX ? caption : `The first ${caption}; the command line lists all`,
      SESSION_HEADS,
      sessions.map((each) => sessionRow(facts, each, nowMs, commands)),
      { isTall: true },
    ),
  );
}

function sessionRow({ live }, each, nowMs, commands) {
  const open = live?.connections.filter((one) => one.session === each.session).length ?? 0;
  const id = `session-${each.session}`;
  return h(
    "tr",
    { "data-key": id },
    h(
      "th",
      { scope: "row", id },
      said(userOf(each)),
      h(
        "p",
        { class: "why" },
        Object.entries(each.details).map(([what, text]) => [said(`${what}: ${text}`), " "]),
      ),
    ),
    h(
      "td",
      null,
      h("span", { class: each.permission === "admin" ? "tag warn" : "tag" }, each.permission),
    ),
    h("td", null, moment(each.created_ms, nowMs)),
    h("td", null, moment(each.expires_ms, nowMs)),
    h("td", { class: "number" }, open === 0 ? "–" : count(open)),
    h("td", null, actButtons(sessionActs(each), id, commands)),
  );
}

function quarantineSheet(facts, kept, notSaved, nowMs, commands) {
  const caption = `${counted(facts.quarantined, "refused update")} kept`;
  return section(
    "Quarantine",
    table(
      "quarantine-caption",
      facts.quarantined <= RECORDS_MAX ? caption : `${caption}, the oldest of them listed`,
      ENTRY_HEADS,
      kept.map((entry) => entryRow(entry, nowMs, commands)),
    ),
    notSaved === null ? null : h("p", { class: "note", role: "alert" }, said(notSaved)),
  );
}

function entryRow(entry, nowMs, commands) {
  const id = `entry-${entry.number}`;
  const save = h(
    "button",
    {
      type: "button",
      class: "small",
      "aria-describedby": id,
      onclick: () => commands.download(entry),
    },
    "Save bytes",
  );
  return h(
    "tr",
    { "data-key": id },
    h("th", { scope: "row", id }, count(entry.number)),
    h("td", null, said(entry.problem ?? entry.reason)),
    h("td", null, said(entry.sender)),
    h(
      "td",
      null,
      moment(entry.last_seen_ms, nowMs),
      entry.times > 1 ? `, ${count(entry.times)} times` : null,
    ),
    h("td", { class: "number" }, bytes(entry.byte_length)),
    h("td", null, actButtons(entryActs(entry), id, commands, save)),
  );
}

/** The buttons of a row, for who hears them described by its heading. */
function actButtons(acts, id, commands, first = null) {
  return h(
    "div",
    { class: "buttons of-row" },
    first,
    acts.map((act) =>
      h(
        "button",
        {
          type: "button",
          class: "small",
          "data-key": act.id,
          "aria-describedby": id,
          onclick: () => commands.propose(act),
        },
        act.label,
      ),
    ),
  );
}

function section(title, ...content) {
  return h("section", { class: "sheet section" }, h("h2", null, title), content);
}
