// What needs no server of ours: ids, odd replies, errors, and what is sent again.

import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import test, { mock } from "node:test";
import timers from "node:timers/promises";

import { ERRORS, FlashSaleError, flashsale, isNo, isNotNow, isYes, newId, newPass, NotKnownYet, partOf, retry, retryAfterS, SplitSale, STATUSES, totalStock, UnsafeCall } from "flashsale-client";

import { CUT, fake, json } from "./support.js";

const errors = json("answers.json").errors as { code: string; again: boolean }[];
const RESERVED = "*5\r\n$8\r\nRESERVED\r\n$1\r\na\r\n:1\r\n:2\r\n:-1\r\n";
const ALLRESERVED = "*3\r\n$11\r\nALLRESERVED\r\n:30\r\n$1\r\ns\r\n";
const waiting = (ahead: number, ms: number) => `*6\r\n$7\r\nWAITING\r\n$1\r\na\r\n:${ahead}\r\n:9\r\n:-1\r\n:${ms}\r\n`;
const soon = (ms = 5000) => ({ until: Date.now() + ms });

test("ids are ULIDs that nobody can guess", () => {
  const ids = Array.from({ length: 1000 }, () => newId());
  assert.equal(new Set(ids.map((id) => id.slice(10, 20))).size, 1000);
  for (const id of ids) {
    assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
    const ms = [...id.slice(0, 10)].reduce((sum, letter) => sum * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(letter), 0);
    assert(Math.abs(ms - Date.now()) < 60_000);
  }
});

test("the part of a user is that of the contract", () => {
  assert.equal(partOf("123456789", 16), 12);
  assert.equal(partOf(Buffer.from("123456789"), 16), 12);
  assert(newId(12).endsWith("0C") && newId(1023).endsWith("ZZ"));
  assert.throws(() => newId(1024), RangeError);
});

test("the keys of parts are those of the program", () => {
  const split = new SplitSale("shoes");
  assert.equal(split.of("123456789"), split.parts[12]);
  assert(split.newId("123456789").endsWith("0C"));
  split.parts.forEach(({ key, orders }, part) => {
    assert.equal(partOf(key.slice(1, -1), 16), part);
    assert.equal(orders, `${key}:orders`);
  });
  const named = new SplitSale("shoes", { keys: "sale:{}", streams: "orders:{}" });
  assert.equal(named.parts[3]!.key, `sale:${split.parts[3]!.key}`);
  assert.throws(() => new SplitSale("a{b"), RangeError);
  assert.throws(() => new SplitSale("a", { parts: 1025 }), RangeError);
  // All parts in one key, or orders of all parts in one stream.
  assert.throws(() => new SplitSale("shoes", { parts: 2, keys: "shoes" }), RangeError);
  assert.throws(() => new SplitSale("shoes", { parts: 2, streams: "shoes:orders" }), RangeError);
});

test("a sale that is not split is its own only part", () => {
  const one = new SplitSale("{shoes}", { parts: 1, keys: "{shoes}", streams: "{shoes}:orders" });
  assert.deepEqual(one.parts, [{ key: "{shoes}", orders: "{shoes}:orders" }]);
  assert.equal(one.of("ann"), one.parts[0]);
  // Stock may be taken out of it, and nothing is left out.
  assert.deepEqual(one.dealt({ red: -3, blue: 0 }), [{ ...one.parts[0], units: { red: -3, blue: 0 } }]);
});

