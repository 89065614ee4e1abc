// The gateway of examples/gateway/gateway.mjs, on an empty server of the test's own.
//
//     node_redis.mjs PORT        beside a copy of gateway.mjs
//
// Asks by the hundred and for nonsense, loses connections, and ends at the first answer that is
// not what it has to be.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { ClientClosedError, createClient } from "redis";
import { connect, Gateway } from "./gateway.mjs";

const port = Number(process.argv[2]);
const BUYERS = 1000;
// A server that does not answer must not keep the test waiting for ever.
setTimeout(() => { console.log("120 seconds are over"); process.exit(1); }, 120_000).unref();

const same = (got, expected) => assert.deepStrictEqual(got, expected);

// The answers of many who ask at once, counted by their first word.
async function ask(gateway, qty = () => 1) {
  const counts = {};
  const one = async (n) => {
    const answer = await gateway.reserve(`user-${n}`, qty(n), `id-${n}`).catch((error) => [error.message.split(":")[0]]);
    if (answer[0] === "RESERVED") same(answer[1], `id-${n}`);
    counts[answer[0]] = (counts[answer[0]] ?? 0) + 1;
  };
  await Promise.all([...Array(BUYERS).keys()].map(one));
  return counts;
}

const other = await createClient({ socket: { port } }).connect();
const send = (line) => other.sendCommand(line.split(" "));
async function create(units) {
  await send("DEL hats hats:orders");
  same(await send(`FLASHSALE.CREATE hats hats:orders STOCK ${units}`), "OK");
}
const stock = async () => (await send("FLASHSALE.STOCK hats"))[0].slice(1);

const clients = await Promise.all([connect(port), connect(port)]);
const gateway = new Gateway(clients, "hats");

await create(300);
await send("CONFIG RESETSTAT");
// Every tenth asks for no number, and stops nobody else.
same(await ask(gateway, (n) => (n % 10 === 0 ? "many" : 1)),
  { "ERR qty": 100, RESERVED: 300, ALLRESERVED: 600 });
same(await stock(), [0, 300, 0, 0]);
const [, calls] = (await send("INFO commandstats")).match(/mreserve:calls=(\d+)/);
assert(Number(calls) < 20, `${calls} calls`);

// Connections are lost: nobody notices, and nobody reserves twice.
await create(9999);
for (let turn = 0; turn < 10; turn += 1) {
  // Before 6.2 node-redis hangs when a connection is lost while it is being made (#3104, #3346),
  // and one that was killed is "ready" until it notices: each has to be made anew before the next turn.
  const again = clients.map((client) => new Promise((resolve) => client.once("ready", resolve)));
  const asked = ask(gateway);
  for (let step = 0; step < turn; step += 1) await new Promise(setImmediate);
  await send("CLIENT KILL TYPE normal SKIPME yes");
  same(await asked, { RESERVED: BUYERS });
  await Promise.all(again);
}
same(await stock(), [9999 - BUYERS, BUYERS, 0, 0]);

// What cannot be sent is the error of its buyer alone, and the others go on.
const sound = [["odd", 1, "odd-1"], ["odd", "1", "odd-2"], [17, 1n, 18]];
const wrong = [[undefined, 1, "id"], ["user", null, "id"], ["user", 1, {}], [Symbol("user"), 1, "id"]];
const settled = await Promise.allSettled(
  [...sound, ...wrong, ...sound].map((words) => gateway.reserve(...words)));
settled.forEach(({ value, reason }, index) => {
  if (index < 3 || index >= 7) same(value?.[0], "RESERVED");
  else assert(reason instanceof TypeError, `${reason}`);
});

// An error of the whole batch is everybody's.
await send("DEL hats");
same(await ask(gateway), { "NOSALE key": BUYERS });

// What would come again is answered, and not tried for ever.
let tries = 0;
const broken = new Gateway([{ async sendCommand() { tries += 1; throw new RangeError("broken"); } }], "hats");
for (const id of ["ann-1", "ann-2"]) await assert.rejects(broken.reserve("ann", 1, id), RangeError);
same(tries, 2);
for (const client of clients) client.destroy();
await assert.rejects(gateway.reserve("ann", 1, "ann-1"), ClientClosedError);
await create(7);
const program = new URL("./gateway.mjs", import.meta.url).pathname;
const said = execFileSync(process.execPath, [program, String(port), "hats", "10"], { encoding: "utf8" });
same(said, "{ RESERVED: 7, ALLRESERVED: 3 }\n");
const { status, stderr } = spawnSync(process.execPath, [program], { encoding: "utf8" });
same([status, stderr], [1, "usage: gateway.mjs PORT SALE BUYERS\n"]);
other.destroy();
const { version } = createRequire(import.meta.url)("redis/package.json");
console.log(`ran: the gateway, node-redis ${version} on Node.js ${process.versions.node}`);
