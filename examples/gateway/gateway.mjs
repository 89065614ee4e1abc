// A gateway in miniature: reservations of many buyers as batches over a few connections.
//
//     gateway.mjs PORT SALE BUYERS     so many buyers ask for a unit of a sale at once
//
// Needs node-redis (`npm install redis` beside a copy of this file), and a sale:
// FLASHSALE.CREATE hats hats:orders STOCK 7.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  ClientOfflineError, ConnectionTimeoutError, createClient, SocketClosedUnexpectedlyError,
  SocketTimeoutError, TimeoutError,
} from "redis";

const LOST = [ClientOfflineError, ConnectionTimeoutError, SocketClosedUnexpectedlyError,
  SocketTimeoutError, TimeoutError];
// Errors of the system, such as ECONNRESET, have a `syscall`.
const isLost = (error) => error.syscall || LOST.some((kind) => error instanceof kind);

// The text to send. What has none must not reach a batch: all its buyers would fail.
function word(argument) {
  if (["string", "number", "bigint"].includes(typeof argument)) return String(argument);
  throw new TypeError(`${typeof argument} is neither text nor a number`);
}

export class Gateway {
  #waiting = [];
  #free;

  // `clients`: connected, one for each connection.
  constructor(clients, sale, most = 128) {
    Object.assign(this, { sale, most });
    this.#free = [...clients];
  }

  // What RESERVE would answer; rejects with what would be an error.
  async reserve(user, qty, id) {
    const entry = [user, qty, id].map(word);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      this.#serve();
    });
  }

  // Whenever a connection is free, it takes whatever waits.
  async #serve() {
    const client = this.#free.pop();
    if (!client) return;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.most);
      const answers = await this.#send(client, batch.map(({ entry }) => entry));
      batch.forEach(({ resolve, reject }, index) => {
        const answer = answers[index];
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      });
    }
    this.#free.push(client);
  }

  async #send(client, entries) {
    const words = ["FLASHSALE.MRESERVE", this.sale, "ENTRIES", String(entries.length)];
    for (;;) {
      try {
        return await client.sendCommand([...words, ...entries.flat()]);
      } catch (error) {
        if (!isLost(error)) return entries.map(() => error); // the answer to the whole batch
        console.error(`gateway: the same batch again: ${error}`);
        await sleep(100);
      }
    }
  }
}

export async function connect(port) {
  const client = createClient({ socket: { port } });
  client.on("error", (error) => console.error(String(error))); // it connects again by itself
  return client.connect();
}

async function main(port, sale, buyers) {
  const clients = await Promise.all([connect(port), connect(port)]);
  const gateway = new Gateway(clients, sale);
  const numbers = [...Array(buyers).keys()];
  const answers = await Promise.all(
    numbers.map((number) => gateway.reserve(`buyer-${number}`, 1, randomUUID())));
  const counts = {};
  for (const [status] of answers) counts[status] = (counts[status] ?? 0) + 1;
  console.log(counts);
  for (const client of clients) client.destroy();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port, sale, buyers] = process.argv.slice(2);
  if (buyers === undefined) {
    console.error("usage: gateway.mjs PORT SALE BUYERS");
    process.exit(1);
  }
  await main(Number(port), sale, Number(buyers));
}
