// The status words, what each is made of and what it means. Written by `python3 -m clients.generator`; change `answers.json` instead.

import type { Advice, Answer, Other, Read } from "./base.js";

/** An item after a RESTOCK. */
export interface RestockedItem {
  sku: string;
  total: number;
  available: number;
}

/** A refund of an order, as it was asked for. A flag is null where an older sale does not say. */
export interface OrderRefund<N = string> {
  entryId: string;
  ref: N | null;
  items: [sku: string, qty: number][];
  restocked: boolean | null;
  restorelimit: boolean | null;
  norestock: boolean | null;
}

/**
 * A unit: `state` is free, reserved, sold or withdrawn. `id` is that of its reservation or order,
 * with `withids`; else null.
 */
export interface UnitState<N = string> {
  unit: string;
  state: string;
  id: N | null;
}

/** `OK`. Done, now or before. Final: yes. Next: nothing. */
export interface Ok<_N = string> extends Answer {
  status: "OK";
  kind: "yes";
}

/**
 * `["RESERVED", id, expires_at_ms, remaining, user_remaining[, units]]`. It means one of several
 * things: see `advice`. `units` are the names of its units, of items whose units have names;
 * codes are told in `SOLD` alone.
 */
export interface Reserved<N = string> extends Answer {
  status: "RESERVED";
  kind: "yes";
  id: N;
  expiresAtMs: number;
  remaining: number;
  userRemaining: number;
  units: N[];
}

/**
 * `["SOLD", id, order_id[, units]]`. It means one of several things: see `advice`. `units` are
 * the names of its units, of items whose units have names; codes are told in `SOLD` alone.
 */
export interface Sold<K extends "yes" | "no" = "yes" | "no", N = string> extends Answer {
  status: "SOLD";
  kind: K;
  id: N;
  orderId: string;
  units: N[];
}

/** `["RELEASED", id]`. It means one of several things: see `advice`. */
export interface Released<K extends "yes" | "no" = "yes" | "no", N = string> extends Answer {
  status: "RELEASED";
  kind: K;
  id: N;
}

/** `["REFUNDED", id, entry_id]`. It means one of several things: see `advice`. */
export interface Refunded<K extends "yes" | "no" = "yes" | "no", N = string> extends Answer {
  status: "REFUNDED";
  kind: K;
  id: N;
  entryId: string;
}

/** `["RESTOCKED", items]`. Done; the stock as it is now. Final: yes. Next: nothing. */
export interface Restocked<_N = string> extends Answer {
  status: "RESTOCKED";
  kind: "yes";
  items: RestockedItem[];
}

/**
 * `["EXPIRED", id, expires_at_ms[, grace_left_ms]]`. It means one of several things: see
 * `advice`.
 */
export interface Expired<K extends "not now" | "no" = "not now" | "no", N = string> extends Answer {
  status: "EXPIRED";
  kind: K;
  id: N;
  expiresAtMs: number;
  graceLeftMs: K extends "not now" ? number : number | null;
}

/**
 * `["ALREADYSOLD", id, ref]`. A second payment for one order; the first one is `ref`. Final: yes.
 * Next: show the order.
 */
export interface AlreadySold<N = string> extends Answer {
  status: "ALREADYSOLD";
  kind: "no";
  id: N;
  ref: N;
}

/** `["MISMATCH", id]`. It means one of several things: see `advice`. */
export interface Mismatch<N = string> extends Answer {
  status: "MISMATCH";
  kind: "fault";
  id: N;
}

/** `["NORESERVATION", id]`. It means one of several things: see `advice`. */
export interface NoReservation<K extends "no" | "fault" = "no" | "fault", N = string> extends Answer {
  status: "NORESERVATION";
  kind: K;
  id: N;
}

/** `["ENDED", ended_at_ms]`. It means one of several things: see `advice`. */
export interface Ended<_N = string> extends Answer {
  status: "ENDED";
  kind: "no";
  endedAtMs: number;
}

/**
 * `["NOTSTARTED", starts_in_ms]`. Before START. Final: no. Next: ask again after `startsInMs`
 * plus a random moment.
 */
export interface NotStarted<_N = string> extends Answer {
  status: "NOTSTARTED";
  kind: "not now";
  startsInMs: number;
}

/**
 * `["PAUSED", paused_at_ms]`. The operator paused the sale, or this copy of it missed a change
 * and does not sell (diverged). Final: no. Next: ask again after some seconds.
 */
export interface Paused<_N = string> extends Answer {
  status: "PAUSED";
  kind: "not now";
  pausedAtMs: number;
}

/**
 * `["ORDERLIMIT", limit]`. Too many units in one reservation; with more than 1,000 units that
 * have names `limit` is 1000, whatever ORDERLIMIT says. Final: for this quantity. Next: ask for
 * `limit` or fewer.
 */
export interface OrderLimit<_N = string> extends Answer {
  status: "ORDERLIMIT";
  kind: "no";
  limit: number;
}

/**
 * `["USERLIMIT", user_remaining]`. The user would have too many units. Final: for this quantity,
 * until one of this user's reservations is given back. Next: ask for `userRemaining` or fewer;
 * USER lists the user's open reservations.
 */
export interface UserLimit<_N = string> extends Answer {
  status: "USERLIMIT";
  kind: "no";
  userRemaining: number;
}

