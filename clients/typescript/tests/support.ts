// Servers and clients of the tests. FLASHSALE_PORT and FLASHSALE_CLUSTER_PORT are those that
// `clients/python/tests/servers.py` has started; FLASHSALE_CLIENTS is the folder `clients`.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { flashsale } from "flashsale-client";
import { createClient, createCluster } from "redis";

export const isShort = process.env.FLASHSALE_RUN === "short";
const folder = process.env.FLASHSALE_CLIENTS ?? "";
export const json = (name: string): any => JSON.parse(readFileSync(join(folder, name), "utf8"));

export async function until(condition: () => unknown, what: string, seconds = 30): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await condition()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`in vain for ${seconds} s: ${what}`);
  }
}

export const port = Number(process.env.FLASHSALE_PORT);

export const client = (RESP: 2 | 3, at = port) => createClient({ url: `redis://127.0.0.1:${at}`, RESP, modules: { flashsale } });

export const cluster = (RESP: 2 | 3) =>
  createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${process.env.FLASHSALE_CLUSTER_PORT}` }], RESP, modules: { flashsale } });

/** Ends the connection without an answer. */
export const CUT = "";

/** A server that answers each FLASHSALE command with the next of `replies`, and anything else with OK. */
export async function fake(...replies: string[]) {
  const received: string[][] = [];
  const server = createServer((socket: Socket) => {
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (data) => {
      text += data.toString("latin1");
      for (;;) {
        const words: string[] = [];
        let at = text.indexOf("\r\n") + 2;
        if (at < 2) return;
        for (let left = Number(text.slice(1, at - 2)); left > 0; left--) {
          const end = text.indexOf("\r\n", at);
          const length = Number(text.slice(at + 1, end));
          if (end < 0 || text.length < end + length + 4) return;
          words.push(text.slice(end + 2, end + 2 + length));
          at = end + length + 4;
        }
        text = text.slice(at);
        if (!words[0]?.startsWith("FLASHSALE.")) {
          socket.write("+OK\r\n");
          continue;
        }
        received.push(words);
        const reply = replies.shift() ?? "+OK\r\n";
        if (reply === CUT) socket.destroy();
        else socket.write(reply);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const one = client(2, address.port);
  one.on("error", () => {});
  await one.connect();
  const end = (): void => {
    one.destroy();
    server.close();
  };
  return { client: one, received, end };
}

/** A server of the test's own, to be killed. */
export class Server {
  folder = mkdtempSync(join(tmpdir(), "flashsale-client-"));
  process: ChildProcess | undefined;

  constructor(readonly port: number) {}

  async start(): Promise<void> {
    const { FLASHSALE_SERVER: program = "redis-server", FLASHSALE_MODULE: module = "" } = process.env;
    const options = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.folder];
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--loadmodule", module];
    this.process = spawn(program, [...options, ...durable], { stdio: "ignore" });
    await until(() => this.answers(), `a server at ${this.port}`);
  }

  private async answers(): Promise<boolean> {
    const one = createClient({ url: `redis://127.0.0.1:${this.port}`, socket: { reconnectStrategy: false } });
    one.on("error", () => {});
    try {
      await one.connect();
      return (await one.ping()) === "PONG";
    } catch {
      return false;
    } finally {
      if (one.isOpen) one.destroy();
    }
  }

  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.process?.once("exit", resolve));
    this.process?.kill("SIGKILL");
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
