// A gateway in miniature: reservations of many buyers as batches over a few connections.
//
//     gateway.mjs PORT SALE BUYERS     so many buyers ask for a unit at once
//
// Needs node-redis.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient, ErrorReply } from "redis";

export class Gateway {
  #waiting = [];
  #free;

  // `clients`: connected, one for each connection.
  constructor(clients, sale, most = 128) {
    Object.assign(this, { sale, most });
    this.#free = [...clients];
  }

  // What RESERVE would answer; rejects with what would be an error.
  reserve(user, qty, id) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry: [user, String(qty), id], resolve, reject });
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
        if (error instanceof ErrorReply) return entries.map(() => error); // the whole batch
        await sleep(100); // then the same line again
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
  await main(Number(port), sale, Number(buyers));
}
