// What needs no server of ours: ids, odd replies, errors, and what is sent again.

import assert from "node:assert/strict";
import test from "node:test";

import { ERRORS, FlashSaleError, flashsale, isNo, isNotNow, isYes, newId, partOf, retry, retryAfterS, STATUSES, UnsafeCall } from "flashsale-client";

import { CUT, fake, json } from "./support.js";

const errors = json("answers.json").errors as { code: string; again: boolean }[];
const RESERVED = "*5\r\n$8\r\nRESERVED\r\n$1\r\na\r\n:1\r\n:2\r\n:-1\r\n";
const ALLRESERVED = "*3\r\n$11\r\nALLRESERVED\r\n:30\r\n$1\r\ns\r\n";
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
  assert.equal(flashsale.stock.transformReply([["a", 9007199254740991, 0, 0]])[0]?.available, 9007199254740991);
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
  const { client, end } = await fake();
  const { flashsale: sale } = client;
  // @ts-expect-error no id
  const none = () => sale.reserve("s", "ann", 1, {});
  // @ts-expect-error no ref
  const part = async () => sale.refund("s", "s:o", "a", { qty: 1 });
  // @ts-expect-error no ref
  const restock = () => sale.restock("s", 1);
  await assert.rejects(part, TypeError);
  assert([none, restock].every((call) => typeof call === "function"));
  end();
});
