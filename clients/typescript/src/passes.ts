// Passes for a sale with PASSKEY: what the app gives to a browser after its own checks.

import { createHmac } from "node:crypto";

import type { Name } from "./base.js";

const bytes = (name: Name): Buffer => (typeof name === "string" ? Buffer.from(name) : name);

/**
 * The pass with which `user` may reserve once, under `id`, before `expiresAtMs`. The server's
 * clock judges the moment: take it from `nowMs` of `info()`, not from here.
 */
export function newPass(secret: Name, id: Name, user: Name, expiresAtMs: number): string {
  const name = bytes(id);
  if (name.length > 255) throw new RangeError(`an id has at most 255 bytes, not ${name.length}`);
  const expiresAt = String(Math.floor(expiresAtMs));
  const hmac = createHmac("sha256", bytes(secret));
  // Names are any bytes: the length says where the id ends and the user begins.
  hmac.update(`${expiresAt}.`).update(Uint8Array.of(name.length)).update(name).update(bytes(user));
  return `${expiresAt}.${hmac.digest().subarray(0, 16).toString("base64url")}`;
}
