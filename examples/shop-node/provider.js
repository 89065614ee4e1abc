// Calls of the payment provider. Here that is the stand-in psp.py; yours has the same few.

import { createHmac } from "node:crypto";

export const URL = process.env.SHOP_PSP ?? "http://127.0.0.1:8001";
// Shared with the provider: signs its webhooks and our calls. There is no default.
export const SECRET = process.env.SHOP_PSP_SECRET ?? "";

/** @typedef {{ ref: string, intent: string, cents: number, state: string, refunded: number }} Payment */

// States of a payment from which no money comes any more.
export const GONE = ["cancelled", "refunded"];

/** The provider said no: `state` is what the payment is now. */
export class Refused extends Error {
  /** @param {string} state */
  constructor(state) {
    super(`refused: the payment is ${state}`);
    this.state = state;
  }
}

/** No answer: nobody knows whether it happened. The same call is made again. */
export class NoAnswer extends Error {}

/**
 * POSTs with an idempotency key, else GETs.
 *
 * @param {string} path
 * @param {string} [key]
 * @param {object} body
 * @returns {Promise<Payment>}
 */
async function call(path, key, body = {}) {
  const headers = { Authorization: `Bearer ${SECRET}`, "Content-Type": "application/json", ...(key && { "Idempotency-Key": key }) };
  const asked = key ? { method: "POST", body: JSON.stringify(body) } : {};
  let status = 0;
  let answer;
  try {
    const reply = await fetch(URL + path, { ...asked, headers, signal: AbortSignal.timeout(5000) });
    ({ status } = reply);
    answer = await reply.json();
  } catch (cause) {
    throw new NoAnswer(`the provider does not answer ${path}`, { cause });
  }
  if (status === 402) throw new Refused(answer.state);
  if (status >= 500) throw new NoAnswer(`${path}: HTTP ${status}`);
  // Our mistake, and no reason to ask again every second.
  if (status !== 200) throw new Error(`${path}: HTTP ${status}`);
  return answer;
}

/** @param {string} intent @param {number} cents @param {string} currency @param {string} returnUrl */
export const create = (intent, cents, currency, returnUrl) =>
  call("/payments", `create:${intent}`, { intent, cents, currency, return_url: returnUrl });

/** @param {string} ref */
export const get = (ref) => call(`/payments/${ref}`);

/**
 * Throws Refused if the provider does not capture, or if the money was given back already. A
 * payment that was charged at once is fine.
 *
 * @param {string} ref
 */
export async function capture(ref) {
  const { refunded } = await call(`/payments/${ref}/capture`, `capture:${ref}`);
  if (refunded > 0) throw new Refused("refunded");
}

/** @param {string} ref @param {number} cents @param {string} key */
export const refund = (ref, cents, key) => call(`/payments/${ref}/refund`, key, { cents });

/** All the money of a payment: cancelled if it was only authorised, else refunded. @param {string} ref */
export async function giveBack(ref) {
  try {
    await call(`/payments/${ref}/cancel`, `cancel:${ref}`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.state === "captured") await refund(ref, (await get(ref)).cents, `refund:${ref}`);
  }
}

/** @param {Buffer} body */
export const signatureOf = (body) => createHmac("sha256", SECRET).update(body).digest("hex");
