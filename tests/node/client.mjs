/**
 * Holds stock Yjs clients for the system tests: JSON lines in, JSON lines out.
 *
 * A request is {"id": 7, "do": "edit", ...}; its answer is {"id": 7, "value": ...} or
 * {"id": 7, "error": "..."}. Requests run side by side, so a waiting one holds up no other.
 * Everything between a document and its socket is the published y-websocket provider.
 */

import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

/** The root types that every test document may use, by name. */
const ROOTS = { text: Y.Text, rich: Y.Text, map: Y.Map, array: Y.Array, xml: Y.XmlFragment }
const TYPING_PAUSE_EVERY = 500

const clients = new Map()

/** One document with its provider and with what happened to it so far. */
class Client {
  constructor ({ url, document, clientId, connect = true, params = {}, protocols = [] }) {
    this.doc = makeDocument(clientId)
    this.history = []
    this.watchers = new Set()
    this.provider = new WebsocketProvider(url, document, this.doc, {
      connect,
      params,
      protocols,
      disableBc: true,
      WebSocketPolyfill: WebSocket
    })
    this.provider.on('status', ({ status }) => this.note({ event: 'status', status }))
    this.provider.on('sync', (synced) => this.note({ event: 'sync', synced }))
    this.provider.on('closed', ({ code, reason }) => this.note({ event: 'closed', code, reason }))
    this.provider.on('connection-close', (close) =>
      this.note({ event: 'connection-close', code: close?.code, reason: close?.reason }))
    this.provider.awareness.on('change', () => this.wake())
    this.doc.on('update', () => this.wake())
  }

  note (event) {
    this.history.push(event)
    this.wake()
  }

  wake () {
    for (const watcher of [...this.watchers]) watcher()
  }
}

const makeDocument = (clientId) => {
  const doc = new Y.Doc()
  if (clientId !== undefined) doc.clientID = clientId
  for (const [name, type] of Object.entries(ROOTS)) doc.get(name, type)
  return doc
}

// ---------------------------------------------------------------- editing

/** JSON values stand for themselves; {"$": "map" | "array" | "text" | "xml" | "bytes" | "doc"} is a type. */
const toShared = (value) => {
  switch (value?.$) {
    case 'map':
      return new Y.Map(Object.entries(value.entries ?? {}).map(([k, v]) => [k, toShared(v)]))
    case 'array':
      return Y.Array.from((value.items ?? []).map(toShared))
    case 'text':
      return new Y.Text(value.text ?? '')
    case 'xml-text':
      return new Y.XmlText(value.text ?? '')
    case 'xml':
      return toElement(value)
    case 'bytes':
      return bytesOf(value.hex)
    case 'doc':
      return new Y.Doc(value.options)
    default:
      return value
  }
}

const toElement = ({ tag, attributes = {}, children = [] }) => {
  const element = new Y.XmlElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.insert(0, children.map(toShared))
  return element
}

const findTarget = (doc, path) => {
  let target = doc.get(path[0], ROOTS[path[0]])
  for (const part of path.slice(1)) target = target.get(part)
  if (target === undefined) throw new Error(`nothing at ${JSON.stringify(path)}`)
  return target
}

const insertInto = (target, { at, text, values, attributes }) =>
  target instanceof Y.Text
    ? target.insert(at, text, attributes)
    : target.insert(at, values.map(toShared))

const steps = {
  insert: insertInto,
  /** Inserts `text` so many times over: no line of JSON need be as long as a large paste. */
  paste: (target, { at, text, times }) => target.insert(at, text.repeat(times)),
  push: (target, { values }) => target.push(values.map(toShared)),
  delete: (target, { at, length }) => target.delete(at, length),
  format: (target, { at, length, attributes }) => target.format(at, length, attributes),
  embed: (target, { at, value }) => target.insertEmbed(at, value),
  set: (target, { key, value }) => target.set(key, toShared(value)),
  unset: (target, { key }) => target.delete(key),
  attribute: (target, { name, value }) => target.setAttribute(name, value)
}

const applySteps = (doc, list) => doc.transact(() => {
  for (const step of list) steps[step.op](findTarget(doc, step.on), step)
})

// ---------------------------------------------------------------- reading

const bytesOf = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))
const hexOf = (bytes) => Buffer.from(bytes).toString('hex')

const contentOf = (doc) => ({
  text: doc.getText('text').toString(),
  rich: doc.getText('rich').toDelta(),
  map: doc.getMap('map').toJSON(),
  array: doc.getArray('array').toJSON(),
  xml: doc.getXmlFragment('xml').toString()
})

const isPending = (doc) => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

const describe = (doc) => ({
  content: contentOf(doc),
  update: hexOf(Y.encodeStateAsUpdate(doc)),
  stateVector: Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(doc))),
  pending: isPending(doc),
  subdocuments: Object.fromEntries(
    [...doc.subdocs].map(({ guid, meta, autoLoad, gc }) => [guid, { meta, autoLoad, gc }]))
})

/** What can be told of any document, also of one whose content no reader expects. */
const summarize = (doc) => ({
  text: doc.getText('text').toString(),
  stateVector: Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(doc))),
  pending: isPending(doc)
})

const areEqual = (a, b) =>
  !isPending(a) && !isPending(b) && Y.equalSnapshots(Y.snapshot(a), Y.snapshot(b)) &&
  isDeepStrictEqual(contentOf(a), contentOf(b))

const statesOf = ({ provider }) => Object.fromEntries(provider.awareness.getStates())