/**
 * `["ITEMLIMIT", item_remaining, sku]`. The user would have too many units of this SKU. Final:
 * the same, for this SKU. Next: ask for `itemRemaining` or fewer.
 */
export interface ItemLimit<_N = string> extends Answer {
  status: "ITEMLIMIT";
  kind: "no";
  itemRemaining: number;
  sku: string;
}

/**
 * `["SALELIMIT", sale_remaining]`. The sale has sold what SALELIMIT allows. Final: for this
 * quantity, unless REFUND or ALTER makes room. Next: ask for `saleRemaining` or fewer.
 */
export interface SaleLimit<_N = string> extends Answer {
  status: "SALELIMIT";
  kind: "no";
  saleRemaining: number;
}

/**
 * `["SOLDOUT", available, sku]`. Too few, and open reservations could not make up the rest.
 * Final: for this quantity, unless RESTOCK, REFUND or ALTER makes room. Next: ask for `available`
 * or fewer; at 0 it is sold out.
 */
export interface SoldOut<_N = string> extends Answer {
  status: "SOLDOUT";
  kind: "no";
  available: number;
  sku: string;
}

/**
 * `["ALLRESERVED", retry_in_ms[, sku]]`. Only open reservations stand in the way; some may come
 * back. Without a SKU, they stand in the way of SALELIMIT. Final: no. Next: ask again after
 * `retryInMs` plus a random moment.
 */
export interface AllReserved<_N = string> extends Answer {
  status: "ALLRESERVED";
  kind: "not now";
  retryInMs: number;
  sku: string | null;
}

/** `["NOTFREE", retry_in_ms, sku, unit]`. It means one of several things: see `advice`. */
export interface NotFree<K extends "not now" | "no" = "not now" | "no", _N = string> extends Answer {
  status: "NOTFREE";
  kind: K;
  retryInMs: number;
  sku: string;
  unit: string;
}

/** `["NOTSOLD", left[, sku][, unit]]`. It means one of several things: see `advice`. */
export interface NotSold<_N = string> extends Answer {
  status: "NOTSOLD";
  kind: "no";
  left: number;
  sku: string | null;
  unit: string | null;
}

/**
 * `["WAITING", id[, ahead][, left][, eta_ms][, retry_in_ms]]`. It means one of several things:
 * see `advice`.
 */
export interface Waiting<K extends "not now" | "no" = "not now" | "no", N = string> extends Answer {
  status: "WAITING";
  kind: K;
  id: N;
  ahead: K extends "not now" ? number : number | null;
  left: K extends "not now" ? number : number | null;
  etaMs: K extends "not now" ? number : number | null;
  retryInMs: K extends "not now" ? number : number | null;
}

/**
 * `["PLACED", id, other_id]`. The user waits already, under `otherId`. Final: no. Next: go on
 * with `otherId`.
 */
export interface Placed<N = string> extends Answer {
  status: "PLACED";
  kind: "no";
  id: N;
  otherId: N;
}

/** `["LINEFULL", waiting_max]`. As many wait as may. Final: no. Next: try again later. */
export interface LineFull<_N = string> extends Answer {
  status: "LINEFULL";
  kind: "no";
  waitingMax: number;
}

/** `["THROTTLED", retry_in_ms, by]`. It means one of several things: see `advice`. */
export interface Throttled<_N = string> extends Answer {
  status: "THROTTLED";
  kind: "not now";
  retryInMs: number;
  by: string;
}

/**
 * `["NOPASS", id]`. The sale has a PASSKEY, and there is no pass for this id and this user, or it
 * is over. Final: no. Next: have the app make a new pass, and send the same id with it.
 */
export interface NoPass<N = string> extends Answer {
  status: "NOPASS";
  kind: "no";
  id: N;
}

/**
 * `["TOOFEW", available, sku]`. The request takes away more than `available` units; nothing
 * changed. Final: no. Next: ask for `available` or fewer.
 */
export interface TooFew<_N = string> extends Answer {
  status: "TOOFEW";
  kind: "no";
  available: number;
  sku: string;
}

/**
 * `["GIVEN", total, available, sku]`. So many units were given in all, now or before; with MOST
 * it may be fewer than asked for. Final: yes. Next: WAIT for the replicas, then TAKE this total
 * at the other sale.
 */
export interface Given<_N = string> extends Answer {
  status: "GIVEN";
  kind: "yes";
  total: number;
  available: number;
  sku: string;
}

/**
 * `["TAKEN", total, available, sku]`. So many units were taken in all, now or before, and are on
 * sale. Final: yes. Next: nothing.
 */
export interface Taken<_N = string> extends Answer {
  status: "TAKEN";
  kind: "yes";
  total: number;
  available: number;
  sku: string;
}

/**
 * What STOCK answers. `available`, `reserved` and `sold` add up to the item's total; so many
 * people are `waiting` for it.
 */
export interface ItemStock<_N = string> {
  sku: string;
  available: number;
  reserved: number;
  sold: number;
  waiting: number | null;
}

/**
 * What GET answers. `state` is reserved, sold, refunded, released, expired or waiting. `items`
 * are SKUs with numbers, and `refunded` those that were taken back. `orderId` is the entry in the
 * stream. Of an id that waits, `number` is its position in line and `ahead` how many at most are
 * in front, -1 before START. `units` are SKUs with names: what it has now, of what has names.
 * `refunds` are those of an order, as they were asked for. A field with nothing in it is null.
 */
