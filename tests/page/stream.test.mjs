// The page's stream over a made-up server, under Node's own test runner and a clock of its own.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Stream } from "../../relay/debug/page/stream.mjs";

const STORAGE = { sizes: { documents: 1 } };
let asked, told, open;

/** A server whose streams are what `streamed()` answers; its ordinary answers come at once. */
function serve(streamed) {
  asked = { stream: 0, storage: 0 };
  told = [];
  globalThis.fetch = async (path, { signal }) => {
    signal.throwIfAborted();
    if (path === "/debug/storage") {
      asked.storage += 1;
      return Response.json(STORAGE);
    }
    asked.stream += 1;
    return streamed(signal);
  };
}

/** A stream that says nothing until `open.say()`, and ends with whoever reads it. */
function quiet(signal) {
  const body = new ReadableStream({
    start(controller) {
      const bytes = new TextEncoder();
      open = {
        say: (event) => controller.enqueue(bytes.encode(`event: ${event}\ndata: {}\n\n`)),
        end: () => controller.close(),
      };
      signal.addEventListener("abort", () => controller.error(signal.reason), { once: true });
    },
  });
  return new Response(body);
}

const nothing = () => new Response("", { status: 502 });

function follow() {
  return new Stream(null, {
    hear: (event) => told.push(event),
    note: (how) => told.at(-1) === how || told.push(how),
    refuse: (error) => told.push(error.status),
  });
}

/** Let everything go on that waits for no clock. */
async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

async function pass(seconds) {
  for (let passed = 0; passed < seconds * 10; passed += 1) {
    mock.timers.tick(100);
    await settled();
  }
}

beforeEach(() => {
  globalThis.sessionStorage = { getItem: () => null };
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("without a stream, attempts at one are ever rarer and polls are not", async () => {
  serve(nothing);
  const stream = follow();
  await settled();
  assert.deepEqual(asked, { stream: 1, storage: 1 });
  await pass(60);
  assert.equal(asked.storage, 21);
  assert.ok(asked.stream < 10, `${asked.stream} attempts`);
  const before = asked.stream;
  await pass(15);
  assert.equal(asked.stream, before + 1);
  stream.stop();
});

test("a stream that says nothing is polled beside, until it speaks", async () => {
  serve(quiet);
  const stream = follow();
  await pass(2.9);
  assert.equal(asked.storage, 0);
  await pass(0.2);
  assert.equal(asked.storage, 1);
  assert.deepEqual(told, ["storage", "polling"]);
  await pass(6);
  assert.deepEqual(asked, { stream: 1, storage: 3 });
  open.say("storage");
  await settled();
  assert.equal(told.at(-2), "live");
  await pass(20);
  assert.deepEqual(asked, { stream: 1, storage: 3 });
  stream.stop();
});

test("a stream that speaks is not polled beside, and is polled once it ends", async () => {
  serve(quiet);
  const stream = follow();
  await settled();
  open.say("storage");
  await pass(20);
  assert.deepEqual(asked, { stream: 1, storage: 0 });
  open.end();
  await settled();
  assert.equal(asked.storage, 1);
  await pass(0.5);
  assert.equal(asked.stream, 2);
  stream.stop();
});

test("who has stopped asks nothing more", async () => {
  for (const streamed of [nothing, quiet]) {
    serve(streamed);
    const stream = follow();
    await pass(4);
    stream.stop();
    await settled();
    const before = { ...asked };
    await pass(60);
    assert.deepEqual(asked, before);
  }
});

test("an answer that was on its way when the stream spoke is not heard", async () => {
  serve(quiet);
  let answer;
  const plain = globalThis.fetch;
  globalThis.fetch = (path, options) =>
    path === "/debug/storage" ? new Promise((resolve) => (answer = resolve)) : plain(path, options);
  const stream = follow();
  await pass(3);
  open.say("busy");
  await settled();
  answer(Response.json(STORAGE));
  await settled();
  assert.deepEqual(told, ["live", "busy"]);
  stream.stop();
});
