/**
 * Reads files of updates with stock Yjs alone, without a provider: what a stock client would hold.
 *
 * Each argument is a file: updates in the order in which they came, each after its length in eight
 * bytes. The answer is a line of JSON for each: clocks, texts of the roots, what was thrown, and
 * the clocks that were sent at all: what waits for a predecessor is in them as well.
 */

import { readFileSync } from 'node:fs'
import * as Y from 'yjs'

const TEXTS = ['text', 'rich', 'marks']
const LENGTH_BYTES = 8

function * updatesOf (data) {
  let at = 0
  while (at < data.length) {
    const start = at + LENGTH_BYTES
    at = start + Number(data.readBigUInt64BE(at))
    yield data.subarray(start, at)
  }
}

/** Ranges [client, start, end] with all structs of these updates, each as long as it may be. */
const rangesOf = (updates) => {
  const ranges = updates
    .flatMap((update) => Y.decodeUpdate(update).structs)
    .filter((struct) => !(struct instanceof Y.Skip))
    .map(({ id: { client, clock }, length }) => [client, clock, clock + length])
    .sort(([a, from], [b, other]) => a - b || from - other)
  const joined = []
  for (const [client, start, end] of ranges) {
    const last = joined.at(-1)
    if (last?.[0] === client && last[2] >= start) last[2] = Math.max(last[2], end)
    else joined.push([client, start, end])
  }
  return joined
}

const look = (updates) => {
  const doc = new Y.Doc()
  const roots = TEXTS.map((name) => [name, doc.getText(name)])
  const trouble = []
  for (const update of updates) {
    try {
      Y.applyUpdate(doc, update)
    } catch (error) {
      trouble.push(String(error).slice(0, 300))
    }
  }
  const clocks = [...Y.decodeStateVector(Y.encodeStateVector(doc))].filter(([, clock]) => clock > 0)
  const texts = roots.map(([name, root]) => [name, root.toString()])
  return {
    clocks: Object.fromEntries(clocks),
    texts: Object.fromEntries(texts),
    trouble,
    sent: trouble.length > 0 ? [] : rangesOf(updates)
  }
}

for (const file of process.argv.slice(2)) {
  console.log(JSON.stringify(look([...updatesOf(readFileSync(file))])))
}
