// The dialog before an act: what it would do, and the person's word that it shall.

import { h } from "../dom.mjs";
import { fact, words } from "../pure/format.mjs";
import { previewSays, resultSays } from "../pure/acts.mjs";
import { isTyped } from "../pure/names.mjs";
import { facts, nameOf, said } from "./parts.mjs";

/** `proposal` is {act, preview, answer, error, typed, reason, isBusy}; `error` is a sentence. */
export function actDialog(proposal, commands) {
  const { act } = proposal;
  const content = proposal.answer === null ? asking(proposal, commands) : done(proposal, commands);
  return h(
    "dialog",
    {
      id: "act",
      "aria-labelledby": "act-title",
      oncancel: (event) => {
        event.preventDefault();
        commands.dismiss();
      },
    },
    h("h2", { id: "act-title" }, act.title),
    act.document === null ? null : h("p", null, nameOf(act.document)),
    content,
  );
}

function asking(proposal, commands) {
  const { act, preview, error, isBusy } = proposal;
  const said = preview === null ? null : previewSays(act, preview);
  const submit = (event) => {
    event.preventDefault();
    if (isReady(proposal)) commands.confirm();
  };
  return h(
    "form",
    { onsubmit: submit },
    h("p", null, act.says),
    error !== null
      ? box("failing", error)
      : preview === null
        ? h("p", { class: "note" }, "Looking what it would do…")
        : box(
            said.isNothing ? "waiting" : act.isGrave ? "failing" : "degraded",
            said.text,
            preview.facts,
          ),
    said && !said.isNothing ? questions(proposal, commands) : null,
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { type: "button", id: "act-cancel", onclick: commands.dismiss },
        said?.isNothing || error ? "Close" : "Cancel",
      ),
      said && !said.isNothing && error === null
        ? h(
            "button",
            {
              type: "submit",
              id: "act-confirm",
              class: act.isGrave ? "grave" : "first",
              disabled: !isReady(proposal),
            },
            isBusy ? "Working…" : act.label.replace("…", ""),
          )
        : null,
    ),
  );
}

function questions({ act }, commands) {
  return [
    act.asksWhy
      ? h(
          "label",
          { class: "field top-gap" },
          h("span", null, "Why, for those who meet it"),
          h("input", {
            id: "act-reason",
            maxlength: "200",
            required: true,
            autocomplete: "off",
            oninput: (event) => commands.fill({ reason: event.target.value }),
          }),
        )
      : null,
    act.asksName
      ? h(
          "label",
          { class: "field top-gap" },
          h("span", null, "Type the name, to be sure: ", nameOf(act.document)),
          h("input", {
            id: "act-name",
            class: "mono",
            required: true,
            autocomplete: "off",
            spellcheck: "false",
            autocapitalize: "off",
            oninput: (event) => commands.fill({ typed: event.target.value }),
          }),
        )
      : null,
  ];
}

function isReady({ act, preview, typed, reason, isBusy }) {
  if (isBusy || preview === null) return false;
  if (act.asksWhy && reason.trim() === "") return false;
  return !act.asksName || isTyped(typed, act.document);
}

function done({ act, answer }, commands) {
  return [
    box(answer.result === "failed" ? "failing" : "ok", resultSays(act, answer), answer.facts),
    h(
      "div",
      { class: "buttons" },
      h(
        "button",
        { type: "button", id: "act-close", class: "first", onclick: commands.dismiss },
        "Close",
      ),
    ),
  ];
}

function box(level, text, found = null) {
  const pairs = Object.entries(found ?? {}).map(([key, value]) => [
    words(key),
    said(fact(key, value)),
  ]);
  return h(
    "div",
    { class: "preview", "data-level": level, role: "status" },
    h("p", null, text),
    pairs.length === 0 ? null : facts(pairs),
  );
}
