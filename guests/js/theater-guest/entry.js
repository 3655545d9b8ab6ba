// Binds an actor to the exports of its component.
//
// `bind` runs when the component is built. The objects that it returns have the names and functions that
// the bindings of both engines look for. An error leaves them as a string, which the engines make the
// WIT error; anything else would trap in one of them.

import { classOf, StateOf } from "./actor.js";
import { begin, inForce } from "./call.js";
import { Rejected } from "./errors.js";
import { runtime } from "./interfaces.js";
import { Channel, decode, DEFERRED, encode } from "./messages.js";
import { finished } from "./polyfills/index.js";
import { fromUtf8, toUtf8 } from "./text.js";
import { line, trace } from "./traces.js";

/** The exports of the actor that a module defines, by name. */
export function bind(module) {
  if (module.actor?.init) {
    // An actor without the SDK's classes defines the interfaces itself, and is taken as it is.
    return {
      actor: guardedAll(module.actor),
      messageServerClient: guardedAll(module.messageServerClient ?? {}),
      schedulerClient: guardedAll(module.schedulerClient ?? {}),
      supervisorHandlers: guardedAll(module.supervisorHandlers ?? {}),
    };
  }
  return exportsOf(classOf(module.default));
}

function exportsOf(kind) {
  const states = new StateOf(kind);
  inForce.codec = kind.codec;

  /** A call on the actor that a state stands for; `reply` makes the rest of the result. */
  function on(state, act, reply) {
    const actor = states.load(state);
    return finished(act(actor), (answer) => {
      const rest = reply ? [reply(answer)] : [];
      const after = states.dump(actor);
      // None keeps the current state and spares the host a copy of it.
      return [after === fromUtf8(state) ? undefined : toUtf8(after), ...rest];
    });
  }

  return {
    actor: {
      init: guarded((state, [actorId]) => {
        const actor = states.initial(state, actorId);
        return finished(actor.onStart(), () => [toUtf8(states.dump(actor))]);
      }),
    },
    messageServerClient: {
      handleSend: guarded((state, [body]) => {
        const message = decode(body, kind.codec);
        return on(state, (actor) => actor.onSend(message));
      }),
      handleRequest: guarded((state, [requestId, body]) => {
        inForce.requestId = requestId;
        const message = decode(body, kind.codec);
        return on(
          state,
          (actor) => actor.onRequest(message),
          (answer) => [answer === DEFERRED ? undefined : encode(answer)],
        );
      }),
      handleChannelOpen: guarded((state, [id, body]) => {
        const message = decode(body, kind.codec);
        return on(
          state,
          (actor) => actor.onChannelOpen(new Channel(id), message),
          (answer) => [opening(answer)],
        );
      }),
      handleChannelMessage: guarded((state, [id, body]) => {
        const message = decode(body, kind.codec);
        return on(state, (actor) => actor.onChannelMessage(new Channel(id), message));
      }),
      handleChannelClose: guarded((state, [id]) =>
        on(state, (actor) => actor.onChannelClose(new Channel(id))),
      ),
    },
    schedulerClient: {
      handleTimer: guarded((state, [timer, body]) => {
        const message = decode(body, kind.codec);
        return on(state, (actor) => actor.onTimer(timer, message));
      }),
    },
    supervisorHandlers: {
      handleChildError: guarded((state, [child, error]) => {
        const text = error.data ? fromUtf8(error.data) : "";
        return on(state, (actor) => actor.onChildError(child, { kind: error.errorType, text }));
      }),
      handleChildExit: guarded((state, [child, body]) => {
        const result = body ? decode(body, kind.codec) : null;
        return on(state, (actor) => actor.onChildExit(child, result));
      }),
      handleChildExternalStop: guarded((state, [child]) =>
        on(state, (actor) => actor.onChildStopped(child)),
      ),
    },
  };
}

function opening(answer) {
  if (typeof answer !== "object" || answer === null) return { accepted: Boolean(answer) };
  const { accepted, message } = answer;
  return { accepted: Boolean(accepted), message: message === undefined ? undefined : encode(message) };
}

function guardedAll(functions) {
  return Object.fromEntries(
    Object.entries(functions).map(([name, run]) => [
      name,
      guarded((...given) => finished(run.apply(functions, given), (result) => result)),
    ]),
  );
}

/** A call whose errors are strings. It is not async: only one of the engines waits for a promise. */
function guarded(run) {
  return (...given) => {
    begin();
    try {
      const result = run(...given);
      return typeof result?.then === "function" ? result.then(undefined, fail) : result;
    } catch (error) {
      return fail(error);
    }
  };
}

function fail(error) {
  // A string that an actor throws is meant as the error's text.
  if (typeof error === "string") throw error.toWellFormed();
  if (error instanceof Rejected) throw error.message.toWellFormed();
  runtime.log(trace(error));
  throw line(error);
}