export interface Reservation<N = string> extends Read {
  state: string;
  user: N | null;
  items: [sku: string, qty: number][] | null;
  refunded: [sku: string, qty: number][] | null;
  reservedAtMs: number | null;
  expiresAtMs: number | null;
  soldAtMs: number | null;
  releasedAtMs: number | null;
  orderId: string | null;
  ref: N | null;
  number: number | null;
  ahead: number | null;
  refunds: OrderRefund<N>[] | null;
  units: [sku: string, unit: string][];
}

/**
 * What USER answers. `sold` is net of refunds, `counted` what counts against USERLIMIT, and
 * `userRemaining` -1 without one. `reservations` are the ids of the oldest 100 of the `open`
 * reservations, and `waiting` is the id under which the user waits in line.
 */
export interface UserUnits<N = string> extends Read {
  reserved: number;
  sold: number;
  counted: number;
  userRemaining: number;
  open: number;
  reservations: N[];
  waiting: N | null;
}

/**
 * What INFO answers. `state` is scheduled, open, paused, ended, closed or diverged. `total`,
 * `available`, `reserved` and `sold` are units of all items, `items` is the number of SKUs. An
 * option that is not set is null; `passkeys` is how many secrets make passes. `eventsWaiting`
 * entries are not in the stream yet; `eventsLost` never will be. So many people are `waiting` in
 * line; so many places were `granted` and `passedOver`. `drawn` are SKUs with how many people
 * were drawn in their lines at `drawnAtMs`, by `drawSeed`. `owed` units were sold or given and
 * are not there; `shareId` names the sale to other sales, and `group` the split sale it is a part
 * of.
 */
export interface SaleInfo<N = string> extends Read {
  saleId: string;
  orders: N;
  state: string;
  events: string;
  nowMs: number;
  createdAtMs: number;
  pausedAtMs: number | null;
  closedAtMs: number | null;
  userlimit: number | null;
  itemlimit: number | null;
  orderlimit: number | null;
  salelimit: number | null;
  holdMs: number;
  maxholdMs: number;
  graceMs: number;
  startAtMs: number | null;
  endAtMs: number | null;
  keepMs: number;
  rememberMs: number;
  waitingMax: number;
  patienceMs: number;
  paceN: number | null;
  paceMs: number | null;
  userrateN: number | null;
  userrateMs: number | null;
  fromrateN: number | null;
  fromrateMs: number | null;
  passkeys: number;
  items: number;
  total: number;
  available: number;
  reserved: number;
  sold: number;
  refunded: number;
  users: number;
  reservationsOpen: number;
  reservationsRemembered: number;
  eventsWaiting: number;
  eventsLost: number;
  seq: number | null;
  memoryBytes: number;
  waiting: number;
  granted: number;
  passedOver: number;
  drawnAtMs: number | null;
  drawSeed: string | null;
  drawn: [sku: string, qty: number][] | null;
  owed: number;
  shareId: string;
  group: string | null;
}

/** What SCAN answers. The cursor of the last page is 0. */
export interface ScanPage<N = string> {
  cursor: number;
  ids: N[];
}

/** What UNITS answers. The cursor of the last page is 0. */
export interface UnitsPage<N = string> {
  cursor: number;
  units: UnitState<N>[];
}

/**
 * What AUDIT answers. `differences` are in words. What was compared with the stream is null
 * unless that was asked for.
 */
export interface Audit<_N = string> extends Read {
  consistent: boolean;
  differences: string[];
  reservations: number;
  entries: number | null;
  trimmed: number | null;
  entriesAdded: number | null;
  entriesOther: number | null;
}

/**
 * What THROTTLE answers. `status` is ALLOWED, or THROTTLED, which counts nothing. Of `limit`
 * calls at once, so many are `remaining`; this one would pass in `retryInMs`, and all of them are
 * back in `resetInMs`.
 */
export interface Allowance<_N = string> {
  status: string;
  limit: number;
  remaining: number;
  retryInMs: number;
  resetInMs: number;
}

/** What DOCTOR answers. `severity` is error, warning or note. */
export interface Finding<_N = string> {
  severity: string;
  topic: string;
  advice: string;
}

export type AlterAnswer<N = string> =
  | Ok<N>
  | Ended<N>
  | Other;

export type BindAnswer<N = string> =
  | Ok<N>
  | Other;

export type BuyAnswer<N = string> =
  | Sold<"yes", N>
  | Released<"no", N>
  | Refunded<"no", N>
  | Expired<"not now", N>
  | Expired<"no", N>
  | AlreadySold<N>
  | Mismatch<N>
  | Ended<N>
  | NotStarted<N>
  | Paused<N>
  | OrderLimit<N>
  | UserLimit<N>
  | ItemLimit<N>
  | SaleLimit<N>
  | SoldOut<N>
  | AllReserved<N>
  | NotFree<"no", N>
  | NotFree<"not now", N>
  | Waiting<"no", N>
  | Throttled<N>
  | NoPass<N>
  | Other;

export type CheckoutAnswer<N = string> =
  | Sold<"yes", N>
  | Released<"no", N>
  | Refunded<"no", N>
  | Expired<"not now", N>
  | Expired<"no", N>
  | AlreadySold<N>
  | NoReservation<"fault", N>
  | Waiting<"no", N>
  | Other;

