// The operator's page: stock, state, how far the worker is, and what a person has to decide.
//
// The password is `SHOP_ADMIN_PASSWORD`; without it there is no page. Those who guess must not keep
// the operator from PAUSE, so the right password never waits, and a short one is refused at the
// start. A login gives a cookie that no other site can make a browser send (SameSite=Strict).

import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { FlashSaleError, NotKnownYet, retry, totalStock } from "flashsale-client";

import { change, client, IS_TLS, isSame, row, rows, sale, shared, shoes, within, writeOff } from "./books.js";
import { askParts, stateOf } from "./stock.js";

/** @import { FastifyInstance, FastifyReply, FastifyRequest } from "fastify" */
/** @import { Part } from "flashsale-client" */

const PASSWORD = process.env.SHOP_ADMIN_PASSWORD ?? "";
if (PASSWORD && PASSWORD.length < 12) throw new Error("SHOP_ADMIN_PASSWORD needs 12 characters or more");
const PAGE = shared("admin.html");
// Sessions end with the process, and with the day.
const SESSION_S = 8 * 3600;
const secret = randomBytes(32);

/** @param {number} until */
const session = (until) => `${until}.${createHmac("sha256", secret).update(String(until)).digest("hex")}`;

/** @param {FastifyRequest} request @param {FastifyReply} reply */
async function insistOnOperator(request, reply) {
  const cookie = request.cookies.admin ?? "";
  const until = parseInt(cookie, 10);
  if (!isSame(cookie, session(until)) || until < Date.now() / 1000) return reply.code(401).send({});
}

/** @param {string} given */
async function check(given) {
  if (PASSWORD && isSame(given, PASSWORD)) return true;
  await sleep(1000);
  return false;
}

/** The same call until it is answered: each has a REF, or may be repeated anyway. @template A @param {() => Promise<A>} call */
const ask = (call) => retry(call, { until: Date.now() + 5000 });

/** @param {FastifyInstance} app */
export async function admin(app) {
  app.get("", async (_, reply) =>
    reply
      .code(PASSWORD ? 200 : 404)
      .headers({ "Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'" })
      .type("text/html")
      .send(PAGE),
  );

  app.post("/login", async (request, reply) => {
    const { password } = /** @type {{ password?: unknown }} */ (request.body ?? {});
    if (!(await check(String(password)))) return reply.code(401).send({ says: "That is not the password." });
    const until = Math.floor(Date.now() / 1000) + SESSION_S;
    return reply.setCookie("admin", session(until), { path: "/admin", httpOnly: true, sameSite: "strict", secure: IS_TLS }).send({});
  });

  app.get("/state", { preHandler: insistOnOperator }, async () => {
    const found = await askParts();
    const said = found.flatMap((one) => one ?? []);
    const away = said.length < found.length ? `; ${found.length - said.length} of ${found.length} parts do not answer` : "";
    return {
      state: stateOf(said) + away,
      now_ms: Math.max(...said.map(({ info }) => info.nowMs)),
      items: totalStock(said.map(({ items }) => items)),
      groups: await groups(),
      intents: Object.fromEntries(rows("SELECT state, count(*) AS n FROM intents GROUP BY state").map(({ state, n }) => [state, n])),
      jobs: Object.fromEntries(rows("SELECT kind, count(*) AS n FROM jobs GROUP BY kind").map(({ kind, n }) => [kind, n])),
      alarms: rows("SELECT * FROM alarms ORDER BY at_ms DESC LIMIT 100"),
    };
  });

  // PAUSE, RESUME, RESTOCK, the refund of an order, and an alarm that was dealt with.
  app.post("/act", { preHandler: insistOnOperator }, async (request, reply) => {
    const asked = /** @type {Record<string, any>} */ (request.body);
    try {
      switch (asked.action) {
        case "pause":
          return await inEach(reply, shoes.parts, ({ key }) => sale.pause(key));
        case "resume":
          return await inEach(reply, shoes.parts, ({ key }) => sale.resume(key));
        case "restock": {
          const dealt = shoes.dealt({ [asked.sku]: asked.delta }, { new: asked.delta === 0 });
          return await inEach(reply, dealt, ({ key, units }) => sale.restock(key, units, { ref: asked.ref }));
        }
        case "refund":
          return await refund(reply, asked.id, asked.ref);
        case "done":
          change("DELETE FROM alarms WHERE topic = ? AND id = ?", asked.topic, asked.id);
          return { says: "Done." };
        default:
          return reply.code(400).send({ says: "No such action." });
      }
    } catch (thrown) {
      const error = FlashSaleError.from(thrown);
      // A RangeError: below 0, in a split sale.
      if (!(error instanceof FlashSaleError || error instanceof RangeError)) throw error;
      return reply.code(409).send({ says: error.message });
    }
  });
}

