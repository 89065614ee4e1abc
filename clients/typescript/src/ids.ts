// Ids that a client makes, and the part of a split sale that a user belongs to.

import { randomBytes } from "node:crypto";

import type { Name } from "./base.js";

export const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * A ULID with 80 fresh random bits: nobody can guess it from another. For a split sale the last
 * two letters are the part, which leaves 70 random bits.
 */
export function newId(part?: number): string {
  const random = BigInt(`0x${randomBytes(10).toString("hex")}`);
  let number = (BigInt(Date.now()) << 80n) | random;
  let letters = "";
  for (let i = 0; i < 26; i++, number >>= 5n) letters = LETTERS[Number(number & 31n)]! + letters;
  if (part === undefined) return letters;
  if (!Number.isInteger(part) || part < 0 || part >= 1024) {
    throw new RangeError(`a split sale has at most 1024 parts, not one of the number ${part}`);
  }
  return letters.slice(0, 24) + LETTERS[part >> 5]! + LETTERS[part & 31]!;
}

/** CRC16 as a cluster hashes keys, over all bytes: braces mean nothing. */
export function crc16(name: Name): number {
  let crc = 0;
  for (const byte of Buffer.from(name as string)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** The slot of a name, over all its bytes. */
export const slotOf = (name: Name): number => crc16(name) % 16384;

/** The part of a split sale that has this user: `CRC16(user) mod 16384` in `parts` equal slices. */
export function partOf(user: Name, parts: number): number {
  return Math.floor((slotOf(user) * parts) / 16384);
}
