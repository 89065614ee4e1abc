// What all parts of the shop share: the settings, the database, the sale.

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { flashsale, mayRepeat, newPass, SplitSale } from "flashsale-client";
import { createClient, createCluster } from "redis";

import { NoAnswer } from "./provider.js";

// Node.js has SQLite built in from 22.13 on; for older versions, a package with the same interface.
const { DatabaseSync } = await import("node:sqlite").catch(() => import("@photostructure/sqlite"));

/** @typedef {{ sku: string, qty: number, cents: number, units?: string[] }} Line What was asked for, its price then, and the names of seats. */
/**
 * @typedef {object} Intent A row of `intents`; its states are in schema.sql.
 * @property {string} id
 * @property {string} reservation
 * @property {string} user
 * @property {string} items
 * @property {number} cents
 * @property {string | null} psp_ref
 * @property {string} state
 * @property {number} expires_at_ms
 * @property {number} changed_at_ms
 */

// Both shops have the same tables, pages and payment provider. In a copy of your own: "./".
const SHARED = new URL("../shop-python/", import.meta.url);
const env = process.env;
const NAME = env.SHOP_SALE ?? "shoes";
// So many parts a split sale has (docs/split.md). Else the sale is one key, and its own only part.
export const SPLIT = env.SHOP_SPLIT ?? "";
if (SPLIT && !(/^\d+$/.test(SPLIT) && Number(SPLIT) >= 1 && Number(SPLIT) <= 1024)) throw new Error("SHOP_SPLIT is the number of parts, 1 to 1024");
// Of a split sale these are templates, with {} for the part.
const PLACE = {
  keys: SPLIT ? (env.SHOP_KEYS ?? "{}") : NAME,
  streams: env.SHOP_ORDERS ?? (SPLIT ? "{}:orders" : "shoes:orders"),
};
if (SPLIT && !Object.values(PLACE).every((template) => template.includes("{}"))) {
  throw new Error("SHOP_KEYS and SHOP_ORDERS of a split sale have {} for the part");
}
/** The sale: `shoes.of(user)` has the key and the stream of all that the user does. */
export const shoes = new SplitSale(NAME, { parts: Number(SPLIT || 1), ...PLACE });
export const SHOP_URL = new URL(env.SHOP_URL ?? "http://127.0.0.1:8000");
export const IS_TLS = SHOP_URL.protocol === "https:";
/** The REF under which an order goes back whose money is gone. */
export const UNPAID = "unpaid";
// How long something may take before `reconcile` looks at it.
export const STALE_MS = Number(env.SHOP_STALE_MS ?? 60_000);
export const CURRENCY = "EUR";
// Makes the passes of a sale with PASSKEY: whoever has it lets people in. It is written nowhere.
const PASSKEY = env.SHOP_PASSKEY ?? "";
if (PASSKEY && (Buffer.byteLength(PASSKEY) < 16 || Buffer.byteLength(PASSKEY) > 128)) throw new Error("SHOP_PASSKEY has 16 to 128 bytes");
// A pass is sent at once: so long for clocks that differ, and for retries.
const PASS_MS = 60_000;

/** @param {string} name */
export const shared = (name) => readFileSync(new URL(name, SHARED), "utf8");

const digest = (/** @type {string} */ text) => createHash("sha256").update(text).digest();
/** Compares texts in a time that does not tell how much of a guess is right. @param {string} a @param {string} b */
export const isSame = (a, b) => timingSafeEqual(digest(a), digest(b));

// --- the sale -----------------------------------------------------------------------

const url = env.SHOP_REDIS ?? "redis://127.0.0.1:6379";
const modules = { flashsale };
const options = {
  // While there is no connection, a command fails at once, and its caller decides what then.
  disableOfflineQueue: true,
  // A server that says nothing for 5 s is gone, and what was asked of it has no answer.
  pingInterval: 1000,
  socket: { socketTimeout: 5000, reconnectStrategy: (/** @type {number} */ tries) => Math.min(1000, 50 * 2 ** tries) },
};
/**
 * Null, unless the server is a cluster: then `url` is any of its nodes. Each node is connected to when it
 * is first asked, or one that is down would keep all others waiting.
 */
