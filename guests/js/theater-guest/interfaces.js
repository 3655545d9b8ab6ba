// The host's interfaces: which of them this component has, and stand-ins for the others.
//
// `theater-bindings` is made at each build from the manifest's handlers, so no interface is sure to be
// there.

import { bindings, engine, wasi as given } from "theater-bindings";

import { HostError, NotGranted } from "./errors.js";

export { engine };

/** WASI as the SDK uses it; `now` is in nanoseconds, as a number. */
export const wasi = { ...given, now: () => Number(given.monotonicClock.now()) };

function missing(name, handler) {
  const text =
    `${name} is not granted: add\n\n    [[handler]]\n    type = "${handler}"\n\n` +
    "to the manifest and build the actor again";
  return new Proxy(
    {},
    {
      get() {
        throw new NotGranted(text);
      },
    },
  );
}

function of(name, handler, pack = "theater:simple") {
  return bindings[name] ?? missing(`${pack}/${name}`, handler);
}

export const runtime = of("runtime", "runtime");
export const context = of("context", "context", "theater:agent");
export const messageServerHost = of("message-server-host", "message-server");
export const scheduler = of("scheduler", "scheduler", "theater:agent");
export const registry = of("registry", "registry", "theater:agent");
export const supervisor = of("supervisor", "supervisor");
export const supervision = of("supervision", "supervisor", "theater:agent");
export const store = of("store", "store");
export const httpClient = of("http-client", "http-client");

/** A string for the host: what is none would trap in the bindings. Throws TypeError. */
export function string(value, what) {
  if (typeof value !== "string") throw new TypeError(`${what} must be a string, not ${typeof value}`);
  return value.toWellFormed();
}

/** Bytes for the host, in the same way. Throws TypeError. */
export function bytes(value, what) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError(`${what} must be a Uint8Array`);
}

/** A number for a parameter of type u64, which the engines' bindings take in different forms. */
export const u64 = engine === "spidermonkey" ? BigInt : Number;

/** Call a host function; its error becomes a HostError. */
export function asked(run) {
  try {
    return run();
  } catch (error) {
    // The bindings of both engines throw an error that carries the WIT error's value.
    if (typeof error?.payload === "string") throw new HostError(error.payload);
    throw error;
  }
}
