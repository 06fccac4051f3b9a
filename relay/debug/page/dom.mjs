// Trees of elements, and how a new tree becomes the one on the page.
//
// Views are functions from data to a new tree. `settle` changes only what differs in the old one,
// so focus, selection, scrolling and what the reader has opened stay. Text is text: nothing here
// parses HTML, and the page's policy (Trusted Types) forbids that anything does.

const SVG = "http://www.w3.org/2000/svg";
const LISTENERS = Symbol("listeners");
// What the reader changes belongs to the reader.
const READERS_OWN = new Set(["open", "value", "checked"]);

/** An element; attributes that begin with "on" are listeners; null, false: no attribute, no child. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  const listeners = {};
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) listeners[name.slice(2)] = value;
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const type of Object.keys(listeners)) element.addEventListener(type, dispatch);
  element[LISTENERS] = listeners;
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false);
}

// One function for all, so that listeners can be exchanged without the element.
function dispatch(event) {
  event.currentTarget[LISTENERS]?.[event.type]?.(event);
}

/** Make the children of `parent` what `children` are, and keep those that are alike. */
export function settle(parent, children) {
  const holder = document.createDocumentFragment();
  holder.append(...nodes([children]));
  const focused = document.activeElement;
  settleChildren(parent, holder);
  // What is moved loses the focus, though it is still there.
  const isLost = focused !== document.activeElement && focused?.isConnected;
  if (isLost) focused.focus({ preventScroll: true });
}

function settleChildren(old, wanted) {
  const before = [...old.childNodes];
  const keyed = new Map(before.filter(keyOf).map((child) => [keyOf(child), child]));
  let seen = 0;
  const after = [...wanted.childNodes].map((next) => {
    const key = keyOf(next);
    // Without a key, the first that is alike among those not passed by yet.
    const at = key
      ? -1
      : before.findIndex((child, i) => i >= seen && !keyOf(child) && isAlike(child, next));
    if (at >= 0) seen = at + 1;
    const match = key ? keyed.get(key) : before[at];
    if (match === undefined || !isAlike(match, next)) return next;
    keyed.delete(key);
    settleNode(match, next);
    return match;
  });
  place(old, before, after);
}

function place(parent, before, after) {
  const kept = new Set(after);
  for (const child of before) if (!kept.has(child)) child.remove();
  let here = parent.firstChild;
  for (const child of after) {
    if (child === here) here = here.nextSibling;
    else parent.insertBefore(child, here);
  }
}

function keyOf(node) {
  return node.dataset?.key;
}

function isAlike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.id === b.id;
}

function settleNode(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  settleAttributes(old, next);
  for (const type of Object.keys(next[LISTENERS] ?? {})) {
    if (!(type in (old[LISTENERS] ?? {}))) old.addEventListener(type, dispatch);
  }
  old[LISTENERS] = next[LISTENERS];
  settleChildren(old, next);
}

function settleAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !READERS_OWN.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (READERS_OWN.has(name)) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}
