// One document: what is stored of it, to scale, and how that came about.

import { h } from "../dom.mjs";
import { bytes, count, counted } from "../pure/format.mjs";

import { documentActs } from "../pure/acts.mjs";
import { isAddressable } from "../pure/names.mjs";
import { hrefOf } from "../pure/route.mjs";
import { HEALTH_SAYS, MODE_SAYS, savingSays } from "../pure/verdict.mjs";
import { writesSpark } from "./charts.mjs";
import { aboutSheets } from "./document_about.mjs";
import { checkpoints, toScaleSheet } from "./document_stored.mjs";
import { clients, raw, traces } from "./document_life.mjs";
import { records } from "./document_records.mjs";
import { mark, moment, nameOf, said, unreadable } from "./parts.mjs";

/** The whole page; `state.document` is {name, facts, error}, facts null while nothing came. */
export function documentPage(state, commands) {
  const { name } = state.route;
  // Between one document and the next, nothing of the one stands under the name of the other.
  const { facts, error } =
    state.document.name === name ? state.document : { facts: null, error: null };
  return [
    head(name, facts, state),
    error === null
      ? null
      : h(
          "p",
          { class: "because", "data-level": "failing" },
          `${facts === null ? "Its facts did not come" : "What follows is old"}: ${error}.`,
        ),
    unreadable(state),
    facts === null ? null : body(facts, state, commands),
  ];
}

function head(name, facts, state) {
  return h(
    "header",
    { class: "document-head" },
    h("p", { class: "crumb" }, h("a", { href: hrefOf(state.lastList) }, "Documents")),
    h("h1", { tabindex: "-1" }, nameOf(name)),
    facts === null
      ? null
      : [
          h(
            "p",
            { class: "lede" },
            mark(facts.health),
            h("span", null, HEALTH_SAYS[facts.health]),
            h("span", { class: "tag" }, MODE_SAYS[facts.mode]),
            facts.is_live ? h("span", { class: "tag" }, "in memory") : null,
            facts.read_only === null ? null : h("span", { class: "tag warn" }, "read-only"),
            facts.is_unvouched ? h("span", { class: "tag warn" }, "not tried yet") : null,
          ),
          facts.because.length === 0
            ? null
            : h(
                "ul",
                { class: "because", "data-level": facts.health },
                facts.because.map((why) => h("li", null, said(why))),
              ),
          facts.unreadable.length === 0
            ? null
            : h(
                "ul",
                { class: "because", "data-level": "degraded", "aria-label": "What is not known" },
                facts.unreadable.map((what) => h("li", null, said(what))),
              ),
        ],
  );
}

function body(facts, state, commands) {
  const { nowMs } = state;
  return [
    strip(facts, nowMs),
    toScaleSheet(facts),
    h(
      "div",
      { class: "pair section" },
      h("div", { class: "stack" }, checkpoints(facts, nowMs), clients(facts, nowMs), traces(facts)),
      h(
        "div",
        { class: "stack" },
        state.me?.may_act ? acting(facts, commands) : null,
        aboutSheets(facts, nowMs),
      ),
    ),
    state.me?.may_act ? records(facts, state, nowMs, commands) : null,
    raw(facts, state.rawIsOpen, commands),
  ];
}

function strip(facts, nowMs) {
  const { journal, snapshot, live, content } = facts;
  const cell = (term, value, note) =>
    h("div", null, h("dt", null, term), h("dd", null, value, h("small", null, note)));
  return h(
    "dl",
    { class: "strip" },
    cell("Journal", bytes(journal.bytes), [
      counted(journal.rows, "row"),
      journal.is_alarming ? ", far too long" : "",
    ]),
    cell(
      "Snapshot",
      snapshot === null ? "none" : bytes(snapshot.raw_bytes),
      snapshot === null ? "everything is in the journal" : `${bytes(snapshot.stored_bytes)} stored`,
    ),
    cell(
      "Newest row",
      count(facts.last_seq),
      live === null ? "not in memory" : savingSays(live.saving),
    ),
    cell("Last written", moment(facts.updated_ms, nowMs), [
      "created ",
      moment(facts.created_ms, nowMs),
    ]),
    cell(
      "Clients",
      count(facts.connection_count),
      live === null ? "nobody has it open" : counted(live.awareness_clients, "cursor"),
    ),
    cell(
      "Pending",
      content === null ? "not known" : bytes(content.pending_bytes),
      content?.pending_bytes > 0 ? "waits for what has not come" : "nothing waits for predecessors",
    ),
    h("div", null, h("dt", null, "Writes, 5 min"), h("dd", null, writesSpark(facts.writes))),
  );
}

function acting(facts, commands) {
  const acts = documentActs(facts);
  return h(
    "section",
    { class: "sheet" },
    h("h2", null, "Act on it"),
    isAddressable(facts.name)
      ? [
          h(
            "p",
            { class: "note" },
            "Each first shows what it would do, and is written down with your name.",
          ),
          h(
            "div",
            { class: "buttons top-gap" },
            acts.map((act) =>
              h(
                "button",
                { type: "button", "data-key": act.id, onclick: () => commands.propose(act) },
                act.label,
              ),
            ),
          ),
        ]
      : h(
          "p",
          { class: "note" },
          "No address in a browser can hold this name. Use the command line.",
        ),
  );
}
