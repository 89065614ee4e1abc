// Each command as node-redis takes it: `createClient({ modules: { flashsale } })`. Written by `python3 -m clients.generator`; change `answers.json` instead.

import type {
  AlterAnswer,
  BindAnswer,
  BuyAnswer,
  CheckoutAnswer,
  CloseAnswer,
  CreateAnswer,
  ExtendAnswer,
  ImportAnswer,
  PauseAnswer,
  RefundAnswer,
  ReleaseAnswer,
  ReserveAnswer,
  RestockAnswer,
  ResumeAnswer,
  Allowance,
  Audit,
  Finding,
  ItemStock,
  Reservation,
  SaleInfo,
  ScanPage,
  UserUnits,
} from "./answers.js";
import type { FlashSaleError, Json, Name, Parser, Text, Units } from "./base.js";
import * as decode from "./decode.js";
import { insist, names, need, needNumber, option, pair, units } from "./encode.js";

/** Options of ALTER. */
export interface AlterOptions {
  /** Most units that one user may have reserved and bought. */
  userlimit?: number | undefined;
  /** Most units of each SKU that one user may have reserved and bought. */
  itemlimit?: number | undefined;
  /** Most units in one reservation. */
  orderlimit?: number | undefined;
  /** Most units that the whole sale may have reserved and sold. */
  salelimit?: number | undefined;
  /** How long a reservation lasts; the server has a default. */
  holdMs?: number | undefined;
  /** How long a reservation may last with EXTEND; as HOLD by default. */
  maxholdMs?: number | undefined;
  /** How late a CHECKOUT may be, if the units are still there; 0 by default. */
  graceMs?: number | undefined;
  /** When the sale opens, in Unix milliseconds. */
  startAtMs?: number | undefined;
  /** When the sale ends, in Unix milliseconds. */
  endAtMs?: number | undefined;
  /** How long refunds stay possible after the end; then the key expires. */
  keepMs?: number | undefined;
  /** How long released and expired ids stay known; 10 minutes by default. */
  rememberMs?: number | undefined;
  /** Most people in line; 0, the default: nobody waits. */
  waiting?: number | undefined;
  /**
   * Whoever was silent for so long is passed over at their turn; a minute by default, 0: nobody
   * is.
   */
  patienceMs?: number | undefined;
  /** So many reservations begin in so many milliseconds, evenly; 0 and 0: as they are asked for. */
  pace?: readonly [number, number] | undefined;
  /**
   * So many attempts of a user in so many milliseconds, and as many at once; 0 and 0: as many as
   * they like.
   */
  userrate?: readonly [number, number] | undefined;
  /** The same for the source of a request, where it names one; 0 and 0: as many as come. */
  fromrate?: readonly [number, number] | undefined;
  /**
   * Up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them made; none:
   * nobody needs a pass.
   */
  passkey?: readonly Name[] | undefined;
  /** The split sale that this one is a part of; empty: none any more. */
  group?: Name | undefined;
  /** What the stream gets: `orders` and refunds, or `all` that happens. */
  events?: "orders" | "all" | undefined;
}

/** Options of AUDIT. */
export interface AuditOptions {
  orders?: Name;
}

/** Options of BUY. */
export interface BuyOptions {
  /** The idempotency token: make it before the first try, keep it, and send it with each retry. */
  id: Name;
  /** The payment's own reference: it distinguishes a retry from a second payment. */
  ref?: Name | undefined;
  /** JSON of yours, at most 64 KiB, for the entry in the stream. */
  payload?: Json | undefined;
  /** Where the request comes from, such as an address: what FROMRATE counts. */
  source?: Name | undefined;
  /** The pass that the app made for this id and this user, in a sale with PASSKEY. */
  pass?: Name | undefined;
}

/** Options of CHECKOUT. */
export interface CheckoutOptions {
  /** Refuses a reservation of anybody else. */
  user?: Name | undefined;
  /** The payment's own reference: it distinguishes a retry from a second payment. */
  ref?: Name | undefined;
  /** JSON of yours, at most 64 KiB, for the entry in the stream. */
  payload?: Json | undefined;
}

