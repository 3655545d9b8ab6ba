// TextEncoder and TextDecoder for QuickJS, of UTF-8 only.

import { fromUtf8, toUtf8 } from "../text.js";

const UTF8 = ["utf-8", "utf8", "unicode-1-1-utf-8"];

class Utf8Encoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return toUtf8(String(text));
  }

  encodeInto(text, target) {
    let [read, written] = [0, 0];
    for (const character of String(text)) {
      const bytes = toUtf8(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      read += character.length;
      written += bytes.length;
    }
    return { read, written };
  }
}

class Utf8Decoder {
  #fatal;
  #ignoreBOM;
  #left = new Uint8Array();

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!UTF8.includes(String(label).trim().toLowerCase())) {
      throw new RangeError(`${label}: only UTF-8 is known here`);
    }
    this.#fatal = fatal;
    this.#ignoreBOM = ignoreBOM;
  }

  get encoding() {
    return "utf-8";
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(input = new Uint8Array(), { stream = false } = {}) {
    let bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    if (this.#left.length) {
      const joined = new Uint8Array(this.#left.length + bytes.length);
      joined.set(this.#left);
      joined.set(bytes, this.#left.length);
      bytes = joined;
    }
    const end = stream ? bytes.length - begun(bytes) : bytes.length;
    this.#left = bytes.slice(end);
    const text = this.#text(bytes.subarray(0, end));
    return !this.#ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }

  #text(bytes) {
    try {
      return fromUtf8(bytes);
    } catch (error) {
      if (this.#fatal) throw error;
      return replaced(bytes);
    }
  }
}

/** How many bytes at the end begin a character that is not complete. */
function begun(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc0) return back < lengthOf(byte) ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function lengthOf(lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
}

/** The text with U+FFFD for each longest part that can't be the beginning of a character. */
function replaced(bytes) {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at];
    const length = lengthOf(lead);
    let end = at + 1;
    while (end < at + length && end < bytes.length && follows(lead, end - at, bytes[end])) end += 1;
    const whole = end - at === length && (length > 1 || lead < 0x80);
    text += whole ? fromUtf8(bytes.subarray(at, end)) : "\ufffd";
    at = end;
  }
  return text;
}

function follows(lead, position, byte) {
  if (position > 1) return byte >= 0x80 && byte <= 0xbf;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  return byte >= low && byte <= high;
}

globalThis.TextEncoder ??= Utf8Encoder;
globalThis.TextDecoder ??= Utf8Decoder;
globalThis.structuredClone ??= (value) => cloned(value, new Map());

function cloned(value, seen) {
  if (typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`a ${typeof value} can't be cloned`);
  }
  if (value === null || typeof value !== "object") return value;
  if (seen.has(value)) return seen.get(value);
  const kept = (made) => {
    seen.set(value, made);
    return made;
  };
  if (value instanceof Date) return kept(new Date(value));
  if (value instanceof RegExp) return kept(new RegExp(value));
  if (value instanceof ArrayBuffer) return kept(value.slice());
  if (ArrayBuffer.isView(value)) return kept(new value.constructor(value));
  if (value instanceof Map) {
    const made = kept(new Map());
    for (const [key, each] of value) made.set(cloned(key, seen), cloned(each, seen));
    return made;
  }
  if (value instanceof Set) {
    const made = kept(new Set());
    for (const each of value) made.add(cloned(each, seen));
    return made;
  }
  const made = kept(Array.isArray(value) ? [] : {});
  for (const key of Object.keys(value)) made[key] = cloned(value[key], seen);
  return made;
}
