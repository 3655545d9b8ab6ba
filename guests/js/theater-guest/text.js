// UTF-8 both ways, by what the engine has natively: a loop over characters in an interpreter is slow.

import { engine } from "./interfaces.js";

const CHUNK = 8192;
const BEYOND_ASCII = /[\x80-\xff]/;

const native =
  engine === "spidermonkey"
    ? { encoder: new TextEncoder(), decoder: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }) }
    : undefined;

/** The bytes of a string; a lone surrogate becomes U+FFFD. */
export function toUtf8(text) {
  if (native) return native.encoder.encode(text);
  // One character for each byte, in functions of the engine's own.
  const binary = unescape(encodeURIComponent(text.toWellFormed()));
  return Uint8Array.fromBase64(btoa(binary));
}

/** The string of bytes that must be UTF-8. Throws TypeError. */
export function fromUtf8(bytes) {
  if (native) return native.decoder.decode(bytes);
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  }
  if (!BEYOND_ASCII.test(binary)) return binary;
  try {
    return decodeURIComponent(escape(binary));
  } catch {
    throw new TypeError("the bytes are not UTF-8");
  }
}