/** Options of CREATE. */
export interface CreateOptions {
  /** Most units that one user may have reserved and bought. */
  userlimit?: number | undefined;
  /** Most units of each SKU that one user may have reserved and bought. */
  itemlimit?: number | undefined;
  /** Most units in one reservation. */
  orderlimit?: number | undefined;
  /** Most units that the whole sale may have reserved and sold. */
  salelimit?: number | undefined;
  /** How long a reservation lasts; the server has a default. */
  holdMs?: number | undefined;
  /** How long a reservation may last with EXTEND; as HOLD by default. */
  maxholdMs?: number | undefined;
  /** How late a CHECKOUT may be, if the units are still there; 0 by default. */
  graceMs?: number | undefined;
  /** When the sale opens, in Unix milliseconds. */
  startAtMs?: number | undefined;
  /** When the sale ends, in Unix milliseconds. */
  endAtMs?: number | undefined;
  /** How long refunds stay possible after the end; then the key expires. */
  keepMs?: number | undefined;
  /** How long released and expired ids stay known; 10 minutes by default. */
  rememberMs?: number | undefined;
  /** Most people in line; 0, the default: nobody waits. */
  waiting?: number | undefined;
  /**
   * Whoever was silent for so long is passed over at their turn; a minute by default, 0: nobody
   * is.
   */
  patienceMs?: number | undefined;
  /** So many reservations begin in so many milliseconds, evenly; 0 and 0: as they are asked for. */
  pace?: readonly [number, number] | undefined;
  /**
   * So many attempts of a user in so many milliseconds, and as many at once; 0 and 0: as many as
   * they like.
   */
  userrate?: readonly [number, number] | undefined;
  /** The same for the source of a request, where it names one; 0 and 0: as many as come. */
  fromrate?: readonly [number, number] | undefined;
  /**
   * Up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them made; none:
   * nobody needs a pass.
   */
  passkey?: readonly Name[] | undefined;
  /** The split sale that this one is a part of; empty: none any more. */
  group?: Name | undefined;
  /** What the stream gets: `orders` and refunds, or `all` that happens. */
  events?: "orders" | "all" | undefined;
  /** A ULID that was made before the first try: the CREATE can be sent again. */
  saleid?: Name | undefined;
}

/** Options of EXTEND. */
export interface ExtendOptions {
  /** Refuses a reservation of anybody else. */
  user?: Name | undefined;
}

/** Options of IMPORT. */
export interface ImportOptions {
  /** The idempotency token: make it before the first try, keep it, and send it with each retry. */
  id: Name;
  /** When it was sold, in Unix milliseconds. */
  soldAtMs: number;
  /** The payment's own reference: it distinguishes a retry from a second payment. */
  ref?: Name | undefined;
  /** JSON of yours, at most 64 KiB, for the entry in the stream. */
  payload?: Json | undefined;
}

/** Options of MBUY. */
export interface MbuyOptions {
  /** The item of all entries, if the sale has several. */
  sku?: Name | undefined;
}

/** Options of MRESERVE. */
export interface MreserveOptions {
  /** The item of all entries, if the sale has several. */
  sku?: Name | undefined;
  /** How long these reservations last, at most the sale's HOLD. */
  holdMs?: number | undefined;
}

/** Options of REFUND. */
export interface RefundOptions {
  /** The return's own reference: it distinguishes a retry from a second return. */
  ref?: Name | undefined;
  /** Refuses a reservation of anybody else. */
  user?: Name | undefined;
  /** The units do not go back on sale. */
  norestock?: boolean;
  /** The units do not count against the user's limits any more. */
  restorelimit?: boolean;
}

/** Options of RELEASE. */
export interface ReleaseOptions {
  /** Refuses a reservation of anybody else. */
  user?: Name | undefined;
}

/** Options of RESERVE. */
export interface ReserveOptions {
  /** The idempotency token: make it before the first try, keep it, and send it with each retry. */
  id: Name;
  /** How long this reservation lasts, at most the sale's HOLD. */
  holdMs?: number | undefined;
  /** The open reservation that becomes this one; the deadline stays. */
  replace?: Name | undefined;
  /** Where the request comes from, such as an address: what FROMRATE counts. */
  source?: Name | undefined;
  /** The pass that the app made for this id and this user, in a sale with PASSKEY. */
  pass?: Name | undefined;
  /** Where units are not to be had yet, the request waits in line under the id. */
  wait?: boolean;
}

