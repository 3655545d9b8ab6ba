// fetch over the http-client, in both engines: a request is one host call, and recorded as one.
//
// The whole body is there when the promise is; there are no streams and no way to abort.

import { HostError } from "../errors.js";
import * as http from "../http.js";
import { toUtf8 } from "../text.js";

class Headers {
  #lines = new Map();

  constructor(init = []) {
    const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
    for (const [name, value] of pairs) this.append(name, value);
  }

  append(name, value) {
    const key = String(name).toLowerCase();
    this.#lines.set(key, [...(this.#lines.get(key) ?? []), String(value).trim()]);
  }

  set(name, value) {
    this.#lines.set(String(name).toLowerCase(), [String(value).trim()]);
  }

  get(name) {
    return this.#lines.get(String(name).toLowerCase())?.join(", ") ?? null;
  }

  getSetCookie() {
    return this.#lines.get("set-cookie") ?? [];
  }

  has(name) {
    return this.#lines.has(String(name).toLowerCase());
  }

  delete(name) {
    this.#lines.delete(String(name).toLowerCase());
  }

  forEach(run, self) {
    for (const [name, value] of this) run.call(self, value, name, this);
  }

  *entries() {
    for (const name of [...this.#lines.keys()].sort()) yield [name, this.get(name)];
  }

  *keys() {
    for (const [name] of this) yield name;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }
}

function bytesOf(body) {
  if (body === null || body === undefined) return undefined;
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  return toUtf8(String(body));
}

class Response {
  #bytes;
  #used = false;

  constructor(body = null, { status = 200, statusText = "", headers = [], url = "" } = {}) {
    this.#bytes = bytesOf(body) ?? new Uint8Array();
    this.status = status;
    this.statusText = statusText;
    this.headers = new Headers(headers);
    this.url = url;
    this.type = "basic";
    this.redirected = false;
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  get bodyUsed() {
    return this.#used;
  }

  async bytes() {
    if (this.#used) throw new TypeError("the body was read already");
    this.#used = true;
    return this.#bytes;
  }

  async arrayBuffer() {
    const bytes = await this.bytes();
    return bytes.slice().buffer;
  }

  async text() {
    return new TextDecoder().decode(await this.bytes());
  }

  async json() {
    return JSON.parse(await this.text());
  }

  clone() {
    if (this.#used) throw new TypeError("the body was read already");
    return new Response(this.#bytes, this);
  }
}

class Request {
  constructor(input, init = {}) {
    const from = input instanceof Request ? input : { url: String(input) };
    this.url = from.url;
    this.method = String(init.method ?? from.method ?? "GET").toUpperCase();
    this.headers = new Headers(init.headers ?? from.headers ?? []);
    this.body = bytesOf(init.body ?? from.body);
    if (typeof init.body === "string" && !this.headers.has("content-type")) {
      this.headers.set("content-type", "text/plain;charset=UTF-8");
    }
  }
}

async function fetch(input, init) {
  const wanted = new Request(input, init);
  const headers = Object.fromEntries(wanted.headers);
  try {
    const answer = http.request(wanted.method, wanted.url, { headers, data: wanted.body });
    return new Response(answer.body, { status: answer.status, headers: answer.headers, url: wanted.url });
  } catch (error) {
    // What the standard has for a request that got no answer; what is not granted is said as it is.
    if (error instanceof HostError) throw new TypeError(`fetch failed: ${error.message}`, { cause: error });
    throw error;
  }
}

Object.assign(globalThis, { fetch, Headers, Request, Response });
