// The seat map: read once, kept up by the order stream, and sent to pages as what has changed.
//
// A page gets the whole map, 2 bits a seat, and then the numbers of seats with their new states. The
// position in the list of changes is the version of the map, so nobody misses a change in between.

import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

import { FlashSaleError } from "flashsale-client";

import { client, connected, isNoAnswer, rows, sale, shoes, SPLIT } from "./books.js";
import { page } from "./web.js";

/** @import { FastifyInstance } from "fastify" */

// Units with names are in a sale of one part.
const [{ key, orders }] = shoes.parts;
/** @type {Record<string, number>} */
const STATES = { free: 0, reserved: 1, sold: 2, withdrawn: 3 };
/** @type {Record<string, number>} */
const AFTER = { reserved: 1, granted: 1, released: 0, expired: 0, order: 2, refund: 0 };
// So many changes are kept; beyond them pages read the map again.
const CHANGES_MOST = 500_000;

/** The items with a seat map: a zone for each price. @returns {{ sku: string, title: string, cents: number }[]} */
const zones = () => rows("SELECT p.* FROM prices p JOIN named n USING (sku) WHERE n.kind = 'seat' ORDER BY p.rowid");

/** Seats of one row: from its first number on, if that is how they are numbered. @param {string[]} row */
function spelled(row) {
  const first = Number(row[0]);
  return row.every((seat, i) => seat === String(first + i)) ? [first, row.length] : [row];
}

/**
 * Every seat with its state. A seat's number is its place in the order of UNITS.
 *
 * @type {{ epoch: string, at: Map<string, number>, rows: any[], states: Uint8Array, seqs: Float64Array, changes: number[] }}
 */
let hall = { epoch: "", at: new Map(), rows: [], states: new Uint8Array(), seqs: new Float64Array(), changes: [] };

/** Reads all seats, 10,000 a call; returns from where on the stream is to be read. */
async function load() {
  // Before the seats: what happens meanwhile is read again, and changes nothing twice.
  const [last] = (await client.xRevRange(orders, "+", "-", { COUNT: 1 })) ?? [];
  /** @type {string[]} */
  const names = [];
  /** @type {number[]} */
  const states = [];
  /** @type {any[]} */
  const lines = [];
  for (const [zone, { sku }] of zones().entries()) {
    /** @type {{ row: string | null, seats: string[] }} */
    let open = { row: null, seats: [] };
    const close = () => open.row !== null && lines.push([zone, open.row, ...spelled(open.seats)]);
    for (let cursor = 0, isFirst = true; isFirst || cursor; isFirst = false) {
      const found = await sale.units(key, sku, cursor, { count: 10_000 }).catch((cause) => {
        const error = FlashSaleError.from(cause);
        // Not in this sale.
        if (error instanceof FlashSaleError && ["NOSKU", "ERR"].includes(error.code)) return { cursor: 0, units: [] };
        throw error;
      });
      for (const { unit, state } of found.units) {
        const dash = unit.lastIndexOf("-"), row = unit.slice(0, Math.max(dash, 0));
        if (row !== open.row) {
          close();
          open = { row, seats: [] };
        }
        open.seats.push(unit.slice(dash + 1));
        names.push(unit);
        states.push(STATES[state]);
      }
      cursor = Number(found.cursor);
    }
    close();
  }
  const at = new Map(names.map((name, seat) => [name, seat]));
  hall = { epoch: randomBytes(4).toString("hex"), at, rows: lines, states: Uint8Array.from(states), seqs: new Float64Array(names.length), changes: [] };
  zippedAtMs = 0;
  return last?.id ?? "0";
}

/** An entry of the stream. Of two about a seat the one with the larger `seq` is newer. @param {Record<string, string>} fields */
function see(fields) {
  const after = AFTER[fields.event];
  if (after === undefined) return;
  const seq = Number(fields.seq ?? 0), isBack = fields.restocked !== "0";
  for (const line of JSON.parse(fields.items)) {
    for (const unit of line.units ?? []) {
      const seat = hall.at.get(unit);
      if (seat === undefined || seq < hall.seqs[seat]) continue;
      hall.seqs[seat] = seq;
      // A refund without restock, or of a line that does not go back, withdraws.
      const state = isBack && line.restocked !== 0 ? after : 3;
      if (hall.states[seat] === state) continue;
      hall.states[seat] = state;
      hall.changes.push((seat << 2) | state);
    }
  }
}

/** Reads seats and stream for ever; all over again after an error, and where seats were added. */
async function follow() {
  if (SPLIT) return; // A part has no units with names.
  await connected;
  // It waits in XREAD, and others do not wait behind it.
  const reader = client.duplicate();
  reader.on("error", () => {});
  await reader.connect();
  for (;;) {
    try {
      let last = await load();
      for (let isNew = false; !isNew && hall.changes.length < CHANGES_MOST; ) {
        const found = /** @type {any} */ (await reader.xRead({ key: orders, id: last }, { COUNT: 1000, BLOCK: 1000 }));
        for (const { id, message } of found?.[0]?.messages ?? []) {
          last = id;
          see(message);
          isNew ||= ["restocked", "lost"].includes(message.event);
        }
      }
    } catch (error) {
      if (!isNoAnswer(error) && !(FlashSaleError.from(error) instanceof FlashSaleError)) throw error;
      console.log(`seats: ${error}; read again`);
      await sleep(1000);
    }
  }
}

let zipped = Buffer.alloc(0);
let zippedAtMs = 0;

/** The whole map, zipped, at most a second old: a rush of pages gets the same text. */
function map() {
  if (performance.now() - zippedAtMs >= 1000 || !zippedAtMs) {
    const { epoch, states, changes } = hall;
    const packed = Buffer.alloc(Math.ceil(states.length / 4));
    states.forEach((state, seat) => (packed[seat >> 2] |= state << (2 * (seat & 3))));
    const text = JSON.stringify({ epoch, version: changes.length, zones: zones(), rows: hall.rows, states: packed.toString("base64") });
    zipped = gzipSync(text);
    zippedAtMs = performance.now();
  }
  return zipped;
}

/** What has changed since the version that the page has, four times a second. @param {string} from @returns {AsyncGenerator<string>} */
async function* lines(from) {
  const [epoch, since] = from.split(".");
  let quiet = 0;
  for (let version = /^\d+$/.test(since ?? "") ? Number(since) : -1; ; await sleep(250)) {
    const { changes } = hall;
    if (epoch !== hall.epoch || version < 0 || version > changes.length) {
      yield "event: stale\ndata:\n\n";
      return;
    }
    if (version === changes.length) {
      // Every 5 s: a proxy does not take the silence for the end.
      if (++quiet % 20 === 1) yield ":\n\n";
      continue;
    }
    const changed = changes.slice(version);
    quiet = 0;
    version = changes.length;
    yield `id: ${epoch}.${version}\ndata: ${JSON.stringify(changed)}\n\n`;
  }
}

/** @param {FastifyInstance} app */
export async function seats(app) {
  follow();
  app.get("/seats", page("seats.html"));
  app.get("/seats/map", (_, reply) => {
    if (!hall.at.size) return reply.code(404).send({ says: "There are no seats." });
    return reply.headers({ "Content-Encoding": "gzip", "Cache-Control": "no-store" }).type("application/json").send(map());
  });
  app.get("/seats/live", (request, reply) => {
    const { since = "" } = /** @type {{ since?: string }} */ (request.query);
    const from = String(request.headers["last-event-id"] ?? since);
    return reply.header("Cache-Control", "no-store").type("text/event-stream").send(Readable.from(lines(from)));
  });
}
