// The list of documents: searched, sorted, by pages.

import { h } from "../dom.mjs";
import { bytes, count, counted } from "../pure/format.mjs";
import { HEALTH_SAYS, MODE_SAYS } from "../pure/verdict.mjs";
import { sizeSpark, tape, writesSpark } from "./charts.mjs";
import { linkTo, mark, moment, said } from "./parts.mjs";

const SORT_SAYS = {
  name: "Name",
  updated: "Last written",
  bytes: "Size",
  journal: "Length of the journal",
};

/** The whole page; `state.list` is {route, page, error}, page null while nothing came. */
export function documentsPage(state, commands) {
  const { route, list } = state;
  return [
    h(
      "header",
      { class: "list-head" },
      h("h1", { tabindex: "-1" }, "Documents"),
      h(
        "p",
        { class: "note" },
        list.page === null ? "" : `${count(list.page.total)} in the store, tombstones among them`,
      ),
    ),
    filters(route, commands),
    list.error === null
      ? null
      : h(
          "p",
          { class: "because", "data-level": "failing" },
          `The list did not come: ${list.error}.`,
        ),
    h(
      "div",
      { class: "sheet", "aria-busy": String(list.isWaiting) },
      list.page === null ? null : listing(state),
    ),
    list.page === null ? null : pager(state, commands),
  ];
}

function filters(route, commands) {
  const go = (change) => commands.go({ ...route, after: null, ...change }, { isTyping: true });
  return h(
    "form",
    { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
    h(
      "label",
      { class: "field grow" },
      h("span", null, "Name begins with"),
      h("input", {
        type: "search",
        id: "prefix",
        value: route.prefix,
        placeholder: "notes/",
        spellcheck: "false",
        autocapitalize: "off",
        autocomplete: "off",
        oninput: (event) => go({ prefix: event.target.value }),
      }),
    ),
    h(
      "label",
      { class: "field sort" },
      h("span", null, "Sorted by"),
      h(
        "select",
        { id: "sort", onchange: (event) => go({ sort: event.target.value }) },
        Object.entries(SORT_SAYS).map(([sort, text]) =>
          h("option", { value: sort, selected: sort === route.sort }, text),
        ),
      ),
    ),
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        id: "trouble",
        checked: route.trouble,
        onchange: (event) => go({ trouble: event.target.checked }),
      }),
      "Only those in trouble",
    ),
  );
}

function listing({ list, sizes, nowMs, route }) {
  const { documents } = list.page;
  if (documents.length === 0) return h("p", { class: "empty" }, emptySays(route));
  const largest = Math.max(...documents.map(totalOf), 1);
  return h(
    "table",
    { class: `documents ${list.isWaiting ? "is-stale" : ""}` },
    h("caption", { class: "unseen" }, `Documents by ${SORT_SAYS[route.sort].toLowerCase()}`),
    h(
      "colgroup",
      null,
      ["col-name", "col-health", "col-writes", "col-size", "col-people", "col-when"].map((cls) =>
        h("col", { class: cls }),
      ),
    ),
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("th", { scope: "col" }, "Name"),
        h("th", { scope: "col", class: "health" }, "Health"),
        h(
          "th",
          { scope: "col", class: "writes" },
          "Writes",
          h("span", { class: "unseen" }, " of the last five minutes"),
        ),
        h("th", { scope: "col" }, "Size"),
        h("th", { scope: "col", class: "number people" }, "Clients"),
        h("th", { scope: "col", class: "number when" }, "Last written"),
      ),
    ),
    h(
      "tbody",
      null,
      documents.map((each) => row(each, largest, sizes.get(each.name) ?? [], nowMs)),
    ),
  );
}

function row(each, largest, sizes, nowMs) {
  const isWell = each.health === "ok";
  return h(
    "tr",
    { "data-key": each.name },
    h(
      "th",
      { scope: "row" },
      linkTo(each.name),
      h(
        "p",
        { class: "why narrow-only" },
        isWell ? null : mark(each.health),
        h("span", null, moment(each.updated_ms, nowMs)),
        each.connection_count === 0
          ? null
          : h("span", null, counted(each.connection_count, "client")),
      ),
      isWell
        ? null
        : h("p", { class: "why" }, said(each.because.join("; ") || HEALTH_SAYS[each.health])),
    ),
    h(
      "td",
      { class: "health" },
      mark(each.health),
      each.mode === "sql" ? null : h("p", { class: "why" }, MODE_SAYS[each.mode]),
    ),
    h("td", { class: "writes" }, writesSpark(each.writes)),
    h("td", null, sizeCell(each, largest, sizes)),
    h(
      "td",
      { class: "number people" },
      each.connection_count === 0 ? "–" : count(each.connection_count),
    ),
    h("td", { class: "number when" }, moment(each.updated_ms, nowMs)),
  );
}

function sizeCell(each, largest, sizes) {
  const parts = [
    { value: each.snapshot_bytes, fill: "snapshot-fill" },
    { value: each.journal.bytes, fill: "journal-fill" },
  ];
  const label = `snapshot ${bytes(each.snapshot_bytes)}, journal ${bytes(each.journal.bytes)} in ${counted(each.journal.rows, "row")}`;
  const hasMoved = sizes.some((size) => size !== sizes[0]);
  return h(
    "div",
    { class: "size-cell", title: label },
    h("span", null, bytes(totalOf(each))),
    tape({ parts, whole: largest, label, cls: "meter" }),
    hasMoved ? sizeSpark(sizes) : null,
  );
}

const totalOf = (each) => each.snapshot_bytes + each.journal.bytes;

function emptySays({ prefix, trouble }) {
  if (trouble) return "Nothing is in trouble here.";
  return prefix === ""
    ? "Nothing is stored yet. A document appears with its first edit."
    : "No name begins so.";
}

function pager({ route, list }, commands) {
  const shown = counted(list.page.documents.length, "document");
  const next = list.page.next;
  const isFirst = route.after === null;
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages of the list" },
    h("p", { class: "note" }, isFirst && next === null ? `All ${shown}` : `${shown} on this page`),
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        {
          type: "button",
          "data-key": "first",
          disabled: isFirst,
          onclick: () => commands.go({ ...route, after: null }),
        },
        "First page",
      ),
      h(
        "button",
        {
          type: "button",
          "data-key": "back",
          disabled: isFirst,
          onclick: () => commands.back(route),
        },
        "Back",
      ),
      h(
        "button",
        {
          type: "button",
          "data-key": "next",
          class: next === null ? null : "first",
          disabled: next === null,
          onclick: () => commands.go({ ...route, after: next }),
        },
        "Next page",
      ),
    ),
  );
}
