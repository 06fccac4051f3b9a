// The page: what it knows, and what leads from one state to the next. Views draw it.

import { Acting } from "./acting.mjs";
import { askMe, askQuarantined, token } from "./api.mjs";
import { Asking } from "./asking.mjs";
import { settle } from "./dom.mjs";

import { EMPTY_HISTORY } from "./pure/history.mjs";
import { visibleText } from "./pure/names.mjs";
import { hrefOf, parseRoute } from "./pure/route.mjs";
import { isUndecided } from "./pure/verdict.mjs";

import { Stream } from "./stream.mjs";
import { documentPage } from "./views/document.mjs";
import { documentsPage } from "./views/documents.mjs";
import { bar, loginPage, lostPage } from "./views/frame.mjs";
import { undecided } from "./views/parts.mjs";
import { storePage } from "./views/store.mjs";

const LIST_EVERY_MS = 3_000;
// On a document's page the stream may tell of the document alone; the bar and the title need both.
const STORAGE_EVERY_MS = 5_000;
const TYPING_MS = 200;

const main = document.getElementById("main");
const header = document.getElementById("bar");
const announcer = document.getElementById("announcer");

const state = {
  route: parseRoute(location.hash),
  lastList: { view: "documents" },
  me: null,
  hasToken: token.get() !== null,
  isAsking: false, // for a token
  isOpen: false, // to who has none
  refusal: null,
  storage: null,
  heardMs: null, // of anything
  toldMs: 0, // of the store as a whole
  unreadable: null, // why the server could not look, when it could not
  undecided: null, // why nobody says whether the reader may look, when nobody does
  skewMs: 0, // the server's clock less ours
  nowMs: Date.now(), // on the server's clock, for what it dates
  localMs: Date.now(),
  history: EMPTY_HISTORY,
  how: "waiting",
  hover: {
    place: null,
    move: (place) => {
      state.hover.place = place;
      draw();
    },
  },
  list: { page: null, error: null, isWaiting: false },
  trail: new Map(), // which page of the list led to which
  sizes: new Map(),
  document: { name: null, facts: null, error: null },
  quarantine: null,
  notSaved: null, // the bytes of which refused update did not come, and why
  sessions: null,
  rawIsOpen: false,
  level: null,
};

let stream = null;
let typing = 0;
let isDrawing = false;

const asking = new Asking(state, { draw, announce, refused });
const acting = new Acting({ done: refresh, refused });

const commands = {
  go(route, { isTyping = false } = {}) {
    if (route.after !== null && route.after !== state.route.after)
      state.trail.set(route.after, state.route.after);
    if (!isTyping) {
      location.hash = hrefOf(route);
      return;
    }
    // No entry in the history for each letter.
    history.replaceState(null, "", hrefOf(route));
    state.route = state.lastList = route;
    clearTimeout(typing);
    typing = setTimeout(() => asking.loadList(), TYPING_MS);
    draw();
  },
  back: (route) => commands.go({ ...route, after: state.trail.get(route.after) ?? null }),
  propose: (act) => acting.propose(act),
  openRaw(isOpen) {
    state.rawIsOpen = isOpen;
    draw();
  },
  async download(entry) {
    state.notSaved = null;
    try {
      save(await askQuarantined(entry.number), `quarantined-${entry.number}.bin`);
    } catch (error) {
      state.notSaved = `Update ${entry.number} is not saved: ${error.message}.`;
    }
    draw();
  },
  changeTheme() {
    globalThis.yjsRelayTheme.next();
    draw();
  },
  enter(text) {
    // What is not printable cannot stand in a header, so it is no token.
    if (!/^[\x21-\x7e]+$/.test(text)) return refuse("This cannot be a token.");
    token.set(text);
    return start();
  },
  ask: () => refuse(null),
  lookAnyway: start,
  leave() {
    token.forget();
    location.reload();
  },
};

// ---- beginning and ending ------------------------------------------------------------------

async function start() {
  try {
    state.me = await askMe();
  } catch (error) {
    if (error.status === 401 || error.status === 403) return refused(error);
    // The server is not there, or nobody decides: it is asked again.
    setTimeout(start, LIST_EVERY_MS);
    if (isUndecided(error)) asking.hear("undecided", error);
    else {
      state.undecided = null;
      state.how = "lost";
    }
    return draw();
  }
  state.undecided = null;
  state.hasToken = token.get() !== null;
  state.isOpen ||= !state.hasToken;
  state.isAsking = false;
  state.refusal = null;
  // Whoever looks now may see more of it, or less.
  state.document = { name: null, facts: null, error: null };
  return arrive();
}

