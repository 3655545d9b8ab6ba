// An actor's class, and its state: the fields of an object as one JSON object.
//
// The state has `v`, the class's version, and the fields. The initial state of a manifest is the same
// object, where `v` may be missing. Older versions of this package kept the actor's id in it as `self`,
// which is passed over.

import { inForce } from "./call.js";
import { selfId } from "./context.js";
import { BadState } from "./errors.js";
import { refuse } from "./messages.js";
import { fromUtf8 } from "./text.js";

const ENVELOPE = ["v", "self"];
const DEPTH_MAX = 500;

/**
 * An actor. A new object is made of the state for each call, after the class's own initial values.
 *
 * Whatever a method throws, the caller gets as an error, with the stack in the log and the state as it
 * was. Private fields and properties of the module don't outlive the instance.
 */
export class Actor {
  /** Of the state's form; when it grows, `migrate` gets the older states. */
  static version = 1;

  /** How messages are read: parsed JSON, or bytes as they are. */
  static codec = "json";

  /** The actor's own id. Throws NotGranted outside `onStart` if the manifest has no `context`. */
  get actorId() {
    inForce.actorId ??= selfId();
    return inForce.actorId;
  }

  /** The id of the request in hand, for `respond` later. Throws outside `onRequest`. */
  get requestId() {
    if (inForce.requestId === null) throw new Error("there is no request in hand outside onRequest");
    return inForce.requestId;
  }

  /** Called once, when the actor starts; an exception means that it does not start. */
  onStart() {}

  /** A message that wants no answer. */
  onSend(_message) {
    throw new TypeError(`${this.constructor.name} takes no messages: it has no onSend`);
  }

  /** A message that wants an answer: return it, or DEFERRED to `respond` later. */
  onRequest(_message) {
    throw new TypeError(`${this.constructor.name} takes no requests: it has no onRequest`);
  }

  /** A timer, by its id, was due; `message` is what it was given. */
  onTimer(_timer, _message) {
    throw new TypeError(`${this.constructor.name} takes no timers: it has no onTimer`);
  }

  /** Another participant asks to open a channel. Refused unless overridden. */
  onChannelOpen(_channel, _message) {
    return refuse(`${this.constructor.name} takes no channels`);
  }

  /** A message on an open channel. */
  onChannelMessage(_channel, _message) {}

  /** A channel was closed, by either side. */
  onChannelClose(_channel) {}

  /** A child failed; its restart does not wait for this. */
  onChildError(_child, _error) {}

  /** A child ended by itself, with this result. */
  onChildExit(_child, _result) {}

  /** A child was stopped by somebody other than this actor. */
  onChildStopped(_child) {}

  /** The fields of a state of an older `version`, brought to this one. */
  static migrate(_fields, version) {
    throw new BadState(
      `the state is of version ${version}, ${this.name} of version ${this.version}: override \`migrate\``,
    );
  }
}

/** The class of what a module exports by default: a class as it is, an object as the class that it means. */
export function classOf(given) {
  if (typeof given === "function" && given.prototype instanceof Actor) return given;
  if (given === null || typeof given !== "object") {
    throw new TypeError("the module exports no actor: `export default class … extends Actor`");
  }
  const { version = 1, codec = "json", migrate, name = "actor", ...members } = given;
  const own = Object.entries(members);
  class Made extends Actor {
    constructor() {
      super();
      for (const [key, value] of own) {
        if (typeof value !== "function") this[key] = copied(value);
      }
    }
  }
  Object.defineProperty(Made, "name", { value: String(name) });
  Object.assign(Made, { version, codec }, migrate ? { migrate } : {});
  for (const [key, value] of own) {
    if (typeof value === "function") Made.prototype[key] = value;
  }
  return Made;
}

function copied(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** Reads and writes the state of one actor class; made when the component is built. */
export class StateOf {
  constructor(kind) {
    this.kind = kind;
    if (!["json", "bytes"].includes(kind.codec)) {
      throw new TypeError(`${kind.name}.codec is "json" or "bytes", not ${JSON.stringify(kind.codec)}`);
    }
    const fields = new kind();
    const reserved = ENVELOPE.find((name) => Object.hasOwn(fields, name));
    if (reserved) throw new TypeError(`${kind.name}.${reserved}: the state has this name already`);
    this.known = new Set(Object.keys(fields));
    this.dump(fields);
  }

  /** The actor at its start: the manifest's initial state, or the fields' own values. */
  initial(state, actorId) {
    inForce.actorId = actorId;
    return this.#made(state == null ? {} : read(state));
  }

  /** The actor of a state. Throws BadState. */
  load(state) {
    if (state == null) throw new BadState("there is no state: this actor has not been started");
    return this.#made(read(state));
  }

  /** The text of an actor's state. Throws BadState, naming the field. */
  dump(actor) {
    const fields = {};
    for (const key of Object.keys(actor)) {
      if (!this.known.has(key)) {
        throw new BadState(
          `${this.kind.name}.${key} is not a field: give it a value in the class, so that it is kept`,
        );
      }
      check(actor[key], `${this.kind.name}.${key}`, 0);
      fields[key] = actor[key];
    }
    return JSON.stringify({ v: this.kind.version, ...fields });
  }

  #made({ v = this.kind.version, self: _, ...given }) {
    const fields = v === this.kind.version ? given : this.kind.migrate(given, v);
    const actor = new this.kind();
    for (const [key, value] of Object.entries(fields)) {
      if (!this.known.has(key)) {
        const names = [...this.known].join(", ") || "none";
        throw new BadState(`${this.kind.name} has no field '${key}' (its fields: ${names})`);
      }
      actor[key] = value;
    }
    return actor;
  }
}

function read(state) {
  let value;
  try {
    value = JSON.parse(fromUtf8(state));
  } catch (error) {
    throw new BadState(`the state is not JSON: ${error.message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new BadState("the state is not a JSON object");
  }
  return value;
}

/** Refuse what JSON would change or drop without a word. */
function check(value, path, depth) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw new BadState(`${path}: ${value} has no form in JSON`);
      return;
    case "undefined":
      if (depth === 0) return;
      break;
    case "object":
      if (value === null) return;
      if (depth >= DEPTH_MAX) throw new BadState(`${path}: nested deeper than ${DEPTH_MAX}`);
      if (Array.isArray(value)) {
        for (let at = 0; at < value.length; at++) check(value[at], `${path}[${at}]`, depth + 1);
        return;
      }
      if (plain(value)) {
        for (const key of Object.keys(value)) {
          if (value[key] !== undefined) check(value[key], `${path}.${key}`, depth + 1);
        }
        return;
      }
  }
  throw new BadState(
    `${path}: ${said(value)} has no form in JSON; keep ${form(value)}`,
  );
}

/** What can be kept instead: of a Channel or a Store, by which both are made again, the id. */
function form(value) {
  if (value !== null && typeof value === "object" && typeof value.id === "string") return "its id";
  return "strings, numbers, booleans, null, arrays and plain objects of them";
}

function plain(value) {
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && typeof value.toJSON !== "function";
}

function said(value) {
  if (typeof value !== "object") return `a value of type ${typeof value}`;
  const name = value.constructor?.name;
  return name && name !== "Object" ? `an object of ${name}` : "an object with a toJSON of its own";
}

