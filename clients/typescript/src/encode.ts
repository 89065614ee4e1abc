// Arguments as words of a command. node-redis takes text and buffers only.

import { AsyncLocalStorage } from "node:async_hooks";

import { type Json, type Name, type Units, UnsafeCall } from "./base.js";

/** Set inside of `retry`: whoever sends now may send the same call again. */
export const repeating = new AsyncLocalStorage<true>();

/** Refuses a call that is not safe to repeat, where it might be repeated. */
export function insist(command: string, option: string, value: unknown): void {
  if ((value === undefined || value === null) && repeating.getStore()) {
    throw new UnsafeCall(`${command} without ${option} is not safe to repeat`);
  }
}

/** `2` or `ITEMS 2 green 1 black 1`; nothing for undefined. */
export function units(token: string | null, given: Units | undefined): string[] {
  if (given === undefined) return [];
  if (typeof given === "number") return token === null ? [String(given)] : [token, String(given)];
  const pairs = Symbol.iterator in given ? [...(given as Iterable<readonly [string, number]>)] : Object.entries(given);
  return ["ITEMS", String(pairs.length), ...pairs.flatMap(([sku, qty]) => [sku, String(qty)])];
}

/** An option of two numbers. */
export function pair(token: string, value: readonly [number, number] | undefined): string[] {
  return value === undefined ? [] : [token, ...value.map(String)];
}

export function option(token: string, value: Name | number | Json | null | undefined): Name[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "string" || Buffer.isBuffer(value)) return [token, value];
  return [token, typeof value === "number" ? String(value) : JSON.stringify(value)];
}
