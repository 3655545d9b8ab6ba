// What an actor written in JavaScript imports: the base class, messages, log, store, HTTP and more.
//
// It hides the tuples and options of the WIT interfaces; whoever wants them imports the interface by
// its name, as in `import * as runtime from "theater:simple/runtime"`. An interface that the manifest
// does not grant is missed at use, not at import.

export { Actor } from "./actor.js";
export * as children from "./children.js";
export * as context from "./context.js";
export { HostError, NotGranted, Rejected } from "./errors.js";
export * as http from "./http.js";
export {
  accept,
  cancel,
  Channel,
  DEFERRED,
  openChannel,
  outstanding,
  refuse,
  request,
  requestBytes,
  respond,
  send,
} from "./messages.js";
export * as names from "./names.js";
export { log, shutdown } from "./runtime.js";
export { Store } from "./store.js";
export * as timers from "./timers.js";
