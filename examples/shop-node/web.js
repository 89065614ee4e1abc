// What every page of the shop does alike: who asks, what was asked, and the sale's answer as HTTP.

import { randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";

import { ERRORS, FlashSaleError, retry, retryAfterS } from "flashsale-client";

import { IS_TLS, isNoAnswer, sale, shared, shoes } from "./books.js";

/** @import { FastifyError, FastifyReply, FastifyRequest } from "fastify" */
/** @import { ReleaseAnswer, ReserveAnswer } from "flashsale-client" */

// A buyer waits so long for an answer; with the same id the next request goes on.
const PATIENCE_MS = 2000;

/** Who asks: a random name in a cookie, until your shop has accounts. @param {FastifyRequest} request */
export const userOf = (request) => request.cookies.user ?? "";

/**
 * The address that asks, for FROMRATE: of IPv6 the /64, as one household has 2^64 addresses.
 *
 * @param {FastifyRequest} request
 */
export function sourceOf({ ip }) {
  const mapped = /^::ffff:([\d.]+)$/i.exec(ip)?.[1];
  if (mapped || !isIPv6(ip)) return mapped ?? ip;
  const [head = "", tail] = ip.split("::");
  const groups = head ? head.split(":") : [];
  if (tail !== undefined) groups.push(...Array(8).fill("0"));
  return `${groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}

/** What sends a page, and whoever has none a cookie. @param {string} name */
export function page(name) {
  const text = shared(name);
  return async (/** @type {FastifyRequest} */ request, /** @type {FastifyReply} */ reply) => {
    // Lax: the buyer comes back from the provider's site.
    const cookie = { path: "/", maxAge: 30 * 86_400, httpOnly: true, sameSite: /** @type {const} */ ("lax"), secure: IS_TLS };
    if (!userOf(request)) reply.setCookie("user", randomBytes(16).toString("base64url"), cookie);
    return reply.header("Cache-Control", "no-store").type("text/html").send(text);
  };
}

/** @template A @param {() => Promise<A>} call */
export const ask = (call) => retry(call, { until: Date.now() + PATIENCE_MS });

/**
 * The sale's answer as HTTP: `advice` has the status, Retry-After and what the buyer should read.
 *
 * @param {FastifyReply} reply
 * @param {ReleaseAnswer | ReserveAnswer} answer
 * @param {string} user
 */
export async function send(reply, answer, user) {
  const { status, kind: _, rest: __, ...details } = answer;
  /** @type {Record<string, any>} */
  const body = { status, now_ms: Date.now() };
  body.says = answer.advice.buyer.replace(/\{(\w+)\}/g, (_, name) => String(/** @type {any} */ (details)[name]));
  for (const [name, value] of Object.entries(details)) body[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  if (status === "USERLIMIT") body.open = (await sale.user(shoes.of(user).key, user)).reservations;
  const again = retryAfterS(answer);
  if (again !== null) reply.header("Retry-After", again);
  return reply.code(answer.advice.http).send(body);
}

/** What a request must be made of; else it is a 400. @param {Record<string, object>} properties */
export const body = (properties) => ({ schema: { body: { type: "object", required: ["id"], properties } } });
export const ID = { type: "string", minLength: 16, maxLength: 64 };
export const RELOAD = "Please reload the page.";
export const NAMES = { type: "array", minItems: 1, maxItems: 100, items: { type: "string", minLength: 1, maxLength: 128 } };
export const UNITS = { type: "object", additionalProperties: { type: "integer", minimum: 1 } };

/** A request that was wrong, or has no answer. @param {FastifyError} thrown @param {FastifyRequest} _ @param {FastifyReply} reply */
export function refuse(thrown, _, reply) {
  // What was asked was wrong.
  const says = thrown.validation ? RELOAD : thrown.message;
  if (thrown.statusCode && thrown.statusCode < 500) return reply.code(thrown.statusCode).send({ status: "ERROR", says });
  const error = FlashSaleError.from(thrown);
  // No answer, or an error. Perhaps it happened: the page asks again with the same id.
  const advice = error instanceof FlashSaleError ? (ERRORS[error.code] ?? ERRORS.ERR) : isNoAnswer(error) ? ERRORS.LOADING : null;
  if (!advice) throw thrown;
  if (advice.retryAfter !== null) reply.header("Retry-After", advice.retryAfter);
  return reply.code(advice.http).send({ status: "ERROR", says: advice.buyer });
}