/** Options of RESTOCK. */
export interface RestockOptions {
  /** Allows SKUs that the sale does not have yet. */
  new?: boolean;
  /** The delivery's own reference: it distinguishes a retry from a second delivery. */
  ref: Name | null;
}

/** Options of SCAN. */
export interface ScanOptions {
  /** How many places to look at; 10 by default. */
  count?: number | undefined;
  /** Only ids in this state, as in GET. */
  state?: Name | undefined;
}

/** Options of THROTTLE. */
export interface ThrottleOptions {
  /** Most calls at once; `count` by default. */
  burst?: number | undefined;
  /** How many calls this one counts for; 0 asks, and counts nothing. */
  cost?: number | undefined;
}

/** The module for `createClient`, `createClientPool`, `createCluster` and `createSentinel`. */
export const flashsale = {
  /**
   * Changes options of a sale. What is not given stays as it is. 0 is none for a limit, START and
   * END.
   */
  alter: {
    parseCommand(parser: Parser, key: Name, options: AlterOptions = {}): void {
      parser.push("FLASHSALE.ALTER");
      parser.pushKey(key);
      parser.push(...option("USERLIMIT", options.userlimit));
      parser.push(...option("ITEMLIMIT", options.itemlimit));
      parser.push(...option("ORDERLIMIT", options.orderlimit));
      parser.push(...option("SALELIMIT", options.salelimit));
      parser.push(...option("HOLD", options.holdMs));
      parser.push(...option("MAXHOLD", options.maxholdMs));
      parser.push(...option("GRACE", options.graceMs));
      parser.push(...option("START", options.startAtMs));
      parser.push(...option("END", options.endAtMs));
      parser.push(...option("KEEP", options.keepMs));
      parser.push(...option("REMEMBER", options.rememberMs));
      parser.push(...option("WAITING", options.waiting));
      parser.push(...option("PATIENCE", options.patienceMs));
      parser.push(...pair("PACE", options.pace));
      parser.push(...pair("USERRATE", options.userrate));
      parser.push(...pair("FROMRATE", options.fromrate));
      parser.push(...names("PASSKEY", options.passkey));
      parser.push(...option("GROUP", options.group));
      parser.push(...option("EVENTS", options.events));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("ALTER", reply, preserve) as AlterAnswer<Text>,
  },
  /**
   * Recounts a sale from its reservations up, and against its order stream. With `orders` every
   * order and refund is compared with its entry in that stream.
   */
  audit: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: Name, options: AuditOptions = {}): void {
      parser.push("FLASHSALE.AUDIT");
      parser.pushKey(key);
      if (options.orders !== undefined) parser.pushKey(options.orders);
    },
    transformReply: (reply: unknown) => decode.map("AUDIT", reply) as Audit<Text>,
  },
  /** Gives a sale another order stream. */
  bind: {
    parseCommand(parser: Parser, key: Name, orders: Name): void {
      parser.push("FLASHSALE.BIND");
      parser.pushKey(key);
      parser.pushKey(orders);
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("BIND", reply, preserve) as BindAnswer<Text>,
  },
  /** Sells units to a user in one step and appends the order to the stream. */
  buy: {
    parseCommand(parser: Parser, key: Name, orders: Name, user: Name, qty: Units, options: BuyOptions): void {
      need("BUY", options, "id");
      parser.push("FLASHSALE.BUY");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push(user);
      parser.push(...units(null, qty));
      parser.push(...option("ID", options.id));
      parser.push(...option("REF", options.ref));
      parser.push(...option("PAYLOAD", options.payload));
      parser.push(...option("FROM", options.source));
      parser.push(...option("PASS", options.pass));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("BUY", reply, preserve) as BuyAnswer<Text>,
  },
  /** Turns a reservation into a sale and appends the order to the stream. */
  checkout: {
    parseCommand(parser: Parser, key: Name, orders: Name, id: Name, options: CheckoutOptions = {}): void {
      parser.push("FLASHSALE.CHECKOUT");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push(id);
      parser.push(...option("USER", options.user));
      parser.push(...option("REF", options.ref));
      parser.push(...option("PAYLOAD", options.payload));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("CHECKOUT", reply, preserve) as CheckoutAnswer<Text>,
  },
  /** Ends a sale for good. Open reservations can still be checked out. */
  close: {
    parseCommand(parser: Parser, key: Name): void {
      parser.push("FLASHSALE.CLOSE");
      parser.pushKey(key);
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("CLOSE", reply, preserve) as CloseAnswer<Text>,
  },
  /**
   * Makes a sale of one or several items. `stock` is the number of the one item `default`, or a
   * number for each SKU. Without `saleid` it is not safe to repeat: `retry` refuses it. A limit
   * of 0 is none.
   */
  create: {
    parseCommand(parser: Parser, key: Name, orders: Name, stock: Units, options: CreateOptions = {}): void {
      insist("CREATE", "saleid", options.saleid);
      parser.push("FLASHSALE.CREATE");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push(...units("STOCK", stock));
      parser.push(...option("USERLIMIT", options.userlimit));
      parser.push(...option("ITEMLIMIT", options.itemlimit));
      parser.push(...option("ORDERLIMIT", options.orderlimit));
      parser.push(...option("SALELIMIT", options.salelimit));
      parser.push(...option("HOLD", options.holdMs));
      parser.push(...option("MAXHOLD", options.maxholdMs));
      parser.push(...option("GRACE", options.graceMs));
      parser.push(...option("START", options.startAtMs));
      parser.push(...option("END", options.endAtMs));
      parser.push(...option("KEEP", options.keepMs));
      parser.push(...option("REMEMBER", options.rememberMs));
      parser.push(...option("WAITING", options.waiting));
      parser.push(...option("PATIENCE", options.patienceMs));
      parser.push(...pair("PACE", options.pace));
      parser.push(...pair("USERRATE", options.userrate));
      parser.push(...pair("FROMRATE", options.fromrate));
      parser.push(...names("PASSKEY", options.passkey));
      parser.push(...option("GROUP", options.group));
      parser.push(...option("EVENTS", options.events));
      parser.push(...option("SALEID", options.saleid));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("CREATE", reply, preserve) as CreateAnswer<Text>,
  },
  /**
   * Tells what would hurt a sale on this server. In a cluster it asks one node: `doctorOf` asks
   * all.
   */
  doctor: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser): void {
      parser.push("FLASHSALE.DOCTOR");
    },
    transformReply: (reply: unknown) => decode.rows("DOCTOR", reply) as Finding<Text>[],
  },
  /**
   * Moves the deadline of an open reservation. The new deadline is `ms` from now, but no later
   * than MAXHOLD after the reservation was made. Without a MAXHOLD that is the sale's HOLD, so
   * create the sale with a longer one.
   */
  extend: {
    parseCommand(parser: Parser, key: Name, id: Name, ms: number, options: ExtendOptions = {}): void {
      parser.push("FLASHSALE.EXTEND");
      parser.pushKey(key);
      parser.push(id);
      parser.push(String(ms));
      parser.push(...option("USER", options.user));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("EXTEND", reply, preserve) as ExtendAnswer<Text>,
  },
  /** Tells everything about a reservation. It is null if the id is unknown. */
  get: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: Name, id: Name): void {
      parser.push("FLASHSALE.GET");
      parser.pushKey(key);
      parser.push(id);
    },
    transformReply: (reply: unknown) => decode.map("GET", reply) as Reservation<Text> | null,
  },
  /** Tells the syntax of every command and what it does. */
  help: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, command?: Name): void {
      parser.push("FLASHSALE.HELP");
      if (command !== undefined) parser.push(command);
    },
    transformReply: (reply: unknown) => decode.texts(reply) as string[],
  },
  /**
   * Records an order that was sold elsewhere, or that a failover lost. It was sold, so nothing
   * refuses it but another order under its id; units that are not there are owed.
   */
  import: {
    parseCommand(parser: Parser, key: Name, orders: Name, user: Name, qty: Units, options: ImportOptions): void {
      needNumber("IMPORT", options, "soldAtMs");
      need("IMPORT", options, "id");
      parser.push("FLASHSALE.IMPORT");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push(user);
      parser.push(...units(null, qty));
      parser.push(...option("ID", options.id));
      parser.push(...option("AT", options.soldAtMs));
      parser.push(...option("REF", options.ref));
      parser.push(...option("PAYLOAD", options.payload));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("IMPORT", reply, preserve) as ImportAnswer<Text>,
  },
  /** Tells everything about a sale as a whole. */
  info: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: Name): void {
      parser.push("FLASHSALE.INFO");
      parser.pushKey(key);
    },
    transformReply: (reply: unknown) => decode.map("INFO", reply) as SaleInfo<Text>,
  },
  /**
   * Sells units to many users and appends the orders to the stream, each as BUY does. Each entry
   * is answered or refused by itself.
   */
  mbuy: {
    parseCommand(parser: Parser, key: Name, orders: Name, entries: { user: Name; qty: number; id: Name; ref?: Name }[], options: MbuyOptions = {}): void {
      parser.push("FLASHSALE.MBUY");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push("ENTRIES", String(entries.length), ...entries.flatMap((one) => [one.user, String(one.qty), one.id, one.ref ?? ""]));
      parser.push(...option("SKU", options.sku));
    },
    transformReply: (reply: unknown) => decode.batch("BUY", reply) as (BuyAnswer<Text> | FlashSaleError)[],
  },
  /**
   * Turns many reservations into sales and appends the orders to the stream, each as CHECKOUT
   * does. Each entry is answered or refused by itself.
   */
  mcheckout: {
    parseCommand(parser: Parser, key: Name, orders: Name, entries: { id: Name; ref?: Name }[]): void {
      parser.push("FLASHSALE.MCHECKOUT");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push("ENTRIES", String(entries.length), ...entries.flatMap((one) => [one.id, one.ref ?? ""]));
    },
    transformReply: (reply: unknown) => decode.batch("CHECKOUT", reply) as (CheckoutAnswer<Text> | FlashSaleError)[],
  },
  /**
   * Gives the units of many reservations back, each as RELEASE does. Each entry is answered or
   * refused by itself.
   */
  mrelease: {
    parseCommand(parser: Parser, key: Name, entries: Name[]): void {
      parser.push("FLASHSALE.MRELEASE");
      parser.pushKey(key);
      parser.push("ENTRIES", String(entries.length), ...entries.flatMap((one) => [one]));
    },
    transformReply: (reply: unknown) => decode.batch("RELEASE", reply) as (ReleaseAnswer<Text> | FlashSaleError)[],
  },
  /**
   * Sets units aside for many users, each as RESERVE does. Each entry is answered or refused by
   * itself.
   */
  mreserve: {
    parseCommand(parser: Parser, key: Name, entries: { user: Name; qty: number; id: Name }[], options: MreserveOptions = {}): void {
      parser.push("FLASHSALE.MRESERVE");
      parser.pushKey(key);
      parser.push("ENTRIES", String(entries.length), ...entries.flatMap((one) => [one.user, String(one.qty), one.id]));
      parser.push(...option("SKU", options.sku));
      parser.push(...option("HOLD", options.holdMs));
    },
    transformReply: (reply: unknown) => decode.batch("RESERVE", reply) as (ReserveAnswer<Text> | FlashSaleError)[],
  },
  /** Stops new reservations until RESUME. Open reservations can still be checked out. */
  pause: {
    parseCommand(parser: Parser, key: Name): void {
      parser.push("FLASHSALE.PAUSE");
      parser.pushKey(key);
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("PAUSE", reply, preserve) as PauseAnswer<Text>,
  },
  /** Takes back all or part of an order. A part (`qty`) needs a `ref`. */
  refund: {
    parseCommand(parser: Parser, key: Name, orders: Name, id: Name, options: RefundOptions & ({ qty?: undefined } | { qty: Units; ref: Name }) = {}): void {
      if (options.qty !== undefined) need("REFUND of a part", options, "ref");
      parser.push("FLASHSALE.REFUND");
      parser.pushKey(key);
      parser.pushKey(orders);
      parser.push(id);
      if (options.qty !== undefined) parser.push(...units("QTY", options.qty));
      parser.push(...option("REF", options.ref));
      parser.push(...option("USER", options.user));
      if (options.norestock) parser.push("NORESTOCK");
      if (options.restorelimit) parser.push("RESTORELIMIT");
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("REFUND", reply, preserve) as RefundAnswer<Text>,
  },
  /**
   * Gives a reservation's units back before its deadline. `RELEASED` is final: no later CHECKOUT
   * of the id succeeds. So release before money is given back.
   */
  release: {
    parseCommand(parser: Parser, key: Name, id: Name, options: ReleaseOptions = {}): void {
      parser.push("FLASHSALE.RELEASE");
      parser.pushKey(key);
      parser.push(id);
      parser.push(...option("USER", options.user));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("RELEASE", reply, preserve) as ReleaseAnswer<Text>,
  },
  /** Sets units aside for a user until a deadline. */
  reserve: {
    parseCommand(parser: Parser, key: Name, user: Name, qty: Units, options: ReserveOptions): void {
      need("RESERVE", options, "id");
      parser.push("FLASHSALE.RESERVE");
      parser.pushKey(key);
      parser.push(user);
      parser.push(...units(null, qty));
      parser.push(...option("ID", options.id));
      parser.push(...option("HOLD", options.holdMs));
      parser.push(...option("REPLACE", options.replace));
      parser.push(...option("FROM", options.source));
      parser.push(...option("PASS", options.pass));
      if (options.wait) parser.push("WAIT");
      parser.preserve = options.replace;
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("RESERVE", reply, preserve) as ReserveAnswer<Text>,
  },
  /**
   * Adds units to the stock of items, or takes some away. `delta` may be negative. With `ref`
   * null it is not safe to repeat: `retry` refuses it.
   */
  restock: {
    parseCommand(parser: Parser, key: Name, delta: Units, options: RestockOptions): void {
      need("RESTOCK", options, "ref", true);
      insist("RESTOCK", "ref", options.ref);
      parser.push("FLASHSALE.RESTOCK");
      parser.pushKey(key);
      parser.push(...units(null, delta));
      if (options.new) parser.push("NEW");
      parser.push(...option("REF", options.ref));
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("RESTOCK", reply, preserve) as RestockAnswer<Text>,
  },
  /** Lets new reservations in again. */
  resume: {
    parseCommand(parser: Parser, key: Name): void {
      parser.push("FLASHSALE.RESUME");
      parser.pushKey(key);
    },
    transformReply: (reply: unknown, preserve?: unknown) => decode.answer("RESUME", reply, preserve) as ResumeAnswer<Text>,
  },
  /**
   * Goes through the ids of a sale. Begin with the cursor 0, and go on with the cursor of each
   * page until it is 0. A page may be empty.
   */
  scan: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: Name, cursor: number, options: ScanOptions = {}): void {
      parser.push("FLASHSALE.SCAN");
      parser.pushKey(key);
      parser.push(String(cursor));
      parser.push(...option("COUNT", options.count));
      parser.push(...option("STATE", options.state));
    },
    transformReply: (reply: unknown) => decode.tuple("SCAN", reply) as ScanPage<Text>,
  },
  /**
   * Tells the stock of items. Without a SKU it answers all items; null stands in the place of an
   * unknown SKU.
   */
  stock: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: Name, ...skus: Name[]): void {
      parser.push("FLASHSALE.STOCK");
      parser.pushKey(key);
      parser.push(...skus);
    },
    transformReply: (reply: unknown) => decode.rows("STOCK", reply) as (ItemStock<Text> | null)[],
  },
  /**
   * Asks whether a call may pass a rate limit, and counts it if it may. The subject may call
   * `count` times in `ms` milliseconds. Nothing remembers a call: sent again after a lost answer,
   * it may count twice.
   */
  throttle: {
    parseCommand(parser: Parser, key: Name, subject: Name, count: number, ms: number, options: ThrottleOptions = {}): void {
      parser.push("FLASHSALE.THROTTLE");
      parser.pushKey(key);
      parser.push(subject);
      parser.push(String(count));
      parser.push(String(ms));
      parser.push(...option("BURST", options.burst));
      parser.push(...option("COST", options.cost));
    },
    transformReply: (reply: unknown) => decode.tuple("THROTTLE", reply) as Allowance<Text>,
  },
  /** Tells what one user has reserved and bought. All zeros for an unknown user. */
  user: {
    IS_READ_ONLY: true,
    parseCommand(parser: Parser, key: Name, user: Name): void {
      parser.push("FLASHSALE.USER");
      parser.pushKey(key);
      parser.push(user);
    },
    transformReply: (reply: unknown) => decode.map("USER", reply) as UserUnits<Text>,
  },
} as const;
