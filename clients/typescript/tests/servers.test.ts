// What only real servers show: pipelines, orders read by workers, a killed server, a cluster.

import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { consume, doctorOf, type Entry, FlashSaleError, flashsale, newId, pipeline, rateHeaders, retry } from "flashsale-client";
import { createSentinel } from "redis";

import { client, cluster, isShort, Server } from "./support.js";

for (const RESP of [2, 3] as const) {
  test(`a pipeline answers in order with errors in their place, RESP${RESP}`, async () => {
    const one = await client(RESP).connect();
    await one.flushAll();
    const { flashsale } = one;
    await flashsale.create("s", "s:o", 3);
    const [reserved, failed, stock] = await pipeline([
      flashsale.reserve("s", "ann", 1, { id: "a" }),
      flashsale.get("none", "a"),
      flashsale.stock("s", "default", "nosuch"),
    ]);
    assert(!(reserved instanceof FlashSaleError) && reserved.status === "RESERVED");
    assert(failed instanceof FlashSaleError && failed.code === "NOSALE");
    assert.deepEqual(stock, [{ sku: "default", available: 2, reserved: 1, sold: 0, waiting: 0 }, null]);
    const [sold, info] = await one.multi().flashsale.checkout("s", "s:o", "a", { ref: "p" }).flashsale.info("s").exec();
    assert.equal((sold as unknown as { status: string }).status, "SOLD");
    assert.deepEqual((info as unknown as { more: object }).more, {});
    await one.close();
  });

  test(`a limit counts calls and tells a browser, RESP${RESP}`, async () => {
    const one = await client(RESP).connect();
    await one.flushAll();
    const rate = [2, 600_500] as const;
    const policy = { name: "login", count: 2, ms: 600_500 };
    const first = await one.flashsale.throttle("login", "ann", ...rate);
    assert.deepEqual(first, { status: "ALLOWED", limit: 2, remaining: 1, retryInMs: 0, resetInMs: 300_250 });
    assert.deepEqual(rateHeaders(first, policy), {
      "RateLimit-Policy": '"login";q=2;w=601',
      RateLimit: '"login";r=1;t=301',
      "X-RateLimit-Limit": "2",
      "X-RateLimit-Remaining": "1",
      "X-RateLimit-Reset": "301",
    });
    assert.equal((await one.flashsale.throttle("login", "ann", ...rate, { cost: 0 })).remaining, 1);
    assert.equal((await one.flashsale.throttle("login", "ann", ...rate, { burst: 3, cost: 2 })).remaining, 0);
    const refused = await one.flashsale.throttle("login", "ann", ...rate);
    assert.equal(refused.status, "THROTTLED");
    const after = Number(rateHeaders(refused, policy)["Retry-After"]);
    assert(after > 290 && after <= 301);
    await assert.rejects(one.flashsale.throttle("login", "ann", 1, 1000, { cost: 2 }));
    await one.close();
  });

  test(`reads have no field that is not known, RESP${RESP}`, async () => {
    const one = await client(RESP).connect();
    await one.flushAll();
    const { flashsale } = one;
    await flashsale.create("s", "s:o", 3, { userlimit: 2 });
    await flashsale.buy("s", "s:o", "ann", 1, { id: "a", ref: "p" });
    const found = await flashsale.get("s", "a");
    assert.deepEqual([found?.state, found?.user, found?.ref, found?.items, found?.more], ["sold", "ann", "p", [["default", 1]], {}]);
    assert.equal(await flashsale.get("s", "none"), null);
    assert.deepEqual((await flashsale.user("s", "ann")).more, {});
    assert.equal((await flashsale.audit("s", { orders: "s:o" })).entries, 1);
    assert.deepEqual((await flashsale.audit("s")).more, {});
    assert.deepEqual(await flashsale.scan("s", 0), { cursor: 0, ids: ["a"] });
    assert((await flashsale.doctor()).every((row) => row?.severity && row.topic && row.advice));
    assert((await flashsale.help()).some((line) => line.includes("FLASHSALE.RESERVE")));
    assert.equal((await flashsale.help("release"))[0], "FLASHSALE.RELEASE key id [USER user]");
    // Names as bytes, for whoever asks for them.
    const bytes = one.withTypeMapping({ 36: Buffer });
    const id = Buffer.from([0, 255]);
    await bytes.flashsale.reserve("s", Buffer.from([255, 254]), 1, { id });
    const kept = await bytes.flashsale.get("s", id);
    const user: Buffer | null | undefined = kept?.user;
    assert.deepEqual(user, Buffer.from([255, 254]));
    assert.equal(kept?.state, "reserved");
    await one.close();
  });

  test(`orders are consumed at least once, RESP${RESP}`, { timeout: 30_000 }, async () => {
    const one = await client(RESP).connect();
    const worker = await client(RESP).connect();
    await one.flushAll();
    const { flashsale } = one;
    const gather = async (name: string, many: number, claimIdleMs = 60_000): Promise<Entry[]> => {
      const found: Entry[] = [];
      const over = new AbortController();
      const handle = (entry: Entry) => {
        if (found.push(entry) === many) over.abort();
      };
      await consume(worker, "s:o", "shipping", name, handle, { signal: over.signal, claimIdleMs });
      return found;
    };
    const fails = (entry: Entry) => {
      throw new RangeError(entry.id);
    };
    await flashsale.create("s", "s:o", { a: 9, b: 9 });
    await flashsale.buy("s", "s:o", "ann", { a: 1, b: 2 }, { id: "o1", ref: "p1", payload: { gift: true } });
    await flashsale.refund("s", "s:o", "o1", { qty: { b: 1 }, ref: "r1" });
    const [order, refund] = await gather("one", 2);
    assert.deepEqual([order?.event, order?.id, order?.qty, order?.payload], ["order", "o1", 3, '{"gift":true}']);
    assert.deepEqual(order?.items, [{ sku: "a", qty: 1 }, { sku: "b", qty: 2 }]);
    assert.equal(refund?.key, JSON.stringify(["refund", order?.saleId, "o1", "r1"]));
    // What throws stays pending, and comes again under the same name, or to another one.
    await flashsale.buy("s", "s:o", "bob", { a: 1 }, { id: "o2" });
    await assert.rejects(consume(worker, "s:o", "shipping", "one", fails), RangeError);
    assert.deepEqual((await gather("one", 1)).map((entry) => entry.id), ["o2"]);
    await flashsale.buy("s", "s:o", "cyd", { a: 1 }, { id: "o3" });
    await assert.rejects(consume(worker, "s:o", "shipping", "dead", fails), RangeError);
    assert.deepEqual((await gather("two", 1, 0)).map((entry) => entry.id), ["o3"]);
    // A deleted one is forgotten.
    await flashsale.buy("s", "s:o", "dan", { a: 1 }, { id: "o4" });
    await assert.rejects(consume(worker, "s:o", "shipping", "two", fails), RangeError);
    await one.xTrim("s:o", "MAXLEN", 0);
    await flashsale.buy("s", "s:o", "eve", { a: 1 }, { id: "o5" });
    assert.deepEqual((await gather("two", 1)).map((entry) => entry.id), ["o5"]);
    assert.equal((await one.xPending("s:o", "shipping")).pending, 0);
    await one.close();
    await worker.close();
  });
}