/**
 * The same in each part, safe to repeat and not atomic: a part that does not answer keeps no other from it.
 *
 * @template {Part} P
 * @param {FastifyReply} reply
 * @param {readonly P[]} parts
 * @param {(part: P) => Promise<import("flashsale-client").Answer & { status: string }>} call
 */
async function inEach(reply, parts, call) {
  const settled = await Promise.allSettled(parts.map((part) => ask(() => call(part))));
  const answers = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const lost = settled.flatMap((one, i) => (one.status === "rejected" ? [{ key: parts[i].key, error: one.reason }] : []));
  if (lost.length > 0 && parts.length === 1) throw lost[0].error;
  if (lost.length > 0) {
    const each = lost.map(({ key, error }) => `${key}: ${error}`).join("; ");
    return reply.code(503).send({ says: `${answers.length} of ${parts.length} parts did it. Send it again: ${each}` });
  }
  const worst = answers.reduce((a, b) => (b.advice.http > a.advice.http ? b : a));
  return reply.code(worst.advice.http).send({ says: worst.status });
}

/** How far the readers of the order stream are; of all streams together, those of parts that answer. */
async function groups() {
  /** @type {Map<string, { name: string, behind: number, pending: number, oldest_pending_ms: number }>} */
  const shown = new Map();
  const read = async (/** @type {Part} */ { orders }) => {
    const found = (await client.exists(orders)) ? await client.xInfoGroups(orders) : [];
    for (const { name, pending, ["last-delivered-id"]: last } of found) {
      const { firstId } = await client.xPending(orders, name);
      // Not `lag`, which may be far too large after a restart or a failover.
      const behind = (await client.xRange(orders, `(${last}`, "+", { COUNT: 1000 }))?.length ?? 0;
      const ageMs = firstId ? Date.now() - parseInt(firstId, 10) : 0;
      const { behind: others = 0, pending: more = 0, oldest_pending_ms: oldest = 0 } = shown.get(name) ?? {};
      shown.set(name, { name, behind: others + behind, pending: more + pending, oldest_pending_ms: Math.max(oldest, ageMs) });
    }
  };
  await Promise.allSettled(shoes.parts.map((part) => within(read(part))));
  return [...shown.values()];
}

/** The part that has an order: our books know whose it is, and else the part itself. @param {string} id @returns {Promise<Part | undefined>} */
async function partOf(id) {
  const whose = row("SELECT user FROM orders WHERE id = ? UNION SELECT user FROM intents WHERE reservation = ?", id, id);
  return whose ? shoes.of(whose.user) : (await shoes.find({ flashsale: sale }, id))?.part;
}

/**
 * Takes an order back whole. The `refund` entry moves the money, by way of the worker. An order
 * that the sale has lost has no such entry: then it is written off here.
 *
 * @param {FastifyReply} reply
 * @param {string} id
 * @param {string} ref
 */
async function refund(reply, id, ref) {
  let part;
  try {
    part = await partOf(id);
  } catch (error) {
    if (!(error instanceof NotKnownYet)) throw error;
    return reply.code(503).send({ says: `${error.message}: ask again.` });
  }
  if (!part) return reply.code(404).send({ says: "Nobody knows this order." });
  const { key, orders } = part;
  const answer = await ask(() => sale.refund(key, orders, id, { ref }));
  // NOTSOLD without a SKU: nothing of it was bought.
  const isUnknown = answer.status === "NORESERVATION" || (answer.status === "NOTSOLD" && answer.sku === null);
  const isLost = isUnknown && writeOff(id, ref);
  if (!isLost && answer.status !== "REFUNDED") {
    return reply.code(answer.advice.http).send({ says: `${answer.status}: there is nothing to refund.` });
  }
  change("DELETE FROM alarms WHERE topic = 'owed' AND id = ?", id);
  return { says: "The money goes back." };
}
