// Reads the order stream into the books, each entry in one transaction, then XACK.
//
// An entry may come twice: after a crash, and after a failover under another stream ID. So
// whatever was there before is passed over. A split sale has a stream for each part, and all are
// read at once: no transaction is open while another entry is read. In production `flashsale worker`
// does this, with hooks in SQL (docs/companion.md).

import { setTimeout as sleep } from "node:timers/promises";

import { consume, FlashSaleError } from "flashsale-client";

import { addJob, alarm, change, checkParts, client, connected, intentOf, move, row, sale, shoes, transaction } from "./books.js";

/** @import { Entry, Part } from "flashsale-client" */
/** @import { Intent } from "./books.js" */

/** @param {Entry} entry @param {Intent | undefined} intent */
function readOrder({ saleId, id, ref, user, qty, fields, payload, atMs }, intent) {
  const insert = "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
  change(insert, saleId, id, ref, user, qty, fields.items, payload, atMs);
  const first = row("SELECT ref FROM orders WHERE sale_id = ? AND id = ?", saleId, id).ref;
  if (!intent) {
    alarm("order without an intent", id, `sold to ${user} for ${ref}`);
  } else if (first !== ref || intent.psp_ref !== ref) {
    // Not a second parcel: a payment more.
    alarm("paid twice", id, `sold for ${ref}, for ${first} before; the intent has ${intent.psp_ref}`);
  } else if (move(intent.id, ["open", "authorised", "closing"], "sold")) {
    addJob("capture", intent.id);
  } else if (intent.state === "closed") {
    // Its money went back, so the units do.
    addJob("take-back", intent.id);
  }
}

/** @param {Entry} entry @param {Intent | undefined} intent */
function readRefund({ saleId, id, ref, qty, fields, atMs }, intent) {
  const insert = "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
  if (change(insert, saleId, id, ref, qty, fields.items, atMs) === 1 && intent) addJob("refund", intent.id, ref);
}

/**
 * Not final within GRACE, and RELEASE would end it: so the job waits.
 *
 * @param {Entry} entry @param {Intent | undefined} intent @param {number} graceMs
 */
function readExpired({ fields }, intent, graceMs) {
  const dueAtMs = Number(fields.expires_at_ms) + graceMs;
  if (intent && ["open", "authorised"].includes(intent.state)) addJob("give-back", intent.id, "", dueAtMs);
}

/**
 * GRACE of a part, asked for at most once a second: a sale has many `expired` at once.
 *
 * @param {string} key
 */
function graceOf(key) {
  let grace = { ms: 0, askedAtMs: 0 };
  return async () => {
    if (Date.now() - grace.askedAtMs < 1000) return grace.ms;
    const ms = await sale.info(key).then(
      ({ graceMs }) => graceMs,
      (thrown) => {
        // The sale is gone, its entries are not: each `order` behind this one is to be read.
        const error = FlashSaleError.from(thrown);
        if (error instanceof FlashSaleError && error.code === "NOSALE") return 0;
        throw thrown;
      },
    );
    grace = { ms, askedAtMs: Date.now() };
    return ms;
  };
}

/** Reads the stream of one part, for ever; one that cannot be read keeps nobody else waiting. @param {Part} part */
async function follow({ key, orders }) {
  const latestGraceMs = graceOf(key);

  /** @param {Entry} entry */
  const read = async (entry) => {
    // The rest, also what a newer module writes, is no business of the books.
    if (!["order", "refund", "expired"].includes(entry.event)) return;
    const graceMs = entry.event === "expired" ? await latestGraceMs() : 0;
    transaction(() => {
      const intent = intentOf("reservation", entry.id);
      if (entry.event === "order") readOrder(entry, intent);
      else if (entry.event === "refund") readRefund(entry, intent);
      else readExpired(entry, intent, graceMs);
    });
  };

  // Reading waits for entries, so it has a connection of its own.
  const reader = client.duplicate();
  reader.on("error", () => {}); // The other connection tells.
  await reader.connect();
  for (;;) {
    try {
      await consume(reader, orders, "books", process.env.SHOP_WORKER ?? "worker-1", read);
    } catch (thrown) {
      const error = FlashSaleError.from(thrown);
      const isLocked = /** @type {any} */ (error).errcode === 5; // SQLITE_BUSY
      if (!(error instanceof FlashSaleError) && !isLocked) throw error;
      console.log(`worker: ${orders}: ${error}; the entry stays pending`);
      await sleep(1000);
    }
  }
}

await checkParts();
await connected;
await Promise.all(shoes.parts.map(follow));