function refused(error) {
  refuse(state.hasToken || token.get() !== null ? `The server says: ${error.message}.` : null);
}

function refuse(text) {
  stream?.stop();
  stream = null;
  token.forget();
  Object.assign(state, { isAsking: true, hasToken: false, refusal: text, me: null });
  drawNow();
  document.getElementById("token").focus();
}

// ---- going from page to page ---------------------------------------------------------------

function arrive() {
  const { route } = state;
  if (route.view === "documents") {
    state.lastList = route;
    asking.loadList();
  }
  if (route.view === "document" && state.document.name !== route.name) {
    Object.assign(state, {
      document: { name: route.name, facts: null, error: null },
      quarantine: null,
      notSaved: null,
      sessions: null,
      rawIsOpen: false,
    });
    asking.loadDocument();
  }
  follow();
  if (state.storage === null && route.view === "document") asking.loadStorage();
  draw();
}

function follow() {
  stream?.stop();
  stream = null;
  // A tab that nobody looks at asks nothing, and leaves its socket to others.
  if (document.hidden || state.isAsking || state.me === null) return;
  const name = state.route.view === "document" ? state.route.name : null;
  stream = new Stream(name, {
    hear: (event, data) => asking.hear(event, data),
    note: (how) => {
      state.how = how;
      draw();
    },
    refuse: refused,
  });
}

/** After an act: what is shown may be another matter now. */
function refresh() {
  if (state.route.view === "document") {
    asking.loadDocument();
    asking.loadRecords();
  }
  if (state.route.view === "documents") asking.loadList();
}

// ---- drawing -------------------------------------------------------------------------------

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    drawNow();
  });
}

function drawNow() {
  state.localMs = Date.now();
  state.nowMs = state.localMs + state.skewMs;
  settle(header, bar(state, commands));
  settle(main, state.isAsking ? loginPage(state, commands) : [undecided(state), page()]);
  main.dataset.view = state.isAsking ? "login" : state.route.view;
  document.title = titleOf();
}

function page() {
  const { view } = state.route;
  if (view === "documents") return documentsPage(state, commands);
  if (view === "document") return documentPage(state, commands);
  return view === "store" ? storePage(state, commands) : lostPage();
}

function titleOf() {
  const { route } = state;
  const place =
    { documents: "Documents", document: visibleText(route.name ?? ""), store: "Store" }[
      route.view
    ] ?? "Nothing here";
  const isWell = state.level === null || state.level === "ok";
  return `${isWell ? "" : "▲ "}${place} · yjs-relay`;
}

/** Say something to who does not see it change. */
function announce(text) {
  announcer.textContent = text;
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), LIST_EVERY_MS);
}

// Filters are the reader's while they type, and the address's when they come by it.
function showFilters() {
  const { route } = state;
  const [prefix, sort, trouble] = ["prefix", "sort", "trouble"].map((id) =>
    document.getElementById(id),
  );
  if (route.view !== "documents" || prefix === null) return;
  prefix.value = route.prefix;
  sort.value = route.sort;
  trouble.checked = route.trouble;
}

addEventListener("hashchange", () => {
  const before = state.route;
  state.route = parseRoute(location.hash);
  if (state.isAsking || state.me === null) return draw();
  arrive();
  drawNow();
  showFilters();
  scrollTo(0, 0);
  // A new page is read from its heading; another page of the same list, from the list.
  if (before.view !== state.route.view || state.route.view !== "documents")
    main.querySelector("h1")?.focus();
  return undefined;
});
document.addEventListener("visibilitychange", follow);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the part after # is for our own addresses
  main.focus();
});
setInterval(() => document.hidden || draw(), 1_000);
setInterval(() => {
  const isFollowing = stream !== null && state.route.view === "document";
  if (isFollowing && Date.now() - state.toldMs > STORAGE_EVERY_MS) asking.loadStorage();
}, 1_000);
setInterval(() => {
  const isIdle = !document.hidden && !state.isAsking && !state.list.isWaiting;
  if (isIdle && state.me !== null && state.route.view === "documents") asking.loadList();
}, LIST_EVERY_MS);

draw();
start();