const cluster =
  env.SHOP_CLUSTER === "yes" ? createCluster({ rootNodes: [{ url }], modules, defaults: options, minimizeConnections: true }) : null;
const single = cluster ? null : createClient({ url, modules, ...options });
export const client = /** @type {NonNullable<typeof single>} */ (cluster ?? single);
client.on("error", (error) => console.log(`sale: ${error.message || error.code}; connecting again`));
cluster?.on("node-error", (error, { address }) => console.log(`sale: ${address}: ${error.message || error.code}; connecting again`));
/** Connected for the first time; afterwards it connects again by itself. */
export const connected = connect();
async function connect() {
  for (;;) {
    try {
      return await client.connect();
    } catch (error) {
      if (!cluster) throw error;
      console.log(`sale: ${error}; connecting again`);
      await sleep(1000);
    }
  }
}

/** What is asked of a node that was never there waits for it: after 5 s that is no answer, as elsewhere. @template A @param {Promise<A>} call @returns {Promise<A>} */
export const within = (call) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new NoAnswer("a node does not answer")), 5000);
    call.then(resolve, reject).finally(() => clearTimeout(timer));
  });
export const sale = /** @type {typeof client.flashsale} */ (
  cluster
    ? new Proxy(client.flashsale, {
        get: (of, name) => (/** @type {any[]} */ ...args) => within(/** @type {any} */ (of)[name](...args)),
      })
    : client.flashsale
);

/** The processes that serve the sale: another one may lack what one of these had. */
export async function runs() {
  const asked = cluster
    ? cluster.masters.map((node) => within(Promise.resolve(cluster.nodeClient(node)).then((one) => one.info("server"))))
    : [client.info("server")];
  const infos = (await Promise.allSettled(asked)).map((one) => (one.status === "fulfilled" ? one.value : ""));
  return infos.map((info) => /run_id:\w+/.exec(info)?.[0]).sort().join(" ");
}

/** Did nobody answer? Then nobody knows whether it happened, and the same is asked again. @param {unknown} error */
export const isNoAnswer = (error) => error instanceof NoAnswer || mayRepeat(error);

// --- the database -------------------------------------------------------------------

const db = new DatabaseSync(env.SHOP_DB ?? "shop.db");
// FULL: what was committed is there after a power cut, too.
db.exec("PRAGMA busy_timeout = 30000; PRAGMA synchronous = FULL");
// The processes start at once, and for the one that makes a new file WAL the others do not wait by themselves.
for (let left = 100; ; left--) {
  try {
    db.exec("PRAGMA journal_mode = WAL");
    break;
  } catch (error) {
    if (left === 0) throw error;
    await sleep(100);
  }
}
if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'denied'").get()) db.exec(shared("schema.sql"));

/** Ends a process of the shop whose settings are not those of the split sale, where this can be asked. */
export async function checkParts() {
  if (!SPLIT) return;
  /** @type {string[]} */
  let skus = [];
  /** @type {[string, string | null | undefined, string][]} */
  const settings = [];
  try {
    await Promise.race([connected, sleep(2000)]);
    // What `flashsale split create` has written down; users of another number are on other parts.
    for (const [field, mine] of Object.entries({ parts: SPLIT, ...PLACE })) settings.push([field, await within(client.hGet(`{${NAME}}:parts`, field)), mine]);
    skus = (await sale.stock(shoes.parts[0].key)).flatMap((item) => (item ? [item.sku] : []));
  } catch (error) {
    console.log(`shop: the parts of ${NAME} could not be checked: ${error}`);
  }
  for (const [field, known, mine] of settings) {
    if (known && known !== mine) throw new Error(`${NAME} has ${field} ${known}, for ever, and this shop is set to ${mine}`);
  }
  const named = skus.find((sku) => row("SELECT 1 FROM named WHERE sku = ?", sku));
  if (named) throw new Error(`the units of ${named} have names, and those of a split sale have none: make ${named} a sale of its own`);
}

/** @param {string} sql @param {...any} values @returns {any[]} */
export const rows = (sql, ...values) => db.prepare(sql).all(...values);

/** @param {string} sql @param {...any} values @returns {any} */
export const row = (sql, ...values) => db.prepare(sql).get(...values);

