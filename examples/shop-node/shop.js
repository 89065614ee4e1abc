// The shop as buyers see it: the page, the cart, the payment, the order.
//
// Nothing here moves money or sells: a webhook is written down, and jobs.js does the rest.

import { randomBytes, randomInt } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import cookies from "@fastify/cookie";
import fastify from "fastify";
import { ERRORS, FlashSaleError, pipeline, retry, retryAfterS } from "flashsale-client";

import { admin } from "./admin.js";
import {
  addJob, alarm, centsOf, change, CURRENCY, intentOf, IS_TLS, isNoAnswer, isSame, KEY, move, rows, sale, shared, SHOP_URL, transaction, UNPAID,
} from "./books.js";
import * as provider from "./provider.js";

/** @import { FastifyReply, FastifyRequest } from "fastify" */
/** @import { ReleaseAnswer, ReserveAnswer } from "flashsale-client" */
/** @import { Line } from "./books.js" */

// A buyer waits so long for an answer; with the same id the next request goes on.
const PATIENCE_MS = 2000;
const PAID = ["authorised", "captured"];

/** Who asks: a random name in a cookie, until your shop has accounts. @param {FastifyRequest} request */
const userOf = (request) => request.cookies.user ?? "";

/** @template A @param {() => Promise<A>} call */
const ask = (call) => retry(call, { until: Date.now() + PATIENCE_MS });

/**
 * The sale's answer as HTTP: `advice` has the status, Retry-After and what the buyer should read.
 *
 * @param {FastifyReply} reply
 * @param {ReleaseAnswer | ReserveAnswer} answer
 * @param {string} user
 */
