// The payment's intent, what becomes of the payment, and the order.
//
// Nothing here moves money or sells: a webhook is written down, and jobs.js does the rest.

import { randomBytes } from "node:crypto";

import {
  addJob, alarm, centsOf, change, CURRENCY, intentOf, isNoAnswer, isSame, move, rows, sale, shoes, SHOP_URL, transaction, UNPAID,
} from "./books.js";
import { kinds } from "./named.js";
import * as provider from "./provider.js";
import { prices } from "./stock.js";
import { body, ID, userOf } from "./web.js";

/** @import { FastifyInstance } from "fastify" */
/** @import { Line } from "./books.js" */

const PAID = ["authorised", "captured"];

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

/** @param {FastifyInstance} app */
export async function payment(app) {
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

  // What became of a cart: our books first, the sale where they have nothing yet.
  app.get("/order/:id", async (request, reply) => {
    const { id } = /** @type {{ id: string }} */ (request.params);
    const user = userOf(request);
    const known = await sale.get(shoes.of(user).key, id);
    const intent = intentOf("reservation", id);
    if (!user || (intent ?? known)?.user !== user) return reply.code(404).send({ status: "UNKNOWN", says: "We do not know this order." });
    let state = (intent ?? known)?.state ?? "";
    // `SOLD` is for the buyer's eyes; money moves with the entry in the stream.
    if (known?.state === "sold" && ["authorised", "closing"].includes(state)) state = "sold";
    const refunds = rows("SELECT ref FROM refunds WHERE id = ?", id).map(({ ref }) => ref);
    const says = refunds.includes(UNPAID) ? "Your payment failed or was given back, so the order was cancelled." : (SAYS[state] ?? "");
    const kind = kinds();
    const units = known?.units.filter(([sku]) => kind.get(sku) !== "key");
    const cart = known && { items: known.items, units, expires_at_ms: known.expiresAtMs, order_id: known.orderId };
    // Nobody sees a key before its money is here, and afterwards always the same one, whatever Redis has lost.
    const hasKeys = intent && JSON.parse(intent.items).some((/** @type {Line} */ { sku }) => kind.get(sku) === "key");
    const keys = hasKeys && { keys: rows("SELECT unit FROM keys WHERE id = ? ORDER BY rowid", id).map(({ unit }) => unit) };
    return { status: state, says, refunds, now_ms: Date.now(), ...cart, ...keys };
  });
}

/** The names of the units of an item that a cart has. @param {{ units: string[][] }} cart @param {string} sku */
function seatsOf(cart, sku) {
  const units = cart.units.flatMap(([of, unit]) => (of === sku ? [unit] : []));
  return units.length ? { units } : {};
}

/** @param {string} id @param {string} user */
async function newIntent(id, user) {
  const cart = await sale.get(shoes.of(user).key, id);
  if (cart?.user !== user || cart.state !== "reserved" || !cart.expiresAtMs || !cart.items) return undefined;
  const price = prices();
  const units = /** @type {[sku: string, qty: number][]} */ (cart.items);
  const lines = units.map(([sku, qty]) => /** @type {Line} */ ({ sku, qty, cents: price.get(sku)?.cents, ...seatsOf(cart, sku) }));
  if (lines.some(({ cents }) => !cents)) throw Object.assign(new Error("This has no price yet."), { statusCode: 409 });
  change(
    `INSERT INTO intents (id, reservation, user, items, cents, expires_at_ms, changed_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ...[`in_${randomBytes(10).toString("hex")}`, id, user, JSON.stringify(lines), centsOf(lines, lines), cart.expiresAtMs, Date.now()],
  );
  return intentOf("reservation", id);
}

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
