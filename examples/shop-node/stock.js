// The stock as all pages see it: asked for at most twice a second, however many look.

import { randomInt } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { FlashSaleError, pipeline, totalStock } from "flashsale-client";

import { CURRENCY, isNoAnswer, rows, sale, shoes } from "./books.js";

/** @import { FastifyInstance } from "fastify" */
/** @typedef {{ info: Awaited<ReturnType<typeof sale.info>>, items: Awaited<ReturnType<typeof sale.stock>> }} Said What a part says of itself. */

/** @returns {Map<string, { sku: string, title: string, cents: number, kind: string | null }>} */
export const prices = () => new Map(rows("SELECT * FROM prices LEFT JOIN named USING (sku)").map((price) => [price.sku, price]));

/** Each part with its stock, undefined where it does not answer. Throws only if none answers. @returns {Promise<(Said | undefined)[]>} */
export async function askParts() {
  const settled = await Promise.allSettled(
    shoes.parts.map(async ({ key }) => {
      const [info, items] = await pipeline([sale.info(key), sale.stock(key)]);
      if (info instanceof FlashSaleError) throw info;
      if (items instanceof FlashSaleError) throw items;
      return { info, items };
    }),
  );
  if (settled[0].status === "rejected" && settled.every(({ status }) => status === "rejected")) throw settled[0].reason;
  return settled.map((one) => (one.status === "fulfilled" ? one.value : undefined));
}

/** The state of all parts; while they differ, all there are. @param {Said[]} said */
export const stateOf = (said) => [...new Set(said.map(({ info }) => info.state))].sort().join(", ");

let text = "";
let askedAtMs = 0;
let aheadMs = 0;
/** What each part said last: one that does not answer just now has its units still. @type {(Said | undefined)[]} */
let known = [];
/** Most people in line: 0, and nobody waits. */
export let waitingMax = 0;
/** The sale's clock, which judges passes; the latest, where parts are on several servers. */
export const saleNowMs = () => Date.now() + aheadMs;

/** The stock as one text that all pages get. */
export async function stock() {
  if (Date.now() - askedAtMs < 500) return text;
  askedAtMs = Date.now();
  let found;
  try {
    found = await askParts();
  } catch (error) {
    if (error instanceof FlashSaleError) return text;
    throw error;
  }
  aheadMs = Math.max(...found.flatMap((said) => (said ? [said.info.nowMs] : []))) - Date.now();
  known = found.map((said, part) => said ?? known[part]);
  const all = known.flatMap((said) => said ?? []);
  const price = prices();
  const items = totalStock(all.map(({ items }) => items)).flatMap((item) => (price.has(item.sku) ? [{ ...item, ...price.get(item.sku) }] : []));
  const { userlimit } = all[0].info;
  waitingMax = all[0].info.waitingMax;
  return (text = JSON.stringify({ now_ms: saleNowMs(), state: stateOf(all), userlimit, waiting_max: waitingMax, currency: CURRENCY, items }));
}

/** The stock while somebody looks, as server-sent events. */
async function* lines() {
  yield `retry: ${randomInt(2000, 5000)}\n\n`;
  for (;;) {
    try {
      const now = await stock();
      if (now) yield `data: ${now}\n\n`;
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      yield ": the sale does not answer\n\n";
    }
    await sleep(500);
  }
}

/** @param {FastifyInstance} app */
export async function live(app) {
  app.get("/events", (_, reply) => reply.header("Cache-Control", "no-store").type("text/event-stream").send(Readable.from(lines())));
}
