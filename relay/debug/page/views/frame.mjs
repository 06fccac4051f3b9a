// What stands round every page: the bar, and the sheet that asks for a token.

import { h, svg } from "../dom.mjs";
import { span } from "../pure/format.mjs";
import { SILENT_MS } from "../pure/verdict.mjs";

const HOW_SAYS = { live: "live", polling: "polling", lost: "not reached", waiting: "connecting" };
const THEMES = { system: ["◐", "Auto"], light: ["☀", "Light"], dark: ["☾", "Dark"] };

/** The bar at the top. */
export function bar(state, commands) {
  const view = state.route.view;
  const link = (href, text, isHere) =>
    h("a", { href, "aria-current": isHere ? "page" : null }, text);
  const theme = globalThis.yjsRelayTheme.get();
  return h(
    "div",
    { class: "bar-inside" },
    h("a", { class: "brand", href: "#/" }, emblem(), "yjs-relay"),
    state.isAsking
      ? h("span", { class: "spring" })
      : h(
          "nav",
          { "aria-label": "Pages" },
          link("#/", "Store", view === "store"),
          link("#/documents", "Documents", view === "documents" || view === "document"),
        ),
    state.isAsking ? null : pulse(state),
    h(
      "button",
      {
        type: "button",
        class: "bare",
        "data-key": "theme",
        "aria-label": `Colours: ${theme}. Change`,
        onclick: commands.changeTheme,
      },
      THEMES[theme][0],
      h("span", { class: "wide-only" }, ` ${THEMES[theme][1]}`),
    ),
    state.isAsking ? null : tokenButton(state, commands),
  );
}

// Who may look without a token may need one to act.
function tokenButton({ hasToken, me }, commands) {
  const button = (key, title, text, onclick) =>
    h("button", { type: "button", class: "bare token", "data-key": key, title, onclick }, text);
  if (hasToken) return button("leave", `you are ${me?.by ?? ""}`, "Forget token", commands.leave);
  const isOfUse = me !== null && !me.may_act;
  return isOfUse
    ? button("use-token", "to act, if yours allows it", "Use a token", commands.ask)
    : null;
}

// Drawn, not loaded: an image that is made anew with each change is asked for anew.
function emblem() {
  return svg(
    "svg",
    { viewBox: "0 0 32 32", "aria-hidden": "true" },
    svg("rect", { class: "ground", width: 32, height: 32, rx: 8 }),
    svg("path", { class: "snapshot", d: "M7 22h11" }),
    svg("path", { class: "rows", d: "M20 22h1.6M23.4 22H25" }),
    svg("path", { class: "fold", d: "M7 10l4.5 5L16 10" }),
  );
}

function pulse(state) {
  const silence = state.heardMs === null ? 0 : state.localMs - state.heardMs;
  const how = silence > SILENT_MS ? "lost" : state.how;
  const text =
    how === "lost" && state.heardMs !== null ? `heard ${span(silence)} ago` : HOW_SAYS[how];
  return h("span", { class: "pulse", "data-how": how }, h("i", { "aria-hidden": "true" }), text);
}

/** Who may look is asked for a token. */
export function loginPage(state, commands) {
  const submit = (event) => {
    event.preventDefault();
    commands.enter(new FormData(event.currentTarget).get("token").trim());
  };
  return h(
    "section",
    { class: "sheet login" },
    h("h1", { tabindex: "-1" }, "Who is looking?"),
    h(
      "p",
      { class: "note top-gap" },
      "This server shows what it stores to its operators. The token stays in this tab and is forgotten with it.",
    ),
    h(
      "form",
      { onsubmit: submit },
      h(
        "label",
        { class: "field" },
        h("span", null, "Token of an administrator or an observer"),
        h("input", {
          type: "password",
          name: "token",
          id: "token",
          required: true,
          autocomplete: "off",
          spellcheck: "false",
          "aria-describedby": state.refusal ? "refusal" : null,
        }),
      ),
      state.refusal
        ? h("p", { class: "refusal", id: "refusal", role: "alert" }, state.refusal)
        : null,
      h("button", { type: "submit", class: "first" }, "Look"),
      state.isOpen
        ? h("button", { type: "button", onclick: commands.lookAnyway }, "Look without a token")
        : null,
    ),
  );
}

/** An address that leads nowhere. */
export function lostPage() {
  return h(
    "section",
    { class: "plain" },
    h("h1", { tabindex: "-1" }, "There is nothing at this address."),
    h(
      "p",
      { class: "top-gap" },
      h("a", { href: "#/" }, "The store"),
      " and ",
      h("a", { href: "#/documents" }, "its documents"),
      " are elsewhere.",
    ),
  );
}
