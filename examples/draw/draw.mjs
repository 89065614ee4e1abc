// Computes the draw of a sale again, from what anybody may see.
//
//   node draw.mjs SEED ITEM DRAWN <numbers
//
// As draw.py beside it, which says what is what.

import { readFileSync } from "node:fs";

const word = (number) => BigInt.asUintN(64, number);
const SECRET = Buffer.from("b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f", "hex");
const ROUNDS = 90;

const rotated = (number, bits) => word((number << bits) | (number >> (64n - bits)));

/** XXH3_64 of eight bytes with a seed. */
function xxh3Of8(data, seed) {
  const low = Buffer.alloc(4);
  low.writeUInt32LE(Number(seed & 0xffffffffn));
  const turned = seed ^ (BigInt(low.readUInt32BE()) << 32n);
  const flip = word((SECRET.readBigUInt64LE(8) ^ SECRET.readBigUInt64LE(16)) - turned);
  let mixed = (BigInt(data.readUInt32LE(4)) + (BigInt(data.readUInt32LE(0)) << 32n)) ^ flip;
  mixed ^= rotated(mixed, 49n) ^ rotated(mixed, 24n);
  mixed = word(mixed * 0x9fb21c651e98df25n);
  mixed = word((mixed ^ ((mixed >> 35n) + 8n)) * 0x9fb21c651e98df25n);
  return mixed ^ (mixed >> 28n);
}

/** XXH3_64 of 21 bytes, without a seed. */
function xxh3Of21(data) {
  let mixed = 21n * 0x9e3779b185ebca87n;
  for (const [at, secret] of [[0, 0], [5, 16]]) {
    const one = data.readBigUInt64LE(at) ^ SECRET.readBigUInt64LE(secret);
    const product = one * (data.readBigUInt64LE(at + 8) ^ SECRET.readBigUInt64LE(secret + 8));
    mixed += word(product) ^ (product >> 64n);
  }
  mixed = word(mixed);
  mixed = word((mixed ^ (mixed >> 37n)) * 0x165667919e3779f9n);
  return mixed ^ (mixed >> 32n);
}

/** A function from a number to its place: swap-or-not of Hoang, Morris and Rogaway (2012). */
export function places(seed, item, drawn) {
  const salts = Array.from({ length: ROUNDS }, (_, round) => {
    const data = Buffer.alloc(21);
    seed.copy(data);
    data.writeUInt32LE(item, 16);
    data.writeUInt8(round, 20);
    return xxh3Of21(data);
  });
  const bytes = Buffer.alloc(8);
  return (number) => {
    if (number >= drawn) return number;
    for (const salt of salts) {
      const partner = ((salt % drawn) + drawn - number) % drawn;
      bytes.writeBigUInt64LE(number > partner ? number : partner);
      if (xxh3Of8(bytes, salt) & 1n) number = partner;
    }
    return number;
  };
}

const [seed, item, drawn] = process.argv.slice(2);
const placeOf = places(Buffer.from(seed, "hex"), Number(item), BigInt(drawn));
const people = readFileSync(0, "utf8").split("\n").filter((line) => line.trim());
const placed = people.map((line) => {
  const at = line.trimEnd().lastIndexOf(" ");
  return [placeOf(BigInt(line.slice(at + 1))), line.slice(0, at)];
});
placed.sort(([one], [other]) => (one < other ? -1 : 1));
for (const [place, name] of placed) console.log(`${place} ${name}`);
