// The operator's page: stock, state, how far the worker is, and what a person has to decide.
//
// The password is `SHOP_ADMIN_PASSWORD`; without it there is no page. Those who guess must not keep
// the operator from PAUSE, so the right password never waits, and a short one is refused at the
// start. A login gives a cookie that no other site can make a browser send (SameSite=Strict).

import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { FlashSaleError, retry } from "flashsale-client";

import { change, client, IS_TLS, isSame, KEY, ORDERS, rows, sale, shared, writeOff } from "./books.js";

/** @import { FastifyInstance, FastifyReply, FastifyRequest } from "fastify" */

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
    const [info, items] = await Promise.all([sale.info(KEY), sale.stock(KEY)]);
    return {
      state: info.state,
      now_ms: info.nowMs,
      items,
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
          return send(reply, await ask(() => sale.pause(KEY)));
        case "resume":
          return send(reply, await ask(() => sale.resume(KEY)));
        case "restock":
          return send(reply, await ask(() => sale.restock(KEY, { [asked.sku]: asked.delta }, { ref: asked.ref })));
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
      if (!(error instanceof FlashSaleError)) throw error;
      return reply.code(409).send({ says: error.message });
    }
  });
}

/** @param {FastifyReply} reply @param {import("flashsale-client").Answer & { status: string }} answer */
const send = (reply, answer) => reply.code(answer.advice.http).send({ says: answer.status });

/** How far each reader of the order stream is. */
async function groups() {
  const found = (await client.exists(ORDERS)) ? await client.xInfoGroups(ORDERS) : [];
  return Promise.all(
    found.map(async ({ name, pending, ["last-delivered-id"]: last }) => {
      const { firstId } = await client.xPending(ORDERS, name);
      // Not `lag`, which may be far too large after a restart or a failover.
      const behind = (await client.xRange(ORDERS, `(${last}`, "+", { COUNT: 1000 }))?.length ?? 0;
      return { name, behind, pending, oldest_pending_ms: firstId ? Date.now() - parseInt(firstId, 10) : 0 };
    }),
  );
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
  const answer = await ask(() => sale.refund(KEY, ORDERS, id, { ref }));
  // NOTSOLD without a SKU: nothing of it was bought.
  const isUnknown = answer.status === "NORESERVATION" || (answer.status === "NOTSOLD" && answer.sku === null);
  const isLost = isUnknown && writeOff(id, ref);
  if (!isLost && answer.status !== "REFUNDED") {
    return reply.code(answer.advice.http).send({ says: `${answer.status}: there is nothing to refund.` });
  }
  change("DELETE FROM alarms WHERE topic = 'owed' AND id = ?", id);
  return { says: "The money goes back." };
}
