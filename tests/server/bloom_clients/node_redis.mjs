// node-redis's filter API, `client.bf`, on an empty server of the test's own.
//
//     node_redis.mjs PORT        in the folder whose node_modules has the package
//
// Calls every method with every option, in RESP2 and in RESP3. Prints each call with
// what node-redis made of the answer, and ends at the first that is not what it has to
// be. In the end no method of this node-redis may be left over.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { inspect } from "node:util";

// The packages are where the tests are built, not beside this file.
const require = createRequire(`${process.cwd()}/`);
const { createClient, RESP_TYPES } = require("redis");
const url = `redis://127.0.0.1:${process.argv[2]}`;
// A server that does not answer must not keep the test waiting for ever.
setTimeout(() => { console.log("120 seconds are over"); process.exit(1); }, 120_000).unref();

const WRONG_TYPE = "rejected: WRONGTYPE Operation against a key holding the wrong kind of value";
const FULL = "ERR non scaling filter is full";
const used = new Set();

// The value with errors inside of it as text, so that it can be compared.
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof Error ? value.message : value;
};

const shown = (value, length) => inspect(value, { breakLength: Infinity }).slice(0, length);

// `client.bf`, telling what it is asked and answers; a rejection is text, too.
const told = (client) => new Proxy({}, {
  get: (_, method) => async (...args) => {
    used.add(method);
    const answer = await client.bf[method](...args).then(plain, (error) => `rejected: ${error.message}`);
    console.log(`  ${method}(${shown(args, 90)}) -> ${shown(answer, 110)}`);
    return answer;
  },
});

const same = (got, expected) => assert.deepStrictEqual(got, expected);

// Capacity, links, items and expansion.
async function facts(bf, key) {
  const { Size: size, ...info } = await bf.info(key);
  assert(Number.isInteger(size) && size > 0, `Size ${size}`);
  const names = ["Capacity", "Number of filters", "Number of items inserted", "Expansion rate"];
  same(Object.keys(info), names);
  return Object.values(info);
}

async function filtersAreMade(bf) {
  same(await bf.reserve("plain", 0.01, 1000), "OK");
  same(await facts(bf, "plain"), [1000, 1, 0, 2]);
  same(await bf.reserve("four", 1e-7, 10, { EXPANSION: 4 }), "OK");
  same(await facts(bf, "four"), [10, 1, 0, 4]);
  // A filter that cannot grow has no expansion.
  same(await bf.reserve("fixed", 0.5, 10, { NONSCALING: true }), "OK");
  same(await facts(bf, "fixed"), [10, 1, 0, null]);
  // node-redis leaves EXPANSION 0 out here.
  same(await bf.reserve("zero", 0.01, 10, { EXPANSION: 0 }), "OK");
  same(await facts(bf, "zero"), [10, 1, 0, 2]);
  for (const [rate, capacity, options, error] of [
    [0.01, 1000, {}, "item exists"],
    [2, 1000, {}, "error rate must be in the range (0.000000, 1.000000)"],
    ["half", 1000, {}, "bad error rate"],
    [0.01, 0, {}, "capacity must be in the range [1, 1073741824]"],
    [0.01, 1.5, {}, "bad capacity"],
    [0.01, 10, { EXPANSION: -1 }, "expansion must be in the range [0, 32768]"],
    [0.01, 10, { EXPANSION: "two" }, "bad expansion"],
    [0.01, 10, { EXPANSION: 2, NONSCALING: true }, "Nonscaling filters cannot expand"],
  ]) {
    same(await bf.reserve("plain", rate, capacity, options), `rejected: ERR ${error}`);
  }
}

