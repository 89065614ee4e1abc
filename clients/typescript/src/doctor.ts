// DOCTOR names no key, so a cluster sends it to any node: here it is asked of every one.

import type { Finding } from "./answers.js";
import { rows } from "./decode.js";

interface Node {
  sendCommand(args: string[]): Promise<unknown>;
}

/** What `doctorOf` needs of a `RedisCluster`. */
export interface Cluster {
  masters: { address: string }[];
  replicas: { address: string }[];
  nodeClient(node: never): Node | Promise<Node>;
}

/** What would hurt a sale, by the address of each node. */
export async function doctorOf(cluster: Cluster): Promise<Record<string, Finding[]>> {
  const found: Record<string, Finding[]> = {};
  for (const node of [...cluster.masters, ...cluster.replicas]) {
    const client = await cluster.nodeClient(node as never);
    found[node.address] = rows("DOCTOR", await client.sendCommand(["FLASHSALE.DOCTOR"])) as Finding[];
  }
  return found;
}
