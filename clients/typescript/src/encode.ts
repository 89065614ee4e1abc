// Arguments as words of a command. node-redis takes text and buffers only.

import { AsyncLocalStorage } from "node:async_hooks";
import { inspect } from "node:util";

import { type Json, type Name, type Units, UnsafeCall } from "./base.js";

/** Set inside of `retry`: whoever sends now may send the same call again. */
export const repeating = new AsyncLocalStorage<true>();

/** Refuses a call that is not safe to repeat, where it might be repeated. */
export function insist(command: string, option: string, value: unknown): void {
  if ((value === undefined || value === null) && repeating.getStore()) {
    throw new UnsafeCall(`${command} without ${option} is not safe to repeat`);
  }
}

/**
 * Refuses a call without an option that it must have, which plain JavaScript lets through: without
 * its id, a retry would reserve a second time. With `orNull` null is a value that was written out.
 */
export function need(command: string, options: unknown, name: string, orNull = false): void {
  const value = (options as Record<string, unknown> | null | undefined)?.[name];
  if (typeof value === "string" || Buffer.isBuffer(value) || (orNull && value === null)) return;
  throw new TypeError(`${command}: the option ${name} is text or a Buffer${orNull ? ", or null" : ""}; not ${inspect(value)}`);
}

/** The same for a number, such as the moment when an order was sold. */
export function needNumber(command: string, options: unknown, name: string): void {
  const value = (options as Record<string, unknown> | null | undefined)?.[name];
  if (typeof value !== "number") throw new TypeError(`${command}: the option ${name} is a number; not ${inspect(value)}`);
}

/** `2` or `ITEMS 2 green 1 black 1`. */
export function units(token: string | null, given: Units): string[] {
  if (typeof given === "number") return token === null ? [String(given)] : [token, String(given)];
  const pairs = pairsOf(given);
  if (pairs.length === 0 || !pairs.every(isLine)) {
    throw new TypeError(`units are a number, or a number for each SKU, such as { red: 1 }; not ${inspect(given)}`);
  }
  return ["ITEMS", String(pairs.length), ...pairs.flatMap(([sku, qty]) => [sku, String(qty)])];
}

function pairsOf(given: unknown): unknown[] {
  if (typeof given !== "object" || given === null) return [];
  return Symbol.iterator in given ? [...(given as Iterable<unknown>)] : Object.entries(given);
}

const isLine = (pair: unknown): pair is readonly [string, number] =>
  Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" && typeof pair[1] === "number";

/** An option of two numbers. */
export function pair(token: string, value: readonly [number, number] | undefined): string[] {
  return value === undefined ? [] : [token, ...value.map(String)];
}

/** An option of any number of names, with their number before them. */
export function names(token: string, value: readonly Name[] | undefined): Name[] {
  return value === undefined ? [] : [token, String(value.length), ...value];
}

export function option(token: string, value: Name | number | Json | null | undefined): Name[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "string" || Buffer.isBuffer(value)) return [token, value];
  return [token, typeof value === "number" ? String(value) : JSON.stringify(value)];
}
