// Carries out the table `jobs`: the only part that captures and gives money back.
//
// Every job may run twice, here or in another process: each looks at the intent's state first,
// and each call has an id, a REF or a key under which it happens once.
//
// 1. The state in SQL first: CHECKOUT is sent only for an intent that is `authorised`, and by reconcile again for one that was sold.
// 2. Release first, give back after.
// 3. No answer, no money: an exception leaves the job, and it runs again.
// 4. No entry, no capture: `sold` comes from the order stream, by worker.js.

import { setTimeout as sleep } from "node:timers/promises";

import {
  addJob, alarm, centsOf, change, checkParts, intentOf, isNoAnswer, move, payloadOf, row, rows, sale, shoes, sign,
  STALE_MS, transaction, UNPAID, writeOff,
} from "./books.js";
import { askedAgain, handOver } from "./named.js";
import * as provider from "./provider.js";

/** @import { Intent } from "./books.js" */
/** @typedef {Promise<number | void>} Again Seconds until the job runs again; nothing: it is done. */

/** Sells what was paid. What it answers is not yet a capture. @param {Intent} intent @returns {Again} */
async function checkout(intent) {
  const { id, reservation, user, psp_ref: ref } = intent;
  if (intent.state !== "authorised" || !ref) return;
  const paid = { ref, payload: payloadOf(intent) };
  const { key, orders } = shoes.of(user);
  /** @type {import("flashsale-client").CheckoutAnswer | import("flashsale-client").BuyAnswer} */
  let answer = await sale.checkout(key, orders, reservation, { user, ...paid });
  if (answer.status === "NORESERVATION") {
    // Forgotten, or lost by Redis: the same id in one step, if there are units.
    const [numbers, units] = askedAgain(intent.items);
    const pass = sign(reservation, user, (await sale.info(key)).nowMs);
    answer = await sale.buy(key, orders, user, numbers, { id: reservation, units, pass, ...paid });
  }
  const says = JSON.stringify(answer);
  switch (answer.status) {
    case "SOLD":
      return;
    case "EXPIRED":
      // Within GRACE it may still be sold; the job of `expired` gives back when GRACE is over.
      if (answer.kind === "not now") return 2;
      break;
    case "ALLRESERVED":
    case "PAUSED":
    case "THROTTLED":
    case "NOPASS":
    case "NOTFREE":
      // NOPASS: this process has an old secret, and another will be started soon.
      if (Date.now() < intent.changed_at_ms + STALE_MS) return 2;
      break;
    case "OTHER":
      return alarm("checkout", id, `${says}: what is that for ${reservation}, which ${ref} paid?`);
    case "ALREADYSOLD":
    case "REFUNDED":
    case "MISMATCH":
      // Another payment bought it, or another cart has the id.
      return answer.status === "MISMATCH" ? notOurs(intent, says) : asSold(intent, says);
  }
  // A no. EXPIRED or RELEASED, it takes a RELEASE before money goes back.
  addJob("give-back", id);
}

/**
 * What is sold already, or was sold and given back: for this payment, or for another?
 *
 * @param {Intent} intent @param {string} says @returns {Again}
 */
async function asSold(intent, says) {
  const known = await sale.get(shoes.of(intent.user).key, intent.reservation);
  // Redis has lost it since it answered: ask again.
  if (known?.state !== "sold" && known?.state !== "refunded") return 1;
  if (!intent.psp_ref || (known.ref && known.ref !== intent.psp_ref)) return notOurs(intent, says);
  // Sold without a REF, perhaps for this payment. With its REF, its entries do the rest.
  if (!known.ref) alarm("sold without a REF", intent.id, `${says}: is it the order that ${intent.psp_ref} paid?`);
}

/** Gives a payment back without RELEASE: the reservation is another's. @param {Intent} intent @param {string} says */
async function notOurs({ id, psp_ref: ref }, says) {
  alarm("not ours", id, `${says}; the payment ${ref} was given back`);
  if (ref) await provider.giveBack(ref);
  move(id, ["authorised", "closing"], "closed");
}

