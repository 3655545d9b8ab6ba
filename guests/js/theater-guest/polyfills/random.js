// Randomness from the call's entropy, so that a replay draws the same.
//
// QuickJS seeds Math.random when the component is built: every instance would draw the same numbers, for
// ever. SpiderMonkey's is seeded once in an instance. Here each call draws its own.

import { atBeginning, inForce } from "../call.js";
import { u64, wasi } from "../interfaces.js";

const POOL_BYTES = 256;
const QUOTA_BYTES = 65_536; // of getRandomValues, as the Web Cryptography API has it

let pool;
let taken = POOL_BYTES;
let atBuild = 0x9e3779b9;

function drawn(length) {
  return wasi.random.getRandomBytes(u64(length));
}

/** A number as Math.random gives it: 53 bits, below 1. */
function random() {
  if (!inForce.running) return builtWith();
  if (taken + 8 > POOL_BYTES) {
    const bytes = drawn(POOL_BYTES);
    pool = new DataView(bytes.buffer, bytes.byteOffset, POOL_BYTES);
    taken = 0;
  }
  const high = pool.getUint32(taken, true) >>> 6;
  const low = pool.getUint32(taken + 4, true) >>> 5;
  taken += 8;
  return (high * 2 ** 27 + low) * 2 ** -53;
}

/** The same sequence in every build: there is no chance before the first call (Mulberry32). */
function builtWith() {
  atBuild = (atBuild + 0x6d2b79f5) | 0;
  let mixed = Math.imul(atBuild ^ (atBuild >>> 15), 1 | atBuild);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

function getRandomValues(array) {
  if (!ArrayBuffer.isView(array) || /^(Float|DataView)/.test(array.constructor.name)) {
    throw new TypeError("getRandomValues fills arrays of integers");
  }
  if (array.byteLength > QUOTA_BYTES) {
    throw new RangeError(`getRandomValues fills at most ${QUOTA_BYTES} bytes`);
  }
  if (!inForce.running) {
    throw new Error("there is no randomness while a component is built: draw it in a call");
  }
  if (array.byteLength) {
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(drawn(array.byteLength));
  }
  return array;
}

function randomUUID() {
  const bytes = getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

Math.random = random;
globalThis.crypto ??= {};
for (const [name, value] of Object.entries({ getRandomValues, randomUUID })) {
  Object.defineProperty(globalThis.crypto, name, { value, configurable: true, writable: true });
}
atBeginning(() => {
  taken = POOL_BYTES;
});