async function send(reply, answer, user) {
  const { status, kind: _, rest: __, ...details } = answer;
  /** @type {Record<string, any>} */
  const body = { status, now_ms: Date.now() };
  body.says = answer.advice.buyer.replace(/\{(\w+)\}/g, (_, name) => String(/** @type {any} */ (details)[name]));
  for (const [name, value] of Object.entries(details)) body[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  if (status === "USERLIMIT") body.open = (await sale.user(KEY, user)).reservations;
  const again = retryAfterS(answer);
  if (again !== null) reply.header("Retry-After", again);
  return reply.code(answer.advice.http).send(body);
}

const app = fastify({ logger: { level: "error" } });
await app.register(cookies);

app.setErrorHandler((/** @type {import("fastify").FastifyError} */ thrown, _, reply) => {
  // What was asked was wrong.
  const says = thrown.validation ? RELOAD : thrown.message;
  if (thrown.statusCode && thrown.statusCode < 500) return reply.code(thrown.statusCode).send({ status: "ERROR", says });
  const error = FlashSaleError.from(thrown);
  // No answer, or an error. Perhaps it happened: the page asks again with the same id.
  const advice = error instanceof FlashSaleError ? (ERRORS[error.code] ?? ERRORS.ERR) : isNoAnswer(error) ? ERRORS.LOADING : null;
  if (!advice) throw thrown;
  if (advice.retryAfter !== null) reply.header("Retry-After", advice.retryAfter);
  return reply.code(advice.http).send({ status: "ERROR", says: advice.buyer });
});

/** What a request must be made of; else it is a 400. @param {Record<string, object>} properties */
const body = (properties) => ({ schema: { body: { type: "object", required: ["id"], properties } } });
const ID = { type: "string", minLength: 16, maxLength: 64 };
const RELOAD = "Please reload the page.";
const UNITS = { type: "object", additionalProperties: { type: "integer", minimum: 1 } };

// --- the cart -----------------------------------------------------------------------

// POST reserves, PUT changes the cart in one step, DELETE cancels; `id` comes from the page.
app.route({
  method: ["POST", "PUT", "DELETE"],
  url: "/cart",
  ...body({ id: ID, old: ID, items: UNITS }),
  handler: async (request, reply) => {
    const user = userOf(request);
    const { id, items, old } = /** @type {{ id: string, items?: Record<string, number>, old?: string }} */ (request.body);
    if (!user) return reply.code(400).send({ status: "ERROR", says: RELOAD });
    if (request.method === "DELETE") {
      giveBackSoon(id, user);
      return send(reply, await ask(() => sale.release(KEY, id, { user })), user);
    }
    if (!items) return reply.code(400).send({ status: "ERROR", says: RELOAD });
    // A line is one item's, and a cart that changes has its units: both as without a line.
    const wait = Object.keys(items).length === 1 && !old && (await hasLine());
    const answer = await ask(() => sale.reserve(KEY, user, items, { id, replace: old, wait }));
    if (old && answer.status === "RESERVED") giveBackSoon(old, user);
    return send(reply, answer, user);
  },
});

/**
 * Has the payment of a cart given back that is cancelled or was changed, if there is one.
 *
 * @param {string} reservation @param {string} user
 */
function giveBackSoon(reservation, user) {
  const intent = intentOf("reservation", reservation);
  if (intent?.user === user) addJob("give-back", intent.id);
}

// --- the payment --------------------------------------------------------------------

// Makes the intent, and the payment at the provider. The price is ours, never the browser's.
app.post("/pay", body({ id: ID }), async (request, reply) => {
  const user = userOf(request);
  const { id } = /** @type {{ id: string }} */ (request.body);
  const intent = intentOf("reservation", id) ?? (await newIntent(id, user));
  if (!intent) return reply.code(409).send({ status: "ERROR", says: "Your cart is gone. Please start again." });
  if (intent.user !== user || intent.state !== "open") return reply.code(409).send({ status: intent.state, says: SAYS[intent.state] });
  const { ref } = await provider.create(intent.id, intent.cents, CURRENCY, new URL(`/return/${intent.id}`, SHOP_URL).href);
  change("UPDATE intents SET psp_ref = ? WHERE id = ? AND state = 'open' AND psp_ref IS NULL", ref, intent.id);
  return { status: "OK", pay_url: `${provider.URL}/pay/${ref}` };
});

/** @param {string} id @param {string} user */
async function newIntent(id, user) {
  const cart = await sale.get(KEY, id);
  if (cart?.user !== user || cart.state !== "reserved" || !cart.expiresAtMs || !cart.items) return undefined;
  const price = prices();
  const units = /** @type {[sku: string, qty: number][]} */ (cart.items);
  const lines = units.map(([sku, qty]) => /** @type {Line} */ ({ sku, qty, cents: price.get(sku)?.cents }));
  if (lines.some(({ cents }) => !cents)) throw Object.assign(new Error("This has no price yet."), { statusCode: 409 });
  change(
    `INSERT INTO intents (id, reservation, user, items, cents, expires_at_ms, changed_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ...[`in_${randomBytes(10).toString("hex")}`, id, user, JSON.stringify(lines), centsOf(lines, lines), cart.expiresAtMs, Date.now()],
  );
  return intentOf("reservation", id);
}

/** @returns {Map<string, { sku: string, title: string, cents: number }>} */
const prices = () => new Map(rows("SELECT * FROM prices").map((price) => [price.sku, price]));

/**
 * Writes down what became of a payment, in one transaction. Webhook and redirect end here.
 * Providers repeat themselves for days and in any order, and the sale forgets ids: what
 * remembers is the state in SQL.
 *
 * @param {provider.Payment} payment
 */
const take = ({ ref, intent: id, state, cents }) =>
  transaction(() => {
    const isPaid = PAID.includes(state);
    // By the intent in its metadata: the webhook may be quicker than our own `/pay`.
    const intent = intentOf("id", id);
    if (!intent) {
      alarm("unknown payment", ref, `a payment of the intent ${id}, which is not here`);
    } else if (isPaid && cents !== intent.cents) {
      alarm("wrong amount", ref, `${cents} cents were paid, not ${intent.cents}; given back`);
      addJob("return", id, ref);
    } else if (isPaid && move(id, ["open"], "authorised", ref)) {
      addJob("checkout", id);
    } else if (isPaid && (intent.psp_ref !== ref || intent.state === "closed")) {
      // Paid twice, or after the end.
      addJob("return", id, ref);
    } else if (state === "cancelled" && (intent.psp_ref ?? ref) === ref) {
      addJob("give-back", id);
    }
  });

app.register(async (scope) => {
  // The signature is of the bytes, so they are not parsed before.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", { parseAs: "buffer" }, (_, bytes, done) => done(null, bytes));
  // 200 once it is written down, whatever the sale will say; an exception is a 500: come again.
  scope.post("/webhook", async (request, reply) => {
    const bytes = /** @type {Buffer} */ (request.body);
    if (!isSame(String(request.headers["psp-signature"]), provider.signatureOf(bytes))) return reply.code(401).send({});
    take(JSON.parse(bytes.toString()));
    return {};
  });
});

// Where the provider sends the buyer: often before the webhook, so we ask.
app.get("/return/:intent", async (request, reply) => {
  const intent = intentOf("id", /** @type {{ intent: string }} */ (request.params).intent);
  try {
    if (intent?.psp_ref) take(await provider.get(intent.psp_ref));
  } catch (error) {
    // The webhook will tell.
    if (!isNoAnswer(error)) throw error;
  }
  return reply.redirect("/", 303);
});

// --- the order ----------------------------------------------------------------------

/** @type {Record<string, string>} */
const SAYS = {
  waiting: "You are in line.",
  reserved: "Yours until the clock runs out.",
  expired: "Your time was up. Please try again.",
  released: "Cancelled. Nothing was charged.",
  open: "Waiting for your payment.",
  authorised: "We are checking your order.",
  closing: "We are checking your order.",
  closed: "Cancelled. Nothing was charged, or it is on its way back.",
  sold: "Bought.",
  captured: "Bought.",
};

// What became of a cart: our books first, the sale where they have nothing yet.
app.get("/order/:id", async (request, reply) => {
  const { id } = /** @type {{ id: string }} */ (request.params);
  const user = userOf(request);
  const known = await sale.get(KEY, id);
  const intent = intentOf("reservation", id);
  if (!user || (intent ?? known)?.user !== user) return reply.code(404).send({ status: "UNKNOWN", says: "We do not know this order." });
  let state = (intent ?? known)?.state ?? "";
  // `SOLD` is for the buyer's eyes; money moves with the entry in the stream.
  if (known?.state === "sold" && ["authorised", "closing"].includes(state)) state = "sold";
  const refunds = rows("SELECT ref FROM refunds WHERE id = ?", id).map(({ ref }) => ref);
  const says = refunds.includes(UNPAID) ? "Your payment failed or was given back, so the order was cancelled." : (SAYS[state] ?? "");
  const cart = known && { items: known.items, expires_at_ms: known.expiresAtMs, order_id: known.orderId };
  return { status: state, says, refunds, now_ms: Date.now(), ...cart };
});

// --- the page -----------------------------------------------------------------------

const PAGE = shared("shop.html");
app.get("/", async (request, reply) => {
  // Lax: the buyer comes back from the provider's site.
  const cookie = { path: "/", maxAge: 30 * 86_400, httpOnly: true, sameSite: /** @type {const} */ ("lax"), secure: IS_TLS };
  if (!userOf(request)) reply.setCookie("user", randomBytes(16).toString("base64url"), cookie);
  return reply.header("Cache-Control", "no-store").type("text/html").send(PAGE);
});

let stockText = "";
let stockAskedAtMs = 0;
let waitingMax = 0;

/** The stock as one text that all pages get, asked for at most twice a second. */
async function stock() {
  if (Date.now() - stockAskedAtMs < 500) return stockText;
  stockAskedAtMs = Date.now();
  const [info, found] = await pipeline([sale.info(KEY), sale.stock(KEY)]);
  if (info instanceof FlashSaleError || found instanceof FlashSaleError) return stockText;
  const price = prices();
  const items = found.flatMap((item) => (item && price.has(item.sku) ? [{ ...item, ...price.get(item.sku) }] : []));
  const { nowMs: now_ms, state, userlimit } = info;
  waitingMax = info.waitingMax;
  return (stockText = JSON.stringify({ now_ms, state, userlimit, waiting_max: waitingMax, currency: CURRENCY, items }));
}

async function hasLine() {
  await stock();
  return waitingMax > 0;
}

/** The stock while somebody looks, as server-sent events. */
async function* lines() {
  yield `retry: ${randomInt(2000, 5000)}\n\n`;
  for (;;) {
    try {
      const text = await stock();
      if (text) yield `data: ${text}\n\n`;
    } catch (error) {
      if (!isNoAnswer(error)) throw error;
      yield ": the sale does not answer\n\n";
    }
    await sleep(500);
  }
}
app.get("/events", (_, reply) => reply.header("Cache-Control", "no-store").type("text/event-stream").send(Readable.from(lines())));

if (!provider.SECRET) throw new Error("shop: set SHOP_PSP_SECRET");
await app.register(admin, { prefix: "/admin" });
await app.listen({ host: "127.0.0.1", port: Number(SHOP_URL.port || 8000) });