/** Ends an intent that is not sold, and gives back what was paid for it. @param {Intent} intent @returns {Again} */
async function giveBack({ id, reservation, user }) {
  // From `sold` never: after a lost tail the sale may believe that a sold order expired.
  if (!move(id, ["open", "authorised", "closing"], "closing")) return;
  const answer = await sale.release(shoes.of(user).key, reservation, { user });
  const intent = /** @type {Intent} */ (intentOf("id", id));
  const says = JSON.stringify(answer);
  switch (answer.status) {
    case "RELEASED":
      if (intent.psp_ref) await provider.giveBack(intent.psp_ref);
      return close(intent);
    case "SOLD":
    case "REFUNDED":
      return asSold(intent, says);
    default:
      alarm("give back", id, `${says}: whose is the reservation ${reservation}?`);
  }
}

/**
 * Ends an intent whose payment was given back, even if the worker made it `sold` meanwhile.
 *
 * The worker may hold the `order` entry of a CHECKOUT that the sale has lost. A payment that was
 * charged at once can be "captured" after its refund, so the state says nothing of the money.
 *
 * @param {Intent} intent
 */
const close = ({ id, psp_ref: ref }) =>
  transaction(() => {
    if (move(id, ["closing"], "closed") || !move(id, ["sold", "captured"], "closed")) return;
    alarm("sold after all", id, `${ref} was given back before: send nothing`);
    addJob("take-back", id);
  });

/** Takes the money of an order in our books; takes the order back if there is none. @param {Intent} intent @returns {Again} */
async function capture(intent) {
  const { id, reservation, state, psp_ref: ref } = intent;
  if (state !== "sold" || !ref) return;
  try {
    await provider.capture(ref);
  } catch (error) {
    // "Not now" costs nobody an order: an alarm, and again.
    if (!(error instanceof provider.Refused && provider.GONE.includes(error.state))) throw error;
    await takeBack(intent);
    move(id, ["sold"], "closed");
    return;
  }
  transaction(() => {
    if (move(id, ["sold"], "captured")) handOver(reservation);
  });
}

/**
 * Refunds an order whose money is gone, or writes it off if the sale has lost it.
 *
 * The REF is the same whoever asks, and why: two refunds of one order would both stand in the
 * books, if Redis lost the first one after its entry was read.
 *
 * @param {Intent} intent @returns {Again}
 */
async function takeBack({ reservation, user }) {
  const { key, orders } = shoes.of(user);
  const answer = await sale.refund(key, orders, reservation, { ref: UNPAID });
  if (answer.status !== "REFUNDED") writeOff(reservation, UNPAID);
}

/** The money of a `refund` entry, but only of what was captured. @param {Intent} intent @param {string} ref @returns {Again} */
async function refund(intent, ref) {
  if (intent.state === "sold") return 1;
  if (intent.state !== "captured" || !intent.psp_ref) return;
  const { sale_id, items } = row("SELECT * FROM refunds WHERE id = ? AND ref = ?", intent.reservation, ref);
  const cents = centsOf(JSON.parse(items), JSON.parse(intent.items));
  await provider.refund(intent.psp_ref, cents, `${sale_id} ${intent.reservation} ${ref}`);
}

/** @type {Record<string, (intent: Intent, ref: string) => Promise<number | void>>} */
const JOBS = {
  checkout,
  "give-back": giveBack,
  capture,
  "take-back": takeBack,
  refund,
  // A payment that is not the one of its intent: a second one, or one after the end.
  return: (_, ref) => provider.giveBack(ref),
};

/** @param {{ kind: string, intent: string, ref: string, tries: number }} job */
async function run({ kind, intent, ref, tries }) {
  let again;
  try {
    again = await JOBS[kind](/** @type {Intent} */ (intentOf("id", intent)), ref);
  } catch (error) {
    again = Math.min(30, 0.1 * 2 ** Math.min(tries, 9));
    if (!isNoAnswer(error)) alarm(kind, intent, `${error}; it is tried again`);
  }
  const where = "WHERE kind = ? AND intent = ? AND ref = ?";
  if (typeof again !== "number") change(`DELETE FROM jobs ${where}`, kind, intent, ref);
  else change(`UPDATE jobs SET due_at_ms = ?, tries = tries + 1 ${where}`, Date.now() + again * 1000, kind, intent, ref);
}

await checkParts();
for (;;) {
  const due = rows("SELECT * FROM jobs WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT 100", Date.now());
  for (const job of due) await run(job);
  if (due.length === 0) await sleep(100);
}
