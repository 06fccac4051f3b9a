// Names of documents, and other words of strangers, as they are seen. Pure. They may hold what shows
// as nothing, or turns round the text that stands beside it.

// Characters that are not seen or change the direction: controls, formats, odd spaces, what has
// no meaning. U+FE0F is left alone, it only says that an emoji is in colour.
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;
const EDGE_SPACES = /^ +| +$| {2,}/g;

/** Cut a name into pieces {text, isMark}; a mark stands for a character that is not seen. */
export function visiblePieces(name) {
  const pieces = [];
  const edges = edgeSpaces(name);
  let at = 0;
  for (const character of name) {
    const isUnseen = character !== "\uFE0F" && UNSEEN.test(character);
    if (isUnseen) pieces.push({ text: codePoint(character), isMark: true });
    else if (edges.has(at)) pieces.push({ text: "␣", isMark: true });
    else append(pieces, character);
    at += character.length;
  }
  return pieces;
}

/** The same as one text, for titles, labels and sentences. */
export function visibleText(name) {
  return visiblePieces(name)
    .map((piece) => (piece.isMark && piece.text !== "␣" ? `‹${piece.text}›` : piece.text))
    .join("");
}

/** Whether somebody who typed this means this name: as it is, or as it is shown. */
export function isTyped(typed, name) {
  return typed === name || typed === visibleText(name);
}

/** Whether a path can hold the name: URLs lose these two as segments, however encoded. */
export function isAddressable(name) {
  return name !== "." && name !== ".." && !/\p{Cs}/u.test(name);
}

/** The name as one segment of a path. */
export function asSegment(name) {
  return encodeURIComponent(name.replaceAll(/\p{Cs}/gu, "\uFFFD"));
}

function edgeSpaces(name) {
  const found = new Set();
  for (const match of name.matchAll(EDGE_SPACES)) {
    for (let i = 0; i < match[0].length; i += 1) found.add(match.index + i);
  }
  return found;
}

function codePoint(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function append(pieces, character) {
  const last = pieces.at(-1);
  if (last && !last.isMark) last.text += character;
  else pieces.push({ text: character, isMark: false });
}