async function itemsAreAddedAndFound(bf, client) {
  same(await bf.exists("f", "a"), false);
  same(await bf.mExists("f", ["a", "b"]), [false, false]);
  same(await client.exists("f"), 0);
  same(await bf.card("f"), 0);
  same(await bf.add("f", "a"), true);
  same(await bf.add("f", "a"), false);
  same(await bf.mAdd("f", ["b", "b", Buffer.from([255, 0])]), [true, false, true]);
  same(await bf.mAdd("f", "c"), [true]);
  same(await bf.exists("f", "a"), true);
  same(await bf.mExists("f", [Buffer.from([255, 0]), "d", "c"]), [true, false, true]);
  same(await bf.mExists("f", "d"), [false]);
  same(await bf.card("f"), 4);
  same(await facts(bf, "f"), [100, 1, 4, 2]);
  same(await bf.mAdd("f", []), "rejected: ERR wrong number of arguments for 'bf.madd' command");
}

async function itemsAreInserted(bf, full) {
  same(await bf.insert("i", ["a", "b", "a"]), [true, true, false]);
  same(await facts(bf, "i"), [100, 1, 2, 2]);
  same(await bf.insert("i3", "a", { CAPACITY: 5, ERROR: 0.001, EXPANSION: 3 }), [true]);
  same(await facts(bf, "i3"), [5, 1, 1, 3]);
  same(await bf.insert("i3", ["a", "b", "c", "d", "e", "f"], { NOCREATE: true }), [false, true, true, true, true, true]);
  same(await facts(bf, "i3"), [20, 2, 6, 3]);
  same(await bf.insert("zero2", ["a"], { EXPANSION: 0 }), [true]);
  same(await facts(bf, "zero2"), [100, 1, 1, null]);
  const everything = { CAPACITY: 5, ERROR: 0.1, EXPANSION: 0, NOCREATE: true, NONSCALING: true };
  same(await bf.insert("none", ["a"], everything), "rejected: ERR not found");
  same(await bf.insert("i3", ["a"], everything), [false]);
  same(await bf.insert("fixed1", ["a", "b", "c"], { CAPACITY: 1, ERROR: 0.001, NONSCALING: true }), [true, full]);
  same(await facts(bf, "fixed1"), [1, 1, 1, null]);
  same(await bf.insert("i", ["new"], { CAPACITY: 0 }), "rejected: ERR Bad capacity");
  same(await bf.insert("i", ["new"], { ERROR: 1 }), "rejected: ERR Bad error rate");
  same(await bf.insert("i", ["new"], { EXPANSION: -1 }), "rejected: ERR Bad expansion");
  same(await bf.exists("i", "new"), false);
}

async function aFullFilterSaysSo(bf, full) {
  same(await bf.reserve("full", 0.0001, 2, { NONSCALING: true }), "OK");
  // The error is the last element: what comes after it was not tried.
  same(await bf.mAdd("full", ["p", "p", "q", "r", "s"]), [true, false, true, full]);
  same(await bf.mAdd("full", ["z", "p"]), [full]);
  same(await bf.mAdd("full", ["p", "q"]), [false, false]);
  same(await bf.insert("full", ["p", "z"]), [false, full]);
  same(await bf.add("full", "z"), `rejected: ${FULL}`);
  same(await bf.add("full", "p"), false);
  same(await facts(bf, "full"), [2, 1, 2, null]);
}

