// The log, and the actor's own end.

import { asked, runtime } from "./interfaces.js";
import { encode } from "./messages.js";
import { shown } from "./showing.js";

/** Write a line to the actor's log; several values are joined by spaces, as `console.log` does. */
export function log(...parts) {
  runtime.log(shown(parts).toWellFormed());
}

/**
 * End this actor after the current call; `result` reaches its supervisor and whoever waits.
 *
 * Nothing or null is no result; bytes go as they are, everything else as JSON. Throws HostError.
 */
export function shutdown(result = null) {
  asked(() => runtime.shutdown(result === null ? undefined : encode(result)));
}
