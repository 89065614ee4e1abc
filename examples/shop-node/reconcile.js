// Makes books and sale agree again after Redis has lost its last moments, and nightly.
//
//     node reconcile.js         now, after every new run_id of the server, and every night
//     node reconcile.js once    now
//
// A lost order is sold again by CHECKOUT or BUY, under the same id and REF. The sale may refuse
// that: the units are gone, a limit or END stands in the way, or the reservation has expired. Then
// the order stands in `alarms` as `owed`, and a person finds units or gives the money back.

import { setTimeout as sleep } from "node:timers/promises";

import { FlashSaleError, isNotNow, pipeline } from "flashsale-client";

import { addJob, alarm, change, client, connected, isNoAnswer, KEY, ORDERS, rows, sale, sign, STALE_MS, transaction, unitsOf } from "./books.js";

const EVERY_MS = Number(process.env.SHOP_RECONCILE_MS ?? 24 * 3600 * 1000);

// Orders that were not given back.
const KEPT = `SELECT o.* FROM orders o JOIN intents i ON i.reservation = o.id
  WHERE o.sale_id = ? AND i.state IN ('sold', 'captured')
  AND o.qty > (SELECT coalesce(sum(qty), 0) FROM refunds r WHERE r.sale_id = o.sale_id AND r.id = o.id)`;

/** Sells again, under the same id and REF, what the sale has lost; says whether all is decided. @param {string} saleId */
async function lostOrders(saleId) {
  const orders = rows(KEPT, saleId);
  let isDecided = true;
  for (let start = 0; start < orders.length; start += 500) {
    const some = orders.slice(start, start + 500);
    const known = await pipeline(some.map(({ id }) => sale.get(KEY, id)));
    for (const [i, found] of known.entries()) {
      if (found instanceof FlashSaleError) throw found;
      if (!found || !["sold", "refunded"].includes(found.state)) isDecided = (await sellAgain(some[i])) && isDecided;
    }
  }
  return isDecided;
}

/** @param {any} order A row of `orders`. */
async function sellAgain({ id, user, ref, items, payload }) {
  const paid = { ref, payload: payload ?? undefined };
  /** @type {import("flashsale-client").CheckoutAnswer | import("flashsale-client").BuyAnswer} */
  let answer = await sale.checkout(KEY, ORDERS, id, { user, ...paid });
  if (answer.status === "NORESERVATION") {
    const pass = sign(id, user, (await sale.info(KEY)).nowMs);
    answer = await sale.buy(KEY, ORDERS, user, unitsOf(items), { id, pass, ...paid });
  }
  if (isNotNow(answer)) return false;
  if (answer.status === "SOLD") {
    change("DELETE FROM alarms WHERE topic = 'owed' AND id = ?", id);
  } else {
    alarm("owed", id, `${items} for ${user} is paid, and the sale has lost it (${answer.status}): find units, or refund it.`);
  }
  return true;
}

/** Makes refunds of the books again, with the same REF, of orders of which the sale knows fewer. @param {string} saleId */
async function lostRefunds(saleId) {
  for (const { id, qty } of rows("SELECT id, sum(qty) AS qty FROM refunds WHERE sale_id = ? GROUP BY id", saleId)) {
    const known = await sale.get(KEY, id);
    const refunded = (known?.refunded ?? []).reduce((sum, [, units]) => sum + Number(units), 0);
    if (known?.state !== "sold" || refunded >= qty) continue;
    for (const { ref, items } of rows("SELECT * FROM refunds WHERE sale_id = ? AND id = ?", saleId, id)) {
      const answer = await sale.refund(KEY, ORDERS, id, { qty: unitsOf(items), ref });
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

const isOnce = process.argv[2] === "once";
let run = "";
let compareAtMs = 0;
let isDecided = false;
await connected;
for (;;) {
  try {
    const { graceMs, saleId } = await sale.info(KEY);
    const nowRun = /run_id:(\w+)/.exec(await client.info("server"))?.[1] ?? "";
    leftBehind(graceMs);
    if (nowRun !== run || Date.now() >= compareAtMs) {
      isDecided = await lostOrders(saleId);
      await lostRefunds(saleId);
      // Once more soon: the worker may have had an entry in hand when the server died.
      compareAtMs = Date.now() + (nowRun === run && isDecided ? EVERY_MS : Math.min(STALE_MS, 5000));
      run = nowRun;
    }
    if (isOnce && isDecided) break;
  } catch (thrown) {
    const error = FlashSaleError.from(thrown);
    if (!isNoAnswer(error) && !(error instanceof FlashSaleError)) throw error;
    console.log(`reconcile: ${error}; again in a moment`);
  }
  await sleep(Math.min(STALE_MS, 1000));
}
for (const { topic, id, says } of rows("SELECT * FROM alarms ORDER BY at_ms")) console.log(`${topic}: ${id}: ${says}`);
client.destroy();
