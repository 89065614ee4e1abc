// The stock as all pages see it: asked for at most twice a second, however many look.

import { randomInt } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import { FlashSaleError, pipeline } from "flashsale-client";

import { CURRENCY, isNoAnswer, KEY, rows, sale } from "./books.js";

/** @import { FastifyInstance } from "fastify" */

/** @returns {Map<string, { sku: string, title: string, cents: number }>} */
export const prices = () => new Map(rows("SELECT * FROM prices").map((price) => [price.sku, price]));

let text = "";
let askedAtMs = 0;
let aheadMs = 0;
/** Most people in line: 0, and nobody waits. */
export let waitingMax = 0;
/** The sale's clock, which judges passes. */
export const saleNowMs = () => Date.now() + aheadMs;

/** The stock as one text that all pages get. */
export async function stock() {
  if (Date.now() - askedAtMs < 500) return text;
  askedAtMs = Date.now();
  const [info, found] = await pipeline([sale.info(KEY), sale.stock(KEY)]);
  if (info instanceof FlashSaleError || found instanceof FlashSaleError) return text;
  const price = prices();
  const items = found.flatMap((item) => (item && price.has(item.sku) ? [{ ...item, ...price.get(item.sku) }] : []));
  const { nowMs: now_ms, state, userlimit } = info;
  waitingMax = info.waitingMax;
  aheadMs = now_ms - Date.now();
  return (text = JSON.stringify({ now_ms, state, userlimit, waiting_max: waitingMax, currency: CURRENCY, items }));
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
