// What the part of the address after # names. Pure.

import { asSegment } from "./names.mjs";

/** The orders of the list, as the server knows them. */
export const SORTS = ["name", "updated", "bytes", "journal"];
const STORE = { view: "store" };

/** "#/documents?sort=bytes" → {view: "documents", sort: "bytes", …}; what is unknown: {view: "unknown"}. */
export function parseRoute(hash) {
  const [path, query = ""] = cut(hash.replace(/^#/, ""), "?");
  if (path === "" || path === "/") return STORE;
  if (path === "/documents" || path === "/documents/") return listRoute(new URLSearchParams(query));
  if (path.startsWith("/documents/")) {
    const name = decoded(path.slice("/documents/".length));
    return name === null ? { view: "unknown" } : { view: "document", name };
  }
  return { view: "unknown" };
}

/** The address of a route, with its #. */
export function hrefOf(route) {
  if (route.view === "document") return `#/documents/${asSegment(route.name)}`;
  if (route.view !== "documents") return "#/";
  const asked = listQuery(route).toString();
  return asked === "" ? "#/documents" : `#/documents?${asked}`;
}

/** The query of the list that a route asks for, for the address and for the server alike. */
export function listQuery({ prefix = "", sort = "name", trouble = false, after = null }) {
  const query = new URLSearchParams();
  if (prefix !== "") query.set("prefix", prefix);
  if (sort !== "name") query.set("sort", sort);
  if (trouble) query.set("trouble", "1");
  if (after !== null) query.set("after", after);
  return query;
}

function listRoute(query) {
  const sort = query.get("sort");
  return {
    view: "documents",
    prefix: query.get("prefix") ?? "",
    sort: SORTS.includes(sort) ? sort : "name",
    trouble: query.get("trouble") === "1",
    after: query.get("after"),
  };
}

function cut(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a broken percent-encoding names nothing
  }
}
