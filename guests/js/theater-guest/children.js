// Children: actors that this one starts, looks after and ends.
//
// A manifest is a path beside this actor's own, a `store://` reference into its stores, or the TOML text
// itself. An actor acts on its own children only, and none of them outlives it. How they end comes to
// `onChildError`, `onChildExit` and `onChildStopped`. Every function throws HostError, and NotGranted in an
// actor whose manifest has no `supervisor`.

import { asked, string, supervision, supervisor } from "./interfaces.js";
import { encode } from "./messages.js";

function stateOf(state) {
  return state === undefined || state === null ? undefined : encode(state);
}

/** Start a child and wait until its `init` has succeeded. Returns its id. */
export function spawn(manifest, state) {
  const body = stateOf(state);
  return asked(() => supervisor.spawn(string(manifest, "a manifest"), body));
}

/** Start a child from a state, without `init`. Returns its id. */
export function resume(manifest, state) {
  const body = stateOf(state);
  return asked(() => supervisor.resume(string(manifest, "a manifest"), body));
}

/** The ids of the living children, in the order in which they were started. */
export function living() {
  return asked(() => supervisor.listChildren());
}

/** Stop a child, after everything below it. */
export function stop(child) {
  asked(() => supervisor.stopChild(string(child, "a child's id")));
}

/** Start a child again under the same id, from its initial state. */
export function restart(child) {
  asked(() => supervisor.restartChild(string(child, "a child's id")));
}

/** The state of a child, also of one that has ended; null if it has none. */
export function state(child) {
  return asked(() => supervisor.getChildState(string(child, "a child's id"))) ?? null;
}

/** `starting`, `running`, `paused`, `stopping`, `stopped` or `failed`. */
export function status(child) {
  return asked(() => supervision.childStatus(string(child, "a child's id")));
}

/** The events of a child's chain, oldest first. */
export function events(child) {
  const found = asked(() => supervisor.getChildEvents(string(child, "a child's id")));
  return Array.from(found, (event) => ({
    hash: event.hash,
    parent: event.parentHash ?? null,
    type: event.eventType,
    data: event.data,
    timestampMs: Number(event.timestamp),
  }));
}