const statusOf = ({ provider, history, doc }) => ({
  clientId: doc.clientID,
  connected: provider.wsconnected,
  synced: provider.synced,
  shouldConnect: provider.shouldConnect,
  history
})

// ---------------------------------------------------------------- waiting

const conditions = {
  synced: (client, wanted) => client.provider.synced === wanted,
  connected: (client, wanted) => client.provider.wsconnected === wanted,
  closed: (client, wanted) => client.history.some((e) => e.event === 'closed') === wanted,
  lost: (client, wanted) =>
    client.history.some((e) => e.event === 'connection-close' && e.code === wanted),
  content: (client, wanted) => {
    const content = contentOf(client.doc)
    return Object.entries(wanted).every(([root, value]) => isDeepStrictEqual(content[root], value))
  },
  textLength: (client, wanted) => client.doc.getText('text').length === wanted,
  equalTo: (client, name) => areEqual(client.doc, clientOf(name).doc),
  sees: (client, ids) => ids.every((id) => client.provider.awareness.getStates().has(id)),
  unsees: (client, ids) => ids.every((id) => !client.provider.awareness.getStates().has(id)),
  state: (client, { clientId, equals }) =>
    isDeepStrictEqual(client.provider.awareness.getStates().get(clientId), equals)
}

const wait = ({ client: name, until, withinMs }) => new Promise((resolve, reject) => {
  const client = clientOf(name)
  const watched = [client, ...(until.equalTo ? [clientOf(until.equalTo)] : [])]
  const finish = (settle, value) => {
    clearTimeout(timer)
    for (const one of watched) one.watchers.delete(look)
    settle(value)
  }
  const look = () => {
    if (Object.entries(until).every(([what, wanted]) => conditions[what](client, wanted))) {
      finish(resolve, true)
    }
  }
  const timer = setTimeout(() => finish(reject, new Error(complaint(client, until))), withinMs)
  for (const one of watched) one.watchers.add(look)
  look()
})

const complaint = (client, until) => {
  const { content, stateVector, pending } = describe(client.doc)
  const state = { status: statusOf(client), awareness: statesOf(client), stateVector, pending, content }
  return `not reached: ${JSON.stringify(until).slice(0, 2000)}; ` +
    `now: ${JSON.stringify(state).slice(0, 4000)}`
}

// ---------------------------------------------------------------- commands

const clientOf = (name) => {
  const client = clients.get(name)
  if (client === undefined) throw new Error(`no client called ${name}`)
  return client
}

/** Types [position, deleted, inserted] patches, a transaction and a frame each. */
const type = async ({ client: name, patches }) => {
  const { doc } = clientOf(name)
  const text = doc.getText('text')
  for (let i = 0; i < patches.length; i++) {
    const [at, length, inserted] = patches[i]
    doc.transact(() => {
      if (length > 0) text.delete(at, length)
      if (inserted !== '') text.insert(at, inserted)
    })
    // Let the socket breathe, as a person's typing would.
    if (i % TYPING_PAUSE_EVERY === 0) await new Promise(setImmediate)
  }
  return text.length
}

const decode = ({ updates, summary = false }) => {
  const doc = makeDocument()
  for (const hex of updates) Y.applyUpdate(doc, bytesOf(hex))
  return summary ? summarize(doc) : describe(doc)
}

/** What a client does with updates that come in; the first error it would throw, or null. */
const errorOfTaking = (updates) => {
  const bytes = updates.map(bytesOf)
  try {
    const doc = makeDocument()
    for (const update of bytes) Y.applyUpdate(doc, update)
    contentOf(doc)
    const state = Y.encodeStateAsUpdate(doc)
    Y.applyUpdate(makeDocument(), state)
    Y.mergeUpdates([...bytes, state])
    return null
  } catch (error) {
    return String(error)
  }
}

const commands = {
  open: ({ client, ...options }) => {
    if (clients.has(client)) throw new Error(`there is a client called ${client} already`)
    clients.set(client, new Client(options))
    return clients.get(client).doc.clientID
  },
  edit: ({ client, steps }) => applySteps(clientOf(client).doc, steps),
  type,
  setParams: ({ client, params }) => { clientOf(client).provider.params = params },
  disconnect: ({ client }) => clientOf(client).provider.disconnect(),
  connect: ({ client }) => clientOf(client).provider.connect(),
  terminate: ({ client }) => {
    const { provider } = clientOf(client)
    provider.shouldConnect = false
    provider.ws.terminate()
  },
  setAwareness: ({ client, state }) => clientOf(client).provider.awareness.setLocalState(state),
  awareness: ({ client }) => statesOf(clientOf(client)),
  status: ({ client }) => statusOf(clientOf(client)),
  dump: ({ client }) => describe(clientOf(client).doc),
  summarize: ({ client }) => summarize(clientOf(client).doc),
  wait,
  decode,
  take: ({ cases }) => cases.map(errorOfTaking),
  close: ({ client }) => {
    clientOf(client).provider.destroy()
    clients.delete(client)
  }
}

const answer = async (line) => {
  const { id, do: name, ...options } = JSON.parse(line)
  let outcome
  try {
    if (!(name in commands)) throw new Error(`no command called ${name}`)
    outcome = { value: (await commands[name](options)) ?? null }
  } catch (error) {
    outcome = { error: error.stack ?? String(error) }
  }
  process.stdout.write(JSON.stringify({ id, ...outcome }) + '\n')
}

const input = createInterface({ input: process.stdin })
input.on('line', answer)
input.on('close', () => {
  for (const { provider } of clients.values()) provider.destroy()
  process.exit(0)
})
process.stdout.write(JSON.stringify({ ready: true, node: process.version }) + '\n')
