// Requests to other servers: `theater:simple/http-client`.
//
// Redirects, time-outs and headers with secrets are the host's business; they stand in the manifest.

import { asked, bytes, httpClient, string } from "./interfaces.js";
import { toUtf8 } from "./text.js";

/** A server's answer. */
export class Response {
  constructor(status, headers, body) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** Whether the status is below 400. */
  get ok() {
    return this.status < 400;
  }

  /** The body as UTF-8, with replacement characters for what isn't. */
  get text() {
    return new TextDecoder().decode(this.body);
  }

  /** The first header of that name, in any case; null if there is none. */
  header(name) {
    const wanted = name.toLowerCase();
    return this.headers.find(([key]) => key.toLowerCase() === wanted)?.[1] ?? null;
  }

  /** The body, read as JSON. Throws SyntaxError. */
  json() {
    return JSON.parse(this.text);
  }

  /** The response itself; throws StatusError if its status is 400 or above. */
  raiseForStatus() {
    if (!this.ok) throw new StatusError(this);
    return this;
  }
}

/** A status of 400 or above; the text has the beginning of the body. */
export class StatusError extends Error {
  constructor(response) {
    super(`HTTP ${response.status}: ${response.text.slice(0, 200)}`);
    this.response = response;
  }

  get name() {
    return "StatusError";
  }
}

/**
 * Make a request; `json` or `data` is its body.
 *
 * Throws HostError: `permission.denied` for what the manifest doesn't allow, `interrupted` for a
 * request that a crash of the node cut off and that its policy does not repeat.
 */
export function request(method, url, { params, headers = {}, json, data } = {}) {
  if (json !== undefined && data !== undefined) {
    throw new TypeError("a request has `json` or `data`, not both");
  }
  const lines = Object.entries(headers).map((pair) => pair.map((each) => String(each).toWellFormed()));
  let body = typeof data === "string" ? toUtf8(data) : data && bytes(data, "data");
  if (json !== undefined) {
    body = toUtf8(JSON.stringify(json));
    if (!lines.some(([name]) => name.toLowerCase() === "content-type")) {
      lines.push(["Content-Type", "application/json"]);
    }
  }
  let uri = string(String(url), "a URL");
  if (params) {
    const query = Object.entries(params).map((pair) => pair.map(encodeURIComponent).join("="));
    uri += (uri.includes("?") ? "&" : "?") + query.join("&");
  }
  const wire = { method: string(method, "a method").toUpperCase(), uri, headers: lines, body };
  const answer = asked(() => httpClient.sendHttp(wire));
  return new Response(answer.status, answer.headers, answer.body ?? new Uint8Array());
}

/** `request("GET", …)`. */
export function get(url, options) {
  return request("GET", url, options);
}

/** `request("POST", …)`. */
export function post(url, options) {
  return request("POST", url, options);
}

/** `request("PUT", …)`. */
export function put(url, options) {
  return request("PUT", url, options);
}

/** `request("DELETE", …)`, under a name that is not a word of the language. */
export function remove(url, options) {
  return request("DELETE", url, options);
}
