// Every row of `answers.json` received from a real server, by RESP2 and RESP3, from one server and
// a cluster: the journey of `clients/journey.json`, which the Python client makes as well.

import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { type Advice, FlashSaleError } from "flashsale-client";

import { client, cluster, isShort, json } from "./support.js";

type Row = { name?: string; unbuilt?: true; of: string[]; kind: string; http: number; buyer: string };
const { words, errors } = json("answers.json") as {
  words: Record<string, { name: string; rows: Row[] }>;
  errors: { code: string; of: string }[];
};
const journey = json("journey.json") as { scene: string; create: any[]; steps: [string, any[], string | string[]][] }[];
const commands = json("commands.json") as Record<string, { arguments?: { name: string; type: string; flags?: string[] }[] }>;

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()).replace(/_$/, "");

/** The rows of a word, by name: `SoldNow` of `SOLD`. */
const rows = Object.entries(words).flatMap(([word, data]) => data.rows.map((row) => ({ word, ...row, name: row.name ?? data.name })));

function nameOf(answer: any, command: string): any {
  if (Array.isArray(answer)) return answer.map((one) => nameOf(one, command.slice(1)));
  if (answer instanceof FlashSaleError) return `error ${answer.code}`;
  const advice: Advice = answer.advice;
  const of = rows.filter((row) => row.word === answer.status && row.of.includes(command));
  const plain = (text: string): string => camel(text);
  const row = of.find((one) => one.kind === advice.kind && one.http === advice.http && plain(one.buyer) === advice.buyer);
  assert.equal(answer.kind, advice.kind);
  assert.deepEqual(answer.rest, []);
  // Rows of one word with the same advice are told apart by their details.
  if (answer.status === "NOTSOLD") return answer.sku === null ? "NotSoldAtAll" : "NotSoldSoMany";
  if (answer.status === "EXPIRED" && answer.kind === "no" && !advice.buyer.startsWith("Your cart")) {
    return answer.graceLeftMs === null ? "ExpiredBefore" : "ExpiredForGood";
  }
  return row?.name;
}

const resolved = (value: any): any => (value?.in_ms === undefined ? value : Date.now() + value.in_ms);
const options = (given: object) => Object.fromEntries(Object.entries(given).map(([name, value]) => [camel(name), resolved(value)]));

/** The arguments of a step as this client takes them: the keys first, entries as objects. */
function argumentsOf(method: string, key: string, given: any[]): any[] {
  const described = commands[`flashsale.${method}`]?.arguments ?? [];
  const keys = described.filter((one) => one.type === "key" && !one.flags?.includes("optional") && method !== "bind");
  const args = keys.map((one) => (one.name === "key" ? key : (key.startsWith("{") ? `${key}:orders` : `{${key}}:orders`)));
  if (method === "bind") args.push(key);
  const hasOptions = typeof given.at(-1) === "object" && !Array.isArray(given.at(-1)) && (given.length > 1 || method === "alter");
  const rest = hasOptions ? [...given.slice(0, -1), options(given.at(-1))] : given;
  const fields = { mreserve: ["user", "qty", "id"], mbuy: ["user", "qty", "id", "ref"], mcheckout: ["id", "ref"] }[method];
  if (fields) rest[0] = rest[0].map((entry: any[]) => Object.fromEntries(fields.map((field, i) => [field, entry[i]])));
  return [...args, ...rest];
}

async function play(sale: any, everywhere: (args: string[]) => Promise<unknown>): Promise<void> {
  const received = new Set<string>();
  const call = async (method: string, key: string, given: any[]): Promise<any> => {
    const answer = await sale[method](...argumentsOf(method, key, given)).catch((error: unknown) => FlashSaleError.from(error));
    const name = nameOf(answer, method.toUpperCase());
    received.add(answer instanceof FlashSaleError ? name : `${method.toUpperCase()} ${name}`);
    return name;
  };
  for (const { scene, create, steps } of journey) {
    const key = `{${scene}}`;
    assert.equal(await call("create", key, create), "Ok");
    for (const [method, args, expected] of steps) {
      if (method === "wait until") {
        for (const end = Date.now() + 10_000; (await sale.get(key, args[0])).state !== expected; await sleep(10)) assert(Date.now() < end);
      } else {
        assert.deepEqual(await call(method, key, structuredClone(args)), expected, `${scene}: ${method} ${JSON.stringify(args)}`);
      }
    }
  }
  await everywhere(["SET", "{text}", "x"]);
  await call("reserve", "{text}", ["ann", 1, { id: "a" }]);
  await call("pause", "{none}", []);
  await call("create", "{none}", [9, {}]);
  await everywhere(["CONFIG", "SET", "maxmemory", "1"]);
  await call("reserve", "{none}", ["ann", 1, { id: "a" }]);
  await everywhere(["CONFIG", "SET", "maxmemory", "0"]);
  // A sale of this name breaks in a debug build of the module.
  await call("create", "rehearsal:plan", [9, {}]);
  await call("reserve", "rehearsal:plan", ["ann", 1, { id: "a" }]);

  // `unbuilt` is what no version of the module answers yet.
  // What the driver of a split sale sends has no method.
  const hasMethod = (of: string): boolean => !["GIVE", "TAKE", "REST"].includes(of);
  const wanted = rows.filter((row) => !row.unbuilt).flatMap((row) => row.of.filter(hasMethod).map((of) => `${of} ${row.name}`));
  const codes = errors.filter((error) => error.of === "module").map((error) => `error ${error.code}`);
  const missing = [...wanted, ...codes].filter((one) => !received.has(one));
  assert.deepEqual(missing, [], "never received");
}

for (const RESP of [2, 3] as const) {
  test(`every answer of one server, RESP${RESP}`, { skip: isShort && RESP === 2 }, async () => {
    const one = await client(RESP).connect();
    await one.flushAll();
    await play(one.flashsale, (args) => one.sendCommand(args));
    await one.close();
  });

  test(`every answer of a cluster, RESP${RESP}`, { skip: isShort }, async () => {
    const many = cluster(RESP);
    await many.connect();
    const nodes = await Promise.all(many.masters.map((node) => many.nodeClient(node)));
    for (const node of nodes) await node.flushAll();
    await play(many.flashsale, async (args) => {
      if (args[0] === "SET") return many.set(args[1]!, args[2]!);
      return Promise.all(nodes.map((node) => node.sendCommand(args)));
    });
    await many.close();
  });
}