export type CloseAnswer<N = string> =
  | Ok<N>
  | Other;

export type CreateAnswer<N = string> =
  | Ok<N>
  | Other;

export type ExtendAnswer<N = string> =
  | Reserved<N>
  | Sold<"no", N>
  | Released<"no", N>
  | Refunded<"no", N>
  | Expired<"no", N>
  | NoReservation<"fault", N>
  | Waiting<"no", N>
  | Other;

export type ImportAnswer<N = string> =
  | Sold<"yes", N>
  | Refunded<"no", N>
  | AlreadySold<N>
  | Mismatch<N>
  | NotFree<"no", N>
  | NotFree<"not now", N>
  | Other;

export type PauseAnswer<N = string> =
  | Ok<N>
  | Ended<N>
  | Other;

export type RefundAnswer<N = string> =
  | Refunded<"yes", N>
  | Mismatch<N>
  | NoReservation<"fault", N>
  | NotSold<N>
  | Other;

export type ReleaseAnswer<N = string> =
  | Sold<"no", N>
  | Released<"yes", N>
  | Refunded<"no", N>
  | NoReservation<"fault", N>
  | Other;

export type ReserveAnswer<N = string> =
  | Reserved<N>
  | Sold<"no", N>
  | Sold<"yes", N>
  | Released<"no", N>
  | Refunded<"no", N>
  | Expired<"no", N>
  | Mismatch<N>
  | NoReservation<"no", N>
  | Ended<N>
  | NotStarted<N>
  | Paused<N>
  | OrderLimit<N>
  | UserLimit<N>
  | ItemLimit<N>
  | SaleLimit<N>
  | SoldOut<N>
  | AllReserved<N>
  | NotFree<"no", N>
  | NotFree<"not now", N>
  | Waiting<"no", N>
  | Waiting<"not now", N>
  | Placed<N>
  | LineFull<N>
  | Throttled<N>
  | NoPass<N>
  | Other;

export type RestockAnswer<N = string> =
  | Restocked<N>
  | Mismatch<N>
  | NotFree<"no", N>
  | TooFew<N>
  | Other;

export type ResumeAnswer<N = string> =
  | Ok<N>
  | Ended<N>
  | Other;

/** Every status word. */
export const STATUSES = [
  "OK",
  "RESERVED",
  "SOLD",
  "RELEASED",
  "REFUNDED",
  "RESTOCKED",
  "EXPIRED",
  "ALREADYSOLD",
  "MISMATCH",
  "NORESERVATION",
  "ENDED",
  "NOTSTARTED",
  "PAUSED",
  "ORDERLIMIT",
  "USERLIMIT",
  "ITEMLIMIT",
  "SALELIMIT",
  "SOLDOUT",
  "ALLRESERVED",
  "NOTFREE",
  "NOTSOLD",
  "WAITING",
  "PLACED",
  "LINEFULL",
  "THROTTLED",
  "NOPASS",
  "TOOFEW",
  "GIVEN",
  "TAKEN",
] as const;
export type Status = (typeof STATUSES)[number];