test("retry waits in line until the units come", async () => {
  const one = await client(3).connect();
  await one.flushAll();
  const { flashsale } = one;
  await flashsale.create("s", "s:o", 1, { waiting: 9, holdMs: 1200 });
  await flashsale.reserve("s", "ann", 1, { id: "a" });
  const leaving = sleep(500).then(() => flashsale.release("s", "a"));
  const call = () => flashsale.reserve("s", "bob", 1, { id: "b", wait: true });
  const answer = await retry(call, { until: Date.now() + 10_000, wait: true });
  assert(answer.status === "RESERVED" && answer.id === "b");
  await leaving;
  assert.deepEqual([(await flashsale.get("s", "b"))?.state, (await flashsale.info("s")).granted], ["reserved", 1]);
  await one.close();
});

test("doctor asks every node of a cluster, and pipelines go to its nodes", { skip: isShort }, async () => {
  const many = cluster(3);
  await many.connect();
  const found = await doctorOf(many);
  assert.equal(Object.keys(found).length, 3);
  assert(Object.values(found).flat().every((row) => row.severity && row.topic && row.advice));
  const keys = ["{a}", "{b}", "{c}"];
  await Promise.all(keys.map((key) => many.del(key)));
  const made = await pipeline(keys.map((key) => many.flashsale.create(key, `${key}:o`, 1)));
  assert(made.every((one) => !(one instanceof FlashSaleError) && one.status === "OK"));
  await many.close();
});

test("a client of Sentinel and a pool will do", async () => {
  const at = { host: "127.0.0.1", port: Number(process.env.FLASHSALE_SENTINEL_PORT) };
  const watched = createSentinel({ name: "shop", sentinelRootNodes: [at], modules: { flashsale } });
  await watched.connect();
  await watched.del(["w", "w:o"]);
  assert.equal((await watched.flashsale.create("w", "w:o", 2)).status, "OK");
  const sold = await retry(() => watched.flashsale.buy("w", "w:o", "ann", 1, { id: "a" }), { until: Date.now() + 10_000 });
  assert.equal(sold.status, "SOLD");
  await watched.close();
  const one = client(3);
  const pool = one.createPool();
  await pool.connect();
  assert.equal((await pool.flashsale.get("w", "a"))?.state, "sold");
  await pool.close();
});

test("a killed server leaves one reservation an id", { timeout: 60_000 }, async () => {
  const server = new Server(20_000 + (process.pid % 20_000));
  await server.start();
  const one = client(3, server.port);
  one.on("error", () => {});
  await one.connect();
  await one.flashsale.create("s", "s:o", 100_000);
  const killing = (async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(300);
      await server.kill();
      await sleep(100);
      await server.start();
    }
  })();
  const seen = new Map<string, number>();
  for (const end = Date.now() + 2000; Date.now() < end; ) {
    const id = newId();
    const answer = await retry(() => one.flashsale.reserve("s", "ann", 1, { id }), { until: Date.now() + 20_000 });
    assert(answer.status === "RESERVED" && answer.id === id);
    seen.set(id, answer.expiresAtMs);
  }
  await killing;
  const info = await one.flashsale.info("s");
  assert.deepEqual([info.reservationsOpen, info.reserved], [seen.size, seen.size]);
  assert(seen.size > 10);
  assert((await one.flashsale.audit("s", { orders: "s:o" })).consistent);
  for (const [id, deadline] of seen) assert.equal((await one.flashsale.get("s", id))?.expiresAtMs, deadline);
  one.destroy();
  await server.end();
});