/** The number of rows it changed. @param {string} sql @param {...any} values */
export const change = (sql, ...values) => Number(db.prepare(sql).run(...values).changes);

/**
 * All or nothing. `work` cannot wait for anybody: a promise would be here after the commit.
 *
 * @template T
 * @param {() => T extends Promise<any> ? never : T} work
 */
export function transaction(work) {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

/** @param {"id" | "reservation"} column @param {string} value @returns {Intent | undefined} */
export const intentOf = (column, value) => row(`SELECT * FROM intents WHERE ${column} = ?`, value);

/**
 * Moves an intent on, if it is in one of the states; says whether it was.
 *
 * @param {string} intent @param {string[]} states @param {string} to @param {string | null} pspRef
 */
export function move(intent, states, to, pspRef = null) {
  const marks = states.map(() => "?").join(", ");
  const sql = `UPDATE intents SET state = ?, changed_at_ms = ?, psp_ref = coalesce(?, psp_ref) WHERE id = ? AND state IN (${marks})`;
  return change(sql, to, Date.now(), pspRef, intent, ...states) === 1;
}

/** @param {string} kind @param {string} intent */
export function addJob(kind, intent, ref = "", dueAtMs = 0) {
  change(
    `INSERT INTO jobs (kind, intent, ref, due_at_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET due_at_ms = min(due_at_ms, excluded.due_at_ms)`,
    ...[kind, intent, ref, dueAtMs],
  );
}

/** Writes down, once, what a person has to look at. @param {string} topic @param {string} id @param {string} says */
export function alarm(topic, id, says) {
  change("INSERT INTO alarms VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", topic, id, says, Date.now());
}

/**
 * What units cost at the prices that were frozen in the intent.
 *
 * @param {{ sku: string, qty: number }[]} items @param {Line[]} prices
 */
export function centsOf(items, prices) {
  const each = new Map(prices.map(({ sku, cents }) => [sku, cents]));
  return items.reduce((sum, { sku, qty }) => sum + /** @type {number} */ (each.get(sku)) * qty, 0);
}

/** The units of `items` as the client takes them. @param {string} items @returns {Record<string, number>} */
export const unitsOf = (items) => Object.fromEntries(JSON.parse(items).map((/** @type {Line} */ { sku, qty }) => [sku, qty]));

/** What goes into the order stream: nothing personal. @param {Intent} intent */
export const payloadOf = ({ id, cents }) => ({ intent: id, cents, currency: CURRENCY });

/**
 * The pass of somebody who was let in, and so of whoever has paid; none without a secret.
 *
 * @param {string} id @param {string} user @param {number} atMs
 */
export const sign = (id, user, atMs) => (PASSKEY ? newPass(PASSKEY, id, user, atMs + PASS_MS) : undefined);

/**
 * The pass of a buyer at the door. Your checks go here: the account, a CAPTCHA, risks. Whoever is
 * denied gets none, and the sale answers NOPASS as to anybody without one.
 *
 * @param {string} id @param {string} user @param {number} atMs
 */
export const passOf = (id, user, atMs) => (row("SELECT 1 FROM denied WHERE user = ?", user) ? undefined : sign(id, user, atMs));

/**
 * Takes what is left of an order that the sale does not have out of our books; says whether anything was.
 *
 * @param {string} reservation @param {string} ref
 */
export function writeOff(reservation, ref) {
  return transaction(() => {
    const order = row("SELECT * FROM orders WHERE id = ?", reservation);
    const left = order ? unitsOf(order.items) : {};
    for (const refund of rows("SELECT items FROM refunds WHERE id = ?", reservation)) {
      for (const [sku, qty] of Object.entries(unitsOf(refund.items))) left[sku] -= qty;
    }
    const items = Object.entries(left).flatMap(([sku, qty]) => (qty > 0 ? [{ sku, qty }] : []));
    if (items.length === 0) return false;
    const qty = items.reduce((sum, line) => sum + line.qty, 0);
    // A REF that a part was refunded under is no REF for the rest.
    const insert = "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    const isWritten = change(insert, order.sale_id, reservation, ref, qty, JSON.stringify(items), Date.now()) === 1;
    const intent = intentOf("reservation", reservation);
    if (isWritten && intent) addJob("refund", intent.id, ref);
    return isWritten;
  });
}