// The vectors are those of the companion, in `rules/place.rs`.
test("a delivery is dealt as the program deals it", () => {
  const dealt = (sku: string, units: number, parts: number) =>
    new SplitSale("shoes", { parts }).dealt({ [sku]: units }, { new: true }).map((part) => part.units[sku]);
  assert.deepEqual(dealt("red", 11, 4), [2, 3, 3, 3]);
  assert.deepEqual(dealt("blue", 2, 4), [1, 0, 0, 1]);
  assert.deepEqual(dealt("red", 7, 3), [2, 3, 2]);
  assert.deepEqual(dealt("red", 5, 12), [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
  const split = new SplitSale("shoes", { parts: 4 });
  assert.deepEqual(split.dealt({ blue: 2 }), [0, 3].map((part) => ({ ...split.parts[part], units: { blue: 1 } })));
  assert.throws(() => split.dealt({ red: 5, blue: -1 }), RangeError);
});

test("the stock of all parts adds up", () => {
  const item = (sku: string, available: number, reserved: number, sold: number, waiting: number | null) => ({ sku, available, reserved, sold, waiting });
  const one = [item("red", 1, 2, 3, 4), item("blue", 1, 0, 0, null)];
  const two = [item("blue", 2, 3, 4, null), null, item("green", 7, 0, 0, 0), item("red", 10, 20, 30, 40)];
  assert.deepEqual(totalStock([one, two]), [item("red", 11, 22, 33, 44), item("blue", 3, 3, 4, 0), item("green", 7, 0, 0, 0)]);
  assert.deepEqual(totalStock([]), []);
});

test("whoever knows only an id asks its part first and then all", async () => {
  const asked: number[] = [];
  const split = new SplitSale("s", { parts: 4 });
  const has = (owner: number | null, away: number[] = []) => ({
    flashsale: {
      get: async (key: string) => {
        const part = split.parts.findIndex((one) => one.key === key);
        asked.push(part);
        if (away.includes(part)) throw new FlashSaleError("CLUSTERDOWN The cluster is down");
        return part === owner ? ({ state: "sold" } as never) : null;
      },
    },
  });
  const id = newId(2);
  assert.equal((await split.find(has(2), id))?.part, split.parts[2]);
  assert.equal((await split.find(has(1), Buffer.from(id)))?.part, split.parts[1]);
  assert.equal(await split.find(has(null), "no ULID"), null);
  assert.deepEqual(asked, [2, 2, 0, 1, 0, 1, 2, 3]);
  await assert.rejects(split.find(has(null, [2]), id), NotKnownYet);
  assert.equal((await split.find(has(3, [2]), id))?.part, split.parts[3]);
});

test("a pass is the one the server takes", () => {
  const vectors: [string | Buffer, string | Buffer, string][] = [
    ["ann-1", "ann", "1795203103000._7VGrWWgIv58ZDqxpGAuZw"],
    ["ann-1", "ann2", "1795203103000.nH9mis8AK9eoYg1eU1dAfQ"],
    ["ann-", Buffer.from("1ann"), "1795203103000.RUGLXx8YQTC4wgwMm5cUPQ"],
    [Buffer.from([0, 0xff, 0x2e]), Buffer.from([0]), "1.MAcEZaPRVQgKLyXJmley4Q"],
    ["i".repeat(255), "u".repeat(255), "1795203103000.MNg_7cID0Bh7DgRR3o32aQ"],
  ];
  for (const [id, user, made] of vectors) {
    const expiresAtMs = Number(made.split(".")[0]);
    assert.equal(newPass("0123456789abcdef".repeat(2), id, user, expiresAtMs), made);
    assert.equal(newPass(Buffer.from("0123456789abcdef".repeat(2)), id, user, expiresAtMs), made);
  }
  assert.throws(() => newPass("0123456789abcdef", "i".repeat(256), "u", 1), RangeError);
});

test("a newer module breaks nothing", () => {
  const answer = flashsale.reserve.transformReply;
  assert.deepEqual(answer(["LATER", "a", 5]), { status: "OTHER", kind: "other", word: "LATER", rest: ["a", 5] });
  const longer = answer(["RESERVED", "a", 1, 2, -1, ["A-12"], "more"]);
  assert(longer.status === "RESERVED" && isYes(longer));
  assert.deepEqual([longer.units, longer.rest], [["A-12"], ["more"]]);
  const appended = answer(["RESERVED", "a", 1, 2, -1, 7]);
  assert.deepEqual(appended.rest, [7]);
  assert.equal(answer(["RESERVED", "a"]).status, "OTHER");
  assert.equal(answer(["TOOFEW", 1, "a"]).status, "OTHER");
  assert.deepEqual(flashsale.user.transformReply(["reserved", 1, "later", 2]).more, { later: 2 });
  assert.equal(flashsale.stock.transformReply([["a", 9007199254740991, 0, 0, 1, "more"]])[0]?.available, 9007199254740991);
  // Of an older module.
  assert.deepEqual(flashsale.stock.transformReply([["a", 1, 0, 0]]), [{ sku: "a", available: 1, reserved: 0, sold: 0, waiting: null }]);
});

test("a page of units has ids where they were asked for", () => {
  const page = flashsale.units.transformReply(["7", [["A-1", "free"], ["A-2", "sold", "i"], ["A-3", "free", null]]]);
  const free = { state: "free", id: null };
  assert.deepEqual(page, { cursor: 7, units: [{ unit: "A-1", ...free }, { unit: "A-2", state: "sold", id: "i" }, { unit: "A-3", ...free }] });
  // A module without names tells of none.
  assert.deepEqual(flashsale.get.transformReply(["state", "sold"])?.units, []);
});

test("a word that depends on the command is told by its kind", () => {
  assert(isYes(flashsale.release.transformReply(["RELEASED", "a"])));
  assert(isNo(flashsale.checkout.transformReply(["RELEASED", "a"])));
  assert(isNotNow(flashsale.checkout.transformReply(["EXPIRED", "a", 1, 5])));
  assert(isNo(flashsale.checkout.transformReply(["EXPIRED", "a", 1, 0])));
  assert(isNo(flashsale.reserve.transformReply(["SOLD", "old", "1-0"], "old")));
  assert(isYes(flashsale.reserve.transformReply(["SOLD", "new", "1-0"], "old")));
  const answer = flashsale.release.transformReply(["RELEASED", "a"]);
  assert.equal(answer.advice.http, 200);
  assert.equal(JSON.stringify(answer), '{"status":"RELEASED","kind":"yes","id":"a","rest":[]}');
  assert.equal(STATUSES.length, Object.keys(json("answers.json").words).length);
});

test("before the draw nobody is told a number", () => {
  const answer = flashsale.reserve.transformReply;
  const undrawn = answer(["WAITING", "a", -1, 9, -1, 500]);
  assert(undrawn.status === "WAITING" && isNotNow(undrawn));
  assert.equal(undrawn.advice.buyer, "You are in line. The order is drawn when the sale starts.");
  const placed = answer(["WAITING", "a", 0, 9, -1, 500]);
  assert(placed.status === "WAITING" && isNotNow(placed));
  assert.equal(placed.advice.buyer, "You are in line, with at most {ahead} before you.");
  // The compiler knows that none of them is null.
  assert.equal(placed.ahead + placed.left + placed.etaMs + placed.retryInMs, 508);
  assert(isNo(flashsale.checkout.transformReply(["WAITING", "a"])));
});

test("what throttles is told", () => {
  const buyer = (by: string) => flashsale.buy.transformReply(["THROTTLED", 30, by]).advice.buyer;
  assert.deepEqual(["sale", "user", "from"].map(buyer), ["One moment, it is crowded.", "Not so fast.", "Not so fast."]);
});

test("advice is there for every answer", () => {
  const answer = flashsale.reserve.transformReply;
  assert.deepEqual([answer(["LATER"]).advice.http, retryAfterS(answer(["LATER"]))], [500, null]);
  assert.equal(retryAfterS(answer(["NOTSTARTED", 1001])), 2);
  assert.equal(retryAfterS(answer(["PAUSED", 0])), 5);
  assert.equal(ERRORS["OOM"]?.http, 503);
});

for (const { code, again } of errors) {
  test(`${code} ${again ? "is tried again" : "is final"}`, async () => {
    const { client, received, end } = await fake(`-${code} key: some text\r\n`, RESERVED);
    const call = () => retry(() => client.flashsale.reserve("s", "ann", 1, { id: "a" }), soon());
    if (again) {
      assert.equal((await call()).status, "RESERVED");
      assert.deepEqual(received[0], received[1]);
    } else {
      await assert.rejects(call, (error) => error instanceof FlashSaleError && error.code === code && error.text === "key: some text");
      assert.equal(received.length, 1);
    }
    end();
  });
}

test("a lost connection is tried again with the same words", async () => {
  const { client, received, end } = await fake(CUT, CUT, RESERVED);
  assert.equal((await retry(() => client.flashsale.reserve("s", "ann", 1, { id: "a" }), soon())).status, "RESERVED");
  assert.equal(received.length, 3);
  assert.deepEqual(received[0], received[2]);
  end();
});

test("not now is waited for only when asked, and a no never", async () => {
  const { client, received, end } = await fake(ALLRESERVED, ALLRESERVED, RESERVED, "*3\r\n$7\r\nSOLDOUT\r\n:0\r\n$1\r\ns\r\n", ALLRESERVED);
  const call = () => client.flashsale.reserve("s", "ann", 1, { id: "a" });
  assert.equal((await retry(call, soon())).status, "ALLRESERVED");
  const began = Date.now();
  assert.equal((await retry(call, { ...soon(), wait: true })).status, "RESERVED");
  assert(Date.now() - began >= 30);
  assert.equal((await retry(call, { ...soon(), wait: true })).status, "SOLDOUT");
  assert.equal((await retry(call, { ...soon(10), wait: true })).status, "ALLRESERVED");
  assert.equal(received.length, 5);
  end();
});

test("whoever is in line asks again exactly when told", async () => {
  const pauses: unknown[] = [];
  const { client, received, end } = await fake(waiting(-1, 300), waiting(3, 60_000), waiting(0, 250), RESERVED, waiting(0, 300), waiting(0, 60_000));
  const slept = mock.method(timers, "setTimeout", async (ms: number) => void pauses.push(ms));
  syncBuiltinESMExports();
  try {
    const call = () => client.flashsale.reserve("s", "ann", 1, { id: "a", wait: true });
    assert.equal((await retry(call, { ...soon(90_000), wait: true })).status, "RESERVED");
    assert.deepEqual(pauses, [300, 60_000, 250]);
    assert(received.length === 4 && received.every((one) => String(one) === String(received[0])));
    assert.equal(received[0]?.at(-1), "WAIT");
    // Without `wait`, and without time for the next poll, the place is the answer.
    assert.equal((await retry(call, soon())).status, "WAITING");
    assert.equal((await retry(call, { ...soon(30_000), wait: true })).status, "WAITING");
    assert.equal(pauses.length, 3);
  } finally {
    slept.mock.restore();
    syncBuiltinESMExports();
  }
  end();
});

test("what retry is given by mistake is named", async () => {
  const call = async () => assert.fail("called");
  const { until } = soon();
  // A duration, seconds, no moment at all; and a number in the place of the options.
  for (const wrong of [10, 5000.5, until / 1000, Number.NaN, Infinity, undefined, null, "10", new Date("never")]) {
    await assert.rejects(retry(call, { until: wrong as number }), { name: "TypeError", message: /until is a Date or Unix time in milliseconds/ });
  }
  for (const wrong of [until, undefined, null]) {
    await assert.rejects(retry(call, wrong as never), { name: "TypeError", message: /until is a Date or Unix time in milliseconds/ });
  }
  await assert.rejects(retry(Promise.resolve(1) as never, { until }), { name: "TypeError", message: /takes a function/ });
  assert.equal(await retry(async () => 1, { until: new Date(until) }), 1);
});

test("no time is exceeded", async () => {
  const { client, end } = await fake(...Array<string>(1000).fill("-LOADING x\r\n"));
  const began = Date.now();
  await assert.rejects(retry(() => client.flashsale.pause("s"), soon(500)), { code: "LOADING" });
  assert(Date.now() - began < 1000);
  end();
});

test("what is not safe to repeat is sent once", async () => {
  const { client, received, end } = await fake(CUT, CUT, CUT, "+OK\r\n");
  await assert.rejects(client.flashsale.create("s", "s:o", 1));
  await assert.rejects(client.flashsale.restock("s", 1, { ref: null }));
  assert.equal(received.length, 2);
  await assert.rejects(retry(() => client.flashsale.create("s", "s:o", 1), soon()), UnsafeCall);
  await assert.rejects(retry(async () => (await client.ping(), client.flashsale.restock("s", 1, { ref: null })), soon()), UnsafeCall);
  assert.equal(received.length, 2);
  await retry(() => client.flashsale.create("s", "s:o", 1, { saleid: newId() }), soon());
  assert.equal(received.length, 4);
  end();
});

test("an id and the ref of a part cannot be forgotten", async () => {
  const { client, received, end } = await fake();
  const { flashsale: sale } = client;
  // @ts-expect-error no id
  const none = () => sale.reserve("s", "ann", 1, {});
  // @ts-expect-error no ref
  const part = async () => sale.refund("s", "s:o", "a", { qty: 1 });
  // @ts-expect-error no ref
  const restock = () => sale.restock("s", 1);
  await assert.rejects(part, { name: "TypeError", message: /REFUND of a part: the option ref/ });
  await assert.rejects(async () => none(), { name: "TypeError", message: /RESERVE: the option id .* not undefined/ });
  await assert.rejects(async () => restock(), { name: "TypeError", message: /RESTOCK: the option ref is .* or null; not undefined/ });
  // As plain JavaScript lets it through.
  for (const wrong of [undefined, null, {}, { id: undefined }, { id: null }, { id: {} }, { id: 7 }] as never[]) {
    for (const call of [() => sale.reserve("s", "ann", 1, wrong), () => sale.buy("s", "s:o", "ann", 1, wrong)]) {
      await assert.rejects(async () => call(), { name: "TypeError", message: /the option id/ });
    }
  }
  assert.deepEqual(received, []);
  end();
});

test("what are no units is refused with an example", async () => {
  const { client, received, end } = await fake();
  const { flashsale: sale } = client;
  for (const wrong of [undefined, null, "mug", ["mug"], [["mug"]], {}, [], { mug: undefined }, { mug: "1" }, [[1, 2]], true] as never[]) {
    const expected = { name: "TypeError", message: /units are a number, or a number for each SKU, such as \{ red: 1 \}; not / };
    await assert.rejects(async () => sale.reserve("s", "ann", wrong, { id: "a" }), expected);
    await assert.rejects(async () => sale.create("s", "s:o", wrong), expected);
  }
  assert.equal(received.length, 0);
  await sale.reserve("s", "ann", new Map([["mug", 1]]), { id: "a" });
  assert.deepEqual(received[0]?.slice(3, 7), ["ITEMS", "1", "mug", "1"]);
  end();
});