type Rows = Record<string, Record<string, [when: string | null, advice: Advice][]>>;
const OkAdvice: Advice = {"kind": "yes", "http": 200, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"};
const ReservedNowAdvice: Advice = {"kind": "yes", "http": 201, "retryAfter": null, "buyer": "Yours until {expiresAtMs}.", "authorised": "make the payment's intent now", "charged": "none"};
const ReservedLongerAdvice: Advice = {"kind": "yes", "http": 200, "retryAfter": null, "buyer": "Yours until {expiresAtMs}.", "authorised": "none", "charged": "none"};
const SoldNowAdvice: Advice = {"kind": "yes", "http": 200, "retryAfter": null, "buyer": "Bought. Your order is {orderId}.", "authorised": "capture, when the `order` entry comes", "charged": "keep"};
const SoldBeforeAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Already bought. Ask for a refund.", "authorised": "capture, when the `order` entry comes", "charged": "keep"};
const SoldReplacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Already bought.", "authorised": "none: the answer is about the old id", "charged": "none: the answer is about the old id"};
const ReleasedNowAdvice: Advice = {"kind": "yes", "http": 200, "retryAfter": null, "buyer": "Cancelled.", "authorised": "cancel", "charged": "refund"};
const ReleasedBeforeAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Cancelled. Nothing was charged.", "authorised": "cancel: this is final", "charged": "refund: this is final"};
const ReleasedReplacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Your cart has changed. Please start again.", "authorised": "none: the answer is about the old id", "charged": "none: the answer is about the old id"};
const RefundedNowAdvice: Advice = {"kind": "yes", "http": 200, "retryAfter": null, "buyer": "Given back.", "authorised": "none", "charged": "the consumer of the stream refunds the amount of the `refund` entry, once for each (`sale_id`, `id`, `ref`)"};
const RefundedBeforeAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "This order was given back.", "authorised": "cancel", "charged": "if `ref` of GET is another payment, refund this one; if it is this one, it has been refunded: do nothing"};
const RefundedReplacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Your cart has changed. Please start again.", "authorised": "none: the answer is about the old id", "charged": "none: the answer is about the old id"};
const RestockedAdvice: Advice = {"kind": "yes", "http": 200, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"};
const ExpiredInGraceAdvice: Advice = {"kind": "not now", "http": 202, "retryAfter": null, "buyer": "We are checking your order.", "authorised": "again until it is 0, then give back; or give back now", "charged": "again until it is 0, then give back; or give back now"};
const ExpiredForGoodAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Your time was up. Please try again.", "authorised": "give back", "charged": "give back"};
const ExpiredBeforeAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Your time was up. Please try again.", "authorised": "none from here: CHECKOUT or RELEASE decides", "charged": "none from here: CHECKOUT or RELEASE decides"};
const ExpiredReplacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Your cart has changed. Please start again.", "authorised": "none: the answer is about the old id", "charged": "none: the answer is about the old id"};
const AlreadySoldAdvice: Advice = {"kind": "no", "http": 200, "retryAfter": null, "buyer": "Bought.", "authorised": "cancel **this** payment, without RELEASE; the one in `ref` stands. If `ref` is empty, the order was sold without a REF, possibly for this payment: a person decides", "charged": "refund **this** payment, without RELEASE. If `ref` is empty: a person decides"};
const MismatchOfIdAdvice: Advice = {"kind": "fault", "http": 422, "retryAfter": null, "buyer": "Something went wrong. Please start again.", "authorised": "alarm; cancel **without** RELEASE: the id is another cart's", "charged": "alarm; refund **without** RELEASE"};
const MismatchOfRefundAdvice: Advice = {"kind": "fault", "http": 422, "retryAfter": null, "buyer": "-", "authorised": "none from here", "charged": "none from here"};
const MismatchOfRestockAdvice: Advice = {"kind": "fault", "http": 422, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"};
const NoReservationToSellAdvice: Advice = {"kind": "fault", "http": 404, "retryAfter": null, "buyer": "We are checking your order.", "authorised": "that BUY decides: `SOLD` capture; a *no* give back; `MISMATCH` as in its own row", "charged": "that BUY decides: `SOLD` keep; a *no* give back; `MISMATCH` as in its own row"};
const NoReservationOfIdAdvice: Advice = {"kind": "fault", "http": 404, "retryAfter": null, "buyer": "We do not know this order.", "authorised": "alarm", "charged": "alarm"};
const NoReservationReplacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Your cart has changed. Please start again.", "authorised": "none: the answer is about the old id", "charged": "none: the answer is about the old id"};
const EndedForBuyersAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "The sale is over.", "authorised": "BUY: give back", "charged": "give back"};
const EndedForGoodAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"};
const NotStartedAdvice: Advice = {"kind": "not now", "http": 409, "retryAfter": "startsInMs", "buyer": "The sale starts in {startsInMs}.", "authorised": "BUY: give back", "charged": "give back"};
const PausedAdvice: Advice = {"kind": "not now", "http": 409, "retryAfter": 5, "buyer": "One moment, the sale is paused.", "authorised": "BUY: ask again for as long as you like, then give back", "charged": "BUY: ask again for as long as you like, then give back"};
const OrderLimitAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "At most {limit} in one order.", "authorised": "BUY: give back", "charged": "give back"};
const UserLimitAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "You have all you may have. Go on to your cart.", "authorised": "BUY: give back", "charged": "give back"};
const ItemLimitAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "You have all you may have of this item. Go on to your cart.", "authorised": "BUY: give back", "charged": "give back"};
const SaleLimitAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Sold out.", "authorised": "BUY: give back", "charged": "give back"};
const SoldOutAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "Sold out.", "authorised": "BUY: give back", "charged": "give back"};
const AllReservedAdvice: Advice = {"kind": "not now", "http": 409, "retryAfter": "retryInMs", "buyer": "All are in carts just now. Asking again for you.", "authorised": "BUY: ask again for as long as you like, then give back", "charged": "BUY: ask again for as long as you like, then give back"};
const NotFreeForGoodAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "{unit} is taken. Please choose another.", "authorised": "BUY: give back", "charged": "give back"};
const NotFreeNowAdvice: Advice = {"kind": "not now", "http": 409, "retryAfter": "retryInMs", "buyer": "{unit} is in another cart just now. Please choose another, or wait.", "authorised": "BUY: ask again for as long as you like, then give back", "charged": "BUY: ask again for as long as you like, then give back"};
const NotFreeToWithdrawAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"};
const NotSoldUnitAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "{unit} is not part of this order.", "authorised": "none from here", "charged": "none from here"};
const NotSoldSoManyAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "No more than {left} can be returned.", "authorised": "none from here", "charged": "none from here"};
const NotSoldAtAllAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "This was not bought.", "authorised": "none from here", "charged": "look in your own database"};
const WaitingForDrawAdvice: Advice = {"kind": "not now", "http": 202, "retryAfter": "retryInMs", "buyer": "You are in line. The order is drawn when the sale starts.", "authorised": "no intent yet", "charged": "none"};
const WaitingInLineAdvice: Advice = {"kind": "not now", "http": 202, "retryAfter": "retryInMs", "buyer": "You are in line, with at most {ahead} before you.", "authorised": "no intent yet", "charged": "none"};
const WaitingStillAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "You are still in line. Nothing was charged.", "authorised": "alarm: it was paid before it was reserved; give back", "charged": "alarm: it was paid before it was reserved; give back"};
const WaitingReplacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "You are still in line. Nothing was charged.", "authorised": "none: the answer is about the old id", "charged": "none: the answer is about the old id"};
const PlacedAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "You wait in another tab: go on there.", "authorised": "none", "charged": "none"};
const LineFullAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "The line is full.", "authorised": "none", "charged": "none"};
const ThrottledSaleAdvice: Advice = {"kind": "not now", "http": 429, "retryAfter": "retryInMs", "buyer": "One moment, it is crowded.", "authorised": "BUY: ask again for as long as you like, then give back", "charged": "BUY: ask again for as long as you like, then give back"};
const ThrottledBuyerAdvice: Advice = {"kind": "not now", "http": 429, "retryAfter": "retryInMs", "buyer": "Not so fast.", "authorised": "BUY: ask again for as long as you like, then give back", "charged": "BUY: ask again for as long as you like, then give back"};
const NoPassAdvice: Advice = {"kind": "no", "http": 403, "retryAfter": null, "buyer": "Please go through the check once more.", "authorised": "BUY: with a new pass, or give back", "charged": "BUY: with a new pass, or give back"};
const TooFewAdvice: Advice = {"kind": "no", "http": 409, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"};

/** What each word means by command; the first row whose condition holds. */
export const ROWS: Rows = {
  ALTER: {
    OK: [[null, OkAdvice]],
    ENDED: [[null, EndedForGoodAdvice]],
  },
  BIND: {
    OK: [[null, OkAdvice]],
  },
  BUY: {
    SOLD: [[null, SoldNowAdvice]],
    RELEASED: [[null, ReleasedBeforeAdvice]],
    REFUNDED: [[null, RefundedBeforeAdvice]],
    EXPIRED: [["grace_left_ms > 0", ExpiredInGraceAdvice], ["grace_left_ms = 0", ExpiredForGoodAdvice]],
    ALREADYSOLD: [[null, AlreadySoldAdvice]],
    MISMATCH: [[null, MismatchOfIdAdvice]],
    ENDED: [[null, EndedForBuyersAdvice]],
    NOTSTARTED: [[null, NotStartedAdvice]],
    PAUSED: [[null, PausedAdvice]],
    ORDERLIMIT: [[null, OrderLimitAdvice]],
    USERLIMIT: [[null, UserLimitAdvice]],
    ITEMLIMIT: [[null, ItemLimitAdvice]],
    SALELIMIT: [[null, SaleLimitAdvice]],
    SOLDOUT: [[null, SoldOutAdvice]],
    ALLRESERVED: [[null, AllReservedAdvice]],
    NOTFREE: [["retry_in_ms < 0", NotFreeForGoodAdvice], ["retry_in_ms > 0", NotFreeNowAdvice]],
    WAITING: [["no ahead", WaitingStillAdvice]],
    THROTTLED: [["by sale", ThrottledSaleAdvice], ["by buyer", ThrottledBuyerAdvice]],
    NOPASS: [[null, NoPassAdvice]],
  },
  CHECKOUT: {
    SOLD: [[null, SoldNowAdvice]],
    RELEASED: [[null, ReleasedBeforeAdvice]],
    REFUNDED: [[null, RefundedBeforeAdvice]],
    EXPIRED: [["grace_left_ms > 0", ExpiredInGraceAdvice], ["grace_left_ms = 0", ExpiredForGoodAdvice]],
    ALREADYSOLD: [[null, AlreadySoldAdvice]],
    NORESERVATION: [[null, NoReservationToSellAdvice]],
    WAITING: [["no ahead", WaitingStillAdvice]],
  },
  CLOSE: {
    OK: [[null, OkAdvice]],
  },
  CREATE: {
    OK: [[null, OkAdvice]],
  },
  EXTEND: {
    RESERVED: [[null, ReservedLongerAdvice]],
    SOLD: [[null, SoldBeforeAdvice]],
    RELEASED: [[null, ReleasedBeforeAdvice]],
    REFUNDED: [[null, RefundedBeforeAdvice]],
    EXPIRED: [[null, ExpiredBeforeAdvice]],
    NORESERVATION: [[null, NoReservationOfIdAdvice]],
    WAITING: [["no ahead", WaitingStillAdvice]],
  },
  IMPORT: {
    SOLD: [[null, SoldNowAdvice]],
    REFUNDED: [[null, RefundedBeforeAdvice]],
    ALREADYSOLD: [[null, AlreadySoldAdvice]],
    MISMATCH: [[null, MismatchOfIdAdvice]],
    NOTFREE: [["retry_in_ms < 0", NotFreeForGoodAdvice], ["retry_in_ms > 0", NotFreeNowAdvice]],
  },
  PAUSE: {
    OK: [[null, OkAdvice]],
    ENDED: [[null, EndedForGoodAdvice]],
  },
  REFUND: {
    REFUNDED: [[null, RefundedNowAdvice]],
    MISMATCH: [[null, MismatchOfRefundAdvice]],
    NORESERVATION: [[null, NoReservationOfIdAdvice]],
    NOTSOLD: [["unit", NotSoldUnitAdvice], ["sku", NotSoldSoManyAdvice], ["no sku", NotSoldAtAllAdvice]],
  },
  RELEASE: {
    SOLD: [[null, SoldBeforeAdvice]],
    RELEASED: [[null, ReleasedNowAdvice]],
    REFUNDED: [[null, RefundedBeforeAdvice]],
    NORESERVATION: [[null, NoReservationOfIdAdvice]],
  },
  RESERVE: {
    RESERVED: [[null, ReservedNowAdvice]],
    SOLD: [["replaced", SoldReplacedAdvice], [null, SoldNowAdvice]],
    RELEASED: [["replaced", ReleasedReplacedAdvice], [null, ReleasedBeforeAdvice]],
    REFUNDED: [["replaced", RefundedReplacedAdvice], [null, RefundedBeforeAdvice]],
    EXPIRED: [["replaced", ExpiredReplacedAdvice], [null, ExpiredBeforeAdvice]],
    MISMATCH: [[null, MismatchOfIdAdvice]],
    NORESERVATION: [["replaced", NoReservationReplacedAdvice]],
    ENDED: [[null, EndedForBuyersAdvice]],
    NOTSTARTED: [[null, NotStartedAdvice]],
    PAUSED: [[null, PausedAdvice]],
    ORDERLIMIT: [[null, OrderLimitAdvice]],
    USERLIMIT: [[null, UserLimitAdvice]],
    ITEMLIMIT: [[null, ItemLimitAdvice]],
    SALELIMIT: [[null, SaleLimitAdvice]],
    SOLDOUT: [[null, SoldOutAdvice]],
    ALLRESERVED: [[null, AllReservedAdvice]],
    NOTFREE: [["retry_in_ms < 0", NotFreeForGoodAdvice], ["retry_in_ms > 0", NotFreeNowAdvice]],
    WAITING: [["replaced", WaitingReplacedAdvice], ["ahead < 0", WaitingForDrawAdvice], ["ahead >= 0", WaitingInLineAdvice]],
    PLACED: [[null, PlacedAdvice]],
    LINEFULL: [[null, LineFullAdvice]],
    THROTTLED: [["by sale", ThrottledSaleAdvice], ["by buyer", ThrottledBuyerAdvice]],
    NOPASS: [[null, NoPassAdvice]],
  },
  RESTOCK: {
    RESTOCKED: [[null, RestockedAdvice]],
    MISMATCH: [[null, MismatchOfRestockAdvice]],
    NOTFREE: [[null, NotFreeToWithdrawAdvice]],
    TOOFEW: [[null, TooFewAdvice]],
  },
  RESUME: {
    OK: [[null, OkAdvice]],
    ENDED: [[null, EndedForGoodAdvice]],
  },
};

/** Name and type of the details of each word. */
export const DETAILS: Record<string, [name: string, type: string][]> = {
  OK: [],
  RESERVED: [["id", "name"], ["expiresAtMs", "integer"], ["remaining", "integer"], ["userRemaining", "integer"], ["units", "names?"]],
  SOLD: [["id", "name"], ["orderId", "text"], ["units", "names?"]],
  RELEASED: [["id", "name"]],
  REFUNDED: [["id", "name"], ["entryId", "text"]],
  RESTOCKED: [["items", "stocks"]],
  EXPIRED: [["id", "name"], ["expiresAtMs", "integer"], ["graceLeftMs", "integer?"]],
  ALREADYSOLD: [["id", "name"], ["ref", "name"]],
  MISMATCH: [["id", "name"]],
  NORESERVATION: [["id", "name"]],
  ENDED: [["endedAtMs", "integer"]],
  NOTSTARTED: [["startsInMs", "integer"]],
  PAUSED: [["pausedAtMs", "integer"]],
  ORDERLIMIT: [["limit", "integer"]],
  USERLIMIT: [["userRemaining", "integer"]],
  ITEMLIMIT: [["itemRemaining", "integer"], ["sku", "text"]],
  SALELIMIT: [["saleRemaining", "integer"]],
  SOLDOUT: [["available", "integer"], ["sku", "text"]],
  ALLRESERVED: [["retryInMs", "integer"], ["sku", "text?"]],
  NOTFREE: [["retryInMs", "integer"], ["sku", "text"], ["unit", "text"]],
  NOTSOLD: [["left", "integer"], ["sku", "text?"], ["unit", "text?"]],
  WAITING: [["id", "name"], ["ahead", "integer?"], ["left", "integer?"], ["etaMs", "integer?"], ["retryInMs", "integer?"]],
  PLACED: [["id", "name"], ["otherId", "name"]],
  LINEFULL: [["waitingMax", "integer"]],
  THROTTLED: [["retryInMs", "integer"], ["by", "text"]],
  NOPASS: [["id", "name"]],
  TOOFEW: [["available", "integer"], ["sku", "text"]],
  GIVEN: [["total", "integer"], ["available", "integer"], ["sku", "text"]],
  TAKEN: [["total", "integer"], ["available", "integer"], ["sku", "text"]],
};

/** Name of the server, name here and type of the fields of each read. */
export const FIELDS: Record<string, [field: string, name: string, type: string][]> = {
  STOCK: [["sku", "sku", "text"], ["available", "available", "integer"], ["reserved", "reserved", "integer"], ["sold", "sold", "integer"], ["waiting", "waiting", "integer?"]],
  GET: [["state", "state", "text"], ["user", "user", "name?"], ["items", "items", "lines?"], ["refunded", "refunded", "lines?"], ["reserved_at_ms", "reservedAtMs", "integer?"], ["expires_at_ms", "expiresAtMs", "integer?"], ["sold_at_ms", "soldAtMs", "integer?"], ["released_at_ms", "releasedAtMs", "integer?"], ["order_id", "orderId", "text?"], ["ref", "ref", "name?"], ["number", "number", "integer?"], ["ahead", "ahead", "integer?"], ["refunds", "refunds", "refunds?"], ["units", "units", "pairs"]],
  USER: [["reserved", "reserved", "integer"], ["sold", "sold", "integer"], ["counted", "counted", "integer"], ["user_remaining", "userRemaining", "integer"], ["open", "open", "integer"], ["reservations", "reservations", "names"], ["waiting", "waiting", "name?"]],
  INFO: [["sale_id", "saleId", "text"], ["orders", "orders", "name"], ["state", "state", "text"], ["events", "events", "text"], ["now_ms", "nowMs", "integer"], ["created_at_ms", "createdAtMs", "integer"], ["paused_at_ms", "pausedAtMs", "integer?"], ["closed_at_ms", "closedAtMs", "integer?"], ["userlimit", "userlimit", "integer?"], ["itemlimit", "itemlimit", "integer?"], ["orderlimit", "orderlimit", "integer?"], ["salelimit", "salelimit", "integer?"], ["hold_ms", "holdMs", "integer"], ["maxhold_ms", "maxholdMs", "integer"], ["grace_ms", "graceMs", "integer"], ["start_at_ms", "startAtMs", "integer?"], ["end_at_ms", "endAtMs", "integer?"], ["keep_ms", "keepMs", "integer"], ["remember_ms", "rememberMs", "integer"], ["waiting_max", "waitingMax", "integer"], ["patience_ms", "patienceMs", "integer"], ["pace_n", "paceN", "integer?"], ["pace_ms", "paceMs", "integer?"], ["userrate_n", "userrateN", "integer?"], ["userrate_ms", "userrateMs", "integer?"], ["fromrate_n", "fromrateN", "integer?"], ["fromrate_ms", "fromrateMs", "integer?"], ["passkeys", "passkeys", "integer"], ["items", "items", "integer"], ["total", "total", "integer"], ["available", "available", "integer"], ["reserved", "reserved", "integer"], ["sold", "sold", "integer"], ["refunded", "refunded", "integer"], ["users", "users", "integer"], ["reservations_open", "reservationsOpen", "integer"], ["reservations_remembered", "reservationsRemembered", "integer"], ["events_waiting", "eventsWaiting", "integer"], ["events_lost", "eventsLost", "integer"], ["seq", "seq", "integer?"], ["memory_bytes", "memoryBytes", "integer"], ["waiting", "waiting", "integer"], ["granted", "granted", "integer"], ["passed_over", "passedOver", "integer"], ["drawn_at_ms", "drawnAtMs", "integer?"], ["draw_seed", "drawSeed", "text?"], ["drawn", "drawn", "lines?"], ["owed", "owed", "integer"], ["share_id", "shareId", "text"], ["group", "group", "text?"]],
  SCAN: [["cursor", "cursor", "cursor"], ["ids", "ids", "names"]],
  UNITS: [["cursor", "cursor", "cursor"], ["units", "units", "states"]],
  AUDIT: [["consistent", "consistent", "boolean"], ["differences", "differences", "texts"], ["reservations", "reservations", "integer"], ["entries", "entries", "integer?"], ["trimmed", "trimmed", "integer?"], ["entries_added", "entriesAdded", "integer?"], ["entries_other", "entriesOther", "integer?"]],
  THROTTLE: [["status", "status", "text"], ["limit", "limit", "integer"], ["remaining", "remaining", "integer"], ["retry_in_ms", "retryInMs", "integer"], ["reset_in_ms", "resetInMs", "integer"]],
  DOCTOR: [["severity", "severity", "text"], ["topic", "topic", "text"], ["advice", "advice", "text"]],
};

/** Errors of the module and the server; `retryAfter` where the same call may be sent again. */
export const ERRORS: Record<string, Advice> = {
  ERR: {"kind": "error", "http": 400, "retryAfter": null, "buyer": "Something went wrong.", "authorised": "alarm; move no money", "charged": "alarm; move no money"},
  WRONGTYPE: {"kind": "error", "http": 500, "retryAfter": null, "buyer": "Something went wrong.", "authorised": "alarm; move no money", "charged": "alarm; move no money"},
  NOSKU: {"kind": "error", "http": 404, "retryAfter": null, "buyer": "Not on sale.", "authorised": "alarm; decide by your own database", "charged": "alarm; decide by your own database"},
  NOSALE: {"kind": "error", "http": 404, "retryAfter": null, "buyer": "Not on sale any more.", "authorised": "alarm; decide by your own database", "charged": "alarm; decide by your own database"},
  BUSYKEY: {"kind": "error", "http": 409, "retryAfter": null, "buyer": "-", "authorised": "none", "charged": "none"},
  OOM: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  BROKEN: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  TRYAGAIN: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  LOADING: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  READONLY: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  CLUSTERDOWN: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  MASTERDOWN: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  NOREPLICAS: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  MISCONF: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
  BUSY: {"kind": "error", "http": 503, "retryAfter": 1, "buyer": "Asking again for you.", "authorised": "no answer, no money: the same line again", "charged": "no answer, no money: the same line again"},
};
