// Reading the orders of a sale: at least once, acknowledged after the work.

import { setTimeout as sleep } from "node:timers/promises";

import type { Name } from "./base.js";
import { mayRepeat, pauseAfterError } from "./retry.js";

/**
 * An order, a refund, or with `EVENTS all` another event: `event` says which, and one that you do
 * not know is to be passed over. Deduplicate on `key`, never on `entryId`.
 */
export interface Entry {
  entryId: string;
  event: "order" | "refund" | (string & {});
  saleId: string;
  id: string;
  user: string;
  qty: number;
  items: { sku: string; qty: number }[];
  atMs: number;
  ref: string;
  payload: string | null;
  /** What there is one of: `event`, `saleId`, `id`; `ref` of a refund, `seq` of another event; as JSON. */
  key: string;
  /** All the entry has, also what a newer module adds. */
  fields: Record<string, string>;
}

export interface ConsumeOptions {
  /** Ends the loop after the entry in hand. */
  signal?: AbortSignal;
  /** Entries that another name has kept so long are taken over. */
  claimIdleMs?: number;
}

type Message = { id: unknown; message: Record<string, unknown> } | null;

/** What `consume` needs of a client, a pool, a cluster or Sentinel's. */
export interface StreamClient {
  xGroupCreate(key: Name, group: Name, id: Name, options: { MKSTREAM: true }): Promise<unknown>;
  xReadGroup(group: Name, name: Name, stream: { key: Name; id: Name }, options: { COUNT: number; BLOCK: number }): Promise<unknown>;
  xPendingRange(key: Name, group: Name, start: Name, end: Name, count: number, options: { consumer: Name }): Promise<unknown>;
  xClaim(key: Name, group: Name, name: Name, idle: number, ids: string[]): Promise<unknown>;
  xAutoClaim(key: Name, group: Name, name: Name, idle: number, start: Name, options: { COUNT: number }): Promise<unknown>;
  xAck(key: Name, group: Name, id: Name): Promise<unknown>;
}

const COUNT = 100;
const BLOCK_MS = 2000;

function entry(entryId: string, message: Record<string, unknown>): Entry {
  const fields = Object.fromEntries(Object.entries(message).map(([name, value]) => [name, String(value)]));
  const { event = "", sale_id: saleId = "", id = "", user = "", qty, items = "[]", at_ms: atMs, ref = "", payload, seq = "" } = fields;
  const known = [event, saleId, id];
  const key = JSON.stringify(event === "order" ? known : [...known, event === "refund" ? ref : seq]);
  const paid = { atMs: Number(atMs ?? 0), ref, payload: payload ?? null };
  return { entryId, event, saleId, id, user, qty: Number(qty ?? 0), items: JSON.parse(items), ...paid, key, fields };
}

/** The messages of one stream; by RESP3, node-redis 5 leaves the server's map as it is. */
function messagesOf(reply: unknown): Message[] {
  if (reply === null) return [];
  if (Array.isArray(reply)) return (reply[0] as { messages: Message[] }).messages;
  const [found] = Object.values(reply as Record<string, [id: unknown, pairs: unknown[]][]>);
  const named = (pairs: unknown[]) => pairs.flatMap((name, i) => (i % 2 === 0 ? [[String(name), pairs[i + 1]]] : []));
  return (found ?? []).map(([id, pairs]) => ({ id, message: Object.fromEntries(named(pairs)) }));
}

/**
 * Gives each order and refund of the stream `orders` to `handle`, and acknowledges it when `handle`
 * is done. **At least once**: after a crash an entry comes again, so `handle` has to be idempotent
 * (`entry.key`). First come the entries that this `name` left behind, then new ones; entries that
 * another name has kept for `claimIdleMs` (a minute) are taken over. What `handle` throws ends
 * `consume`, and its entry stays pending. Makes the group, from the beginning of the stream, if
 * there is none.
 *
 * It blocks its connection: give it a client of its own, such as `client.duplicate()`.
 */
export async function consume(
  client: StreamClient,
  orders: Name,
  group: string,
  name: string,
  handle: (entry: Entry) => Promise<void> | void,
  { signal, claimIdleMs = 60_000 }: ConsumeOptions = {},
): Promise<void> {
  const isOver = (): boolean => signal?.aborted ?? false;

  const work = async (messages: Message[]): Promise<void> => {
    for (const found of messages) {
      if (isOver()) return;
      // A deleted entry is null, or has no fields: there is nothing left to do.
      if (!found) continue;
      const entryId = String(found.id);
      if (Object.keys(found.message ?? {}).length > 0) await handle(entry(entryId, found.message));
      await client.xAck(orders, group, entryId);
    }
  };

  const begin = async (): Promise<void> => {
    await client.xGroupCreate(orders, group, "0", { MKSTREAM: true }).catch((error: unknown) => {
      if (!String(error).includes("BUSYGROUP")) throw error;
    });
    // Not by XREADGROUP: node-redis fails at entries that were deleted, which XCLAIM drops.
    while (!isOver()) {
      const pending = (await client.xPendingRange(orders, group, "-", "+", COUNT, { consumer: name })) as { id: unknown }[];
      if (pending.length === 0) return;
      await work((await client.xClaim(orders, group, name, 0, pending.map(({ id }) => String(id)))) as Message[]);
    }
  };

  const claim = async (): Promise<void> => {
    for (let start = "0-0"; ; ) {
      const reply = await client.xAutoClaim(orders, group, name, claimIdleMs, start, { COUNT });
      const { nextId, messages } = reply as { nextId: unknown; messages: Message[] };
      await work(messages);
      start = String(nextId);
      if (start === "0-0" || isOver()) return;
    }
  };

  for (let tries = 0; !isOver(); ) {
    try {
      await begin();
      while (!isOver()) {
        await claim();
        const reply = await client.xReadGroup(group, name, { key: orders, id: ">" }, { COUNT, BLOCK: BLOCK_MS });
        await work(messagesOf(reply));
        tries = 0;
      }
    } catch (error) {
      // After a lost connection it begins anew, with what is pending.
      if (!mayRepeat(error)) throw error;
      await sleep(pauseAfterError(tries++));
    }
  }
}