async function filtersAreCopiedByChunks(bf, bytes) {
  const names = Array.from({ length: 5000 }, (_, number) => `n${number}`);
  same(await bf.reserve("chain", 0.001, 100), "OK");
  const added = (await bf.mAdd("chain", names)).filter((isNew) => isNew).length;
  assert(added > 4900, `${added} added`);
  // One link that takes two chunks of 16 MiB.
  same(await bf.reserve("large", 0.01, 20_000_000), "OK");
  same(await bf.mAdd("large", names.slice(0, 3)), [true, true, true]);
  const [, links] = await facts(bf, "chain");
  for (const [key, chunks] of [["chain", 1 + links], ["large", 3]]) {
    let loaded = 0;
    let { iterator, chunk } = await bytes.scanDump(key, 0);
    for (; iterator !== 0; { iterator, chunk } = await bytes.scanDump(key, iterator)) {
      assert(Buffer.isBuffer(chunk) && chunk.length > 0 && chunk.length <= 1 << 24, "a chunk");
      same(await bf.loadChunk(`${key}2`, iterator, chunk), "OK");
      loaded += 1;
    }
    same(chunk, Buffer.alloc(0));
    same(loaded, chunks);
    same(await facts(bf, `${key}2`), await facts(bf, key));
  }
  same(await bf.card("chain2"), added);
  same(await bf.mExists("chain2", names), names.map(() => true));
  same(await bf.mExists("large2", names.slice(0, 4)), [true, true, true, false]);
  same(await bf.scanDump("none", 0), "rejected: ERR not found");
  same(await bf.scanDump("chain", "x"), "rejected: ERR Second argument must be numeric");
  same(await bf.loadChunk("none", 1, "data"), "rejected: ERR received bad data");
  same(await bf.loadChunk("none", 2, "data"), "rejected: ERR not found");
}

async function pipelinesAnswerInOrder(client, full) {
  const queue = () => client.multi()
    .bf.reserve("p", 0.0001, 2, { NONSCALING: true })
    .bf.add("p", "a")
    .bf.insert("p", ["a", "b", "c"])
    .bf.mExists("p", ["a", "d"])
    .bf.card("p")
    .bf.info("p");
  for (const run of ["exec", "execAsPipeline"]) {
    await client.del("p");
    const answers = plain(await queue()[run]());
    console.log(`  multi().${run}() -> ${shown(answers, 200)}`);
    same(answers.slice(0, 5), ["OK", true, [false, true, full], [true, false], 2]);
    same(answers[5]["Number of items inserted"], 2);
  }
  const failed = await client.multi().bf.add("p", "a").bf.add("p", "d").exec().catch((error) => error);
  same([failed.constructor.name, plain(failed.replies)], ["MultiErrorReply", [false, FULL]]);
  // What is sent in one turn goes out as one write.
  const turn = ["a", "d", "b"].map((item) => client.bf.exists("p", item));
  same(await Promise.all(turn), [true, false, true]);
}

async function aKeyOfAnotherTypeIsAnError(bf, client) {
  await client.set("text", "x");
  for (const [method, ...args] of [
    ["reserve", 0.01, 10], ["add", "a"], ["mAdd", ["a"]], ["insert", ["a"]], ["exists", "a"],
    ["mExists", ["a"]], ["card"], ["info"], ["scanDump", 0], ["loadChunk", 1, "x"],
  ]) {
    same(await bf[method]("text", ...args), WRONG_TYPE);
  }
  same(await bf.info("none"), "rejected: ERR not found");
}

function nothingIsLeftOver(client) {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(client.bf));
  // Each has a name in capitals, too.
  const methods = names.filter((name) => /^[a-z]/.test(name) && name !== "constructor");
  assert(methods.length >= 10, `${methods}`);
  same([...used].sort(), methods.sort());
}

let client;
for (const RESP of [2, 3]) {
  console.log(`node-redis, RESP${RESP}`);
  client = await createClient({ url, RESP }).connect();
  await client.flushAll();
  const bf = told(client);
  const bytes = told(client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }));
  // Over RESP2 node-redis takes every element but 1 for false, errors as well.
  const full = RESP === 2 ? false : FULL;
  await filtersAreMade(bf);
  await itemsAreAddedAndFound(bf, client);
  await itemsAreInserted(bf, full);
  await aFullFilterSaysSo(bf, full);
  await filtersAreCopiedByChunks(bf, bytes);
  await pipelinesAnswerInOrder(client, full);
  await aKeyOfAnotherTypeIsAnError(bf, client);
  nothingIsLeftOver(client);
  client.destroy();
}
const { version } = require("redis/package.json");
console.log(`ran: node-redis ${version} on Node.js ${process.versions.node}`);
