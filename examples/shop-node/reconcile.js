// Makes books and sale agree again after Redis has lost its last moments, and nightly.
//
//     node reconcile.js         now, after every new run_id of the server, and every night
//     node reconcile.js once    now
//
// A lost order is brought back by IMPORT, under the same id and REF and as of the moment it was
// sold, whatever the sale's window and limits say. Units that are gone by then are owed: the order
// stands in `alarms` as `owed`, until a person finds units or gives the money back.
//
// Of a split sale each part has a `sale_id` of its own, which stands in the books with each order: so
// an order goes back to the part that sold it. A part that does not answer keeps no other waiting.

import { setTimeout as sleep } from "node:timers/promises";

import { FlashSaleError, pipeline } from "flashsale-client";

import {
  addJob, alarm, change, checkParts, client, connected, isNoAnswer, rows, runs, sale, shoes, STALE_MS, transaction, unitsOf,
} from "./books.js";
/** @import { Part } from "flashsale-client" */
/** @import { Line } from "./books.js" */

const EVERY_MS = Number(process.env.SHOP_RECONCILE_MS ?? 24 * 3600 * 1000);

// Orders that were not given back.
const KEPT = `SELECT o.* FROM orders o JOIN intents i ON i.reservation = o.id
  WHERE o.sale_id = ? AND i.state IN ('sold', 'captured')
  AND o.qty > (SELECT coalesce(sum(qty), 0) FROM refunds r WHERE r.sale_id = o.sale_id AND r.id = o.id)`;

/** Brings back, under the same id and REF, what a part of the sale has lost. @param {Part} part @param {string} saleId */
async function lostOrders(part, saleId) {
  const orders = rows(KEPT, saleId);
  for (let start = 0; start < orders.length; start += 500) {
    const some = orders.slice(start, start + 500);
    const known = await pipeline(some.map(({ id }) => sale.get(part.key, id)));
    for (const [i, found] of known.entries()) {
      if (found instanceof FlashSaleError) throw found;
      if (!found || !["sold", "refunded"].includes(found.state)) await bringBack(part, some[i]);
    }
  }
}

/** @param {Part} part @param {any} order A row of `orders`. */
async function bringBack(part, { id, user, ref, items, payload, at_ms: soldAtMs }) {
  const lines = /** @type {Line[]} */ (JSON.parse(items));
  const numbers = lines.filter(({ units }) => !units).map(({ sku, qty }) => [sku, qty]);
  // Seats and keys by their names: this buyer has seen them.
  const names = lines.flatMap(({ units = [] }) => units);
  const answer = await sale.importOrder(part.key, part.orders, user, numbers.length ? Object.fromEntries(numbers) : null, {
    id, soldAtMs, ref, units: names.length ? names : undefined, payload: payload ?? undefined,
  });
  const what = `${items} for ${user} is paid`;
  if (answer.status !== "SOLD") {
    alarm("lost", id, `${what}, and the sale says ${answer.status}: look at this id there.`);
    return;
  }
  const { owed } = await sale.info(part.key);
  if (owed > 0) alarm("owed", id, `${what}, and the sale has ${owed} units too few: find units, or refund it.`);
}

/** Makes refunds of the books again, with the same REF, of orders of which the sale knows fewer. @param {Part} part @param {string} saleId */
async function lostRefunds({ key, orders }, saleId) {
  for (const { id, qty } of rows("SELECT id, sum(qty) AS qty FROM refunds WHERE sale_id = ? GROUP BY id", saleId)) {
    const known = await sale.get(key, id);
    const refunded = (known?.refunded ?? []).reduce((sum, [, units]) => sum + Number(units), 0);
    if (known?.state !== "sold" || refunded >= qty) continue;
    for (const { ref, items } of rows("SELECT * FROM refunds WHERE sale_id = ? AND id = ?", saleId, id)) {
      const answer = await sale.refund(key, orders, id, { qty: unitsOf(items), ref });
      if (answer.status !== "REFUNDED") alarm("refund", id, `the sale has lost the refund ${ref}, and says ${answer.status}`);
    }
  }
}

const LEFT = {
  checkout: "SELECT id FROM intents WHERE state = 'authorised' AND changed_at_ms < :before",
  "give-back": "SELECT id FROM intents WHERE state = 'closing' AND changed_at_ms < :before OR state = 'open' AND expires_at_ms < :ended",
  capture: "SELECT id FROM intents WHERE state = 'sold' AND changed_at_ms < :before",
  "take-back": `SELECT i.id FROM intents i JOIN orders o ON o.id = i.reservation AND o.ref = i.psp_ref
    LEFT JOIN refunds r ON r.id = o.id WHERE i.state = 'closed' AND i.changed_at_ms < :before AND r.id IS NULL`,
};

/** Gives intents a job again whose answer or entry may have been lost. @param {number} graceMs */
function leftBehind(graceMs) {
  const before = Date.now() - STALE_MS;
  transaction(() => {
    for (const [kind, query] of Object.entries(LEFT)) {
      for (const { id } of rows(query, kind === "give-back" ? { before, ended: before - graceMs } : { before })) addJob(kind, id);
    }
    const lone = "SELECT * FROM intents WHERE state = 'captured' AND reservation NOT IN (SELECT id FROM orders)";
    for (const { id, user, items, cents } of rows(lone)) {
      alarm("captured without an order", id, `${cents} cents of ${user} for ${items}`);
    }
  });
}

/** What `call` answers, or undefined of a part that does not: it is asked again. @template A @param {Part} part @param {() => Promise<A>} call */
async function tried(part, call) {
  try {
    return await call();
  } catch (thrown) {
    const error = FlashSaleError.from(thrown);
    if (!isNoAnswer(error) && !(error instanceof FlashSaleError)) throw error;
    console.log(`reconcile: ${part.key}: ${error}; again in a moment`);
  }
}

const isOnce = process.argv[2] === "once";
// When each part is to be compared, and what served the sale when it was.
const parts = shoes.parts.map((part) => ({ part, run: "", compareAtMs: 0 }));
await checkParts();
await connected;
for (let isDone = false; !isDone; ) {
  const infos = await Promise.all(parts.map(({ part }) => tried(part, () => sale.info(part.key))));
  const known = infos.flatMap((info) => info ?? []);
  if (known.length > 0) leftBehind(Math.max(...known.map(({ graceMs }) => graceMs)));
  if (known.length === parts.length && known.every(({ owed }) => owed === 0)) change("DELETE FROM alarms WHERE topic = 'owed'");
  const now = await runs();
  let compared = 0;
  for (const [i, one] of parts.entries()) {
    const info = infos[i];
    if (!info) continue;
    const isTime = one.run !== now || Date.now() >= one.compareAtMs;
    const isCompared = await tried(one.part, async () => {
      if (!isTime) return true;
      await lostOrders(one.part, info.saleId);
      await lostRefunds(one.part, info.saleId);
      // Once more soon: the worker may have had an entry in hand when the server died.
      one.compareAtMs = Date.now() + (now === one.run ? EVERY_MS : Math.min(STALE_MS, 5000));
      one.run = now;
      return true;
    });
    if (isCompared) compared++;
  }
  isDone = isOnce && compared === parts.length;
  if (!isDone) await sleep(Math.min(STALE_MS, 1000));
}
for (const { topic, id, says } of rows("SELECT * FROM alarms ORDER BY at_ms")) console.log(`${topic}: ${id}: ${says}`);
client.destroy();
