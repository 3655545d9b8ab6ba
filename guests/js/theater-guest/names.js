// Names that stand for an actor's id.
//
// A name that an actor has registered is accepted wherever an actor's id is, until the actor gives it up, ends,
// or is restarted from its initial state. Every function throws NotGranted in an actor whose manifest has no
// `registry`.

import { asked, registry, string } from "./interfaces.js";

/** Take a name. The code is `name.taken` if a living actor holds it. */
export function register(name) {
  asked(() => registry.register(string(name, "a name")));
}

/** Give a name up. The code is `name.not_held` if this actor doesn't hold it. */
export function unregister(name) {
  asked(() => registry.unregister(string(name, "a name")));
}

/** The id of the actor that holds a name, null if nobody does. */
export function whereis(name) {
  return asked(() => registry.whereis(string(name, "a name"))) ?? null;
}
