// The message in hand, and who the actor is. Every function throws NotGranted in an actor whose manifest
// has no `context`.

import { context } from "./interfaces.js";

/**
 * What is known of the message in hand besides its body, null in `onStart`.
 *
 * `origin` is `actor`, `client` or `host`; `sender` the actor's id, the client's name, or null where the
 * host itself sent it. `deadline` is until when somebody waits for the answer: milliseconds since the Unix
 * epoch, or null. `traceparent` is the message's place in a trace, as W3C Trace Context spells it, or null.
 */
export function message() {
  const found = context.message();
  if (found == null) return null;
  const { tag, val = null } = found.origin;
  return {
    id: found.id,
    kind: found.kind,
    origin: tag,
    sender: val,
    deadline: found.deadline == null ? null : Number(found.deadline),
    traceparent: found.traceparent ?? null,
  };
}

/** The actor's own id. */
export function selfId() {
  return context.selfId();
}

/** The actor's own name, which others may have too. */
export function selfName() {
  return context.selfName();
}

/** The id of the actor that started this one, null if no actor did. */
export function parentId() {
  return context.parentId() ?? null;
}
