// Types of what an actor written in JavaScript or TypeScript imports; the modules say what they do.

/// <reference path="./interfaces.d.ts" />

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** How messages are read: parsed JSON, or bytes as they are. */
export type Codec = "json" | "bytes";

/**
 * An actor. Its fields are its state: a new object is made of it for each call. Whatever a method throws,
 * the caller gets as an error, with the stack in the log and the state as it was.
 */
export class Actor {
  /** Of the state's form; when it grows, `migrate` gets the older states. */
  static version: number;
  static codec: Codec;
  /** The fields of a state of an older `version`, brought to this one. */
  static migrate(fields: Record<string, any>, version: number): Record<string, any>;

  /** The actor's own id. Throws NotGranted outside `onStart` if the manifest has no `context`. */
  get actorId(): string;
  /** The id of the request in hand, for `respond` later. Throws outside `onRequest`. */
  get requestId(): string;

  /** Called once, when the actor starts; an exception means that it does not start. */
  onStart(): void | Promise<void>;
  /** A message that wants no answer. */
  onSend(message: any): void | Promise<void>;
  /** A message that wants an answer: return it, or DEFERRED to `respond` later. */
  onRequest(message: any): unknown;
  /** A timer, by its id, was due; `message` is what it was given. */
  onTimer(timer: string, message: any): void | Promise<void>;
  /** Another participant asks to open a channel. Refused unless overridden. */
  onChannelOpen(channel: Channel, message: any): Opening | boolean | Promise<Opening | boolean>;
  /** A message on an open channel. */
  onChannelMessage(channel: Channel, message: any): void | Promise<void>;
  /** A channel was closed, by either side. */
  onChannelClose(channel: Channel): void | Promise<void>;
  /** A child failed; its restart does not wait for this. */
  onChildError(child: string, error: children.ChildError): void | Promise<void>;
  /** A child ended by itself, with this result. */
  onChildExit(child: string, result: any): void | Promise<void>;
  /** A child was stopped by somebody other than this actor. */
  onChildStopped(child: string): void | Promise<void>;
}

/** Return it from `onRequest` to answer later: keep `this.requestId` and `respond` to it. */
export const DEFERRED: unique symbol;

/** What `accept` and `refuse` make, for `onChannelOpen`. */
export interface Opening {
  readonly accepted: boolean;
  readonly message?: unknown;
}

/** The channel is opened; `message` is its first one from here. */
export function accept(message?: unknown): Opening;
/** The channel is not opened. */
export function refuse(reason?: string): Opening;

/** One end of a channel, by its id; keep the id among the actor's fields. */
export class Channel {
  constructor(id: string);
  readonly id: string;
  /** Send on the channel; messages arrive in order. Throws HostError. */
  send(message: unknown): void;
  /** Close the channel for good; both sides are told. Throws HostError. */
  close(): void;
}

/** Write a line to the actor's log; several values are joined by spaces. */
export function log(...parts: unknown[]): void;
/** End this actor after the current call; `result` reaches whoever waits. Throws HostError. */
export function shutdown(result?: unknown): void;

/** Put a message into an actor's mailbox. Throws HostError. */
export function send(actorId: string, message: unknown): void;
/** Send a message and wait for the answer, at most the request time-out. Throws HostError. */
export function request(actorId: string, message: unknown): any;
/** `request` with bytes both ways, whatever the codec. Throws HostError. */
export function requestBytes(actorId: string, message: Uint8Array): Uint8Array;
/** Answer a request that was deferred. Throws HostError if it is not outstanding. */
export function respond(requestId: string, answer: unknown): void;
/** Give a deferred request up. Throws HostError. */
export function cancel(requestId: string): void;
/** The ids of the requests that this actor has not answered yet, oldest first. */
export function outstanding(): string[];
/** Ask an actor to open a channel, with a first message. Throws HostError if it refuses. */
export function openChannel(actorId: string, message: unknown): Channel;

/** A store by its id; keep the id among the actor's fields. Every method throws HostError. */
export class Store {
  constructor(id: string);
  readonly id: string;
  /** Create a store. */
  static create(): Store;
  /** Keep content and return its hash; with `label`, add it to that label in the same step. */
  put(content: Uint8Array, options?: { label?: string }): string;
  get(hash: string): Uint8Array;
  exists(hash: string): boolean;
  /** Add content to a label, after what it already has. */
  label(label: string, hash: string): void;
  /** The hash most recently added to a label. */
  labelled(label: string): string | null;
  /** The content most recently added to a label. */
  read(label: string): Uint8Array | null;
  /** Keep content as the only one of a label, atomically; returns its hash. */
  write(label: string, content: Uint8Array): string;
  /** Make content the only one of a label, atomically. */
  relabel(label: string, hash: string): void;
  /** Take one hash off a label, or without one delete the label. The content stays. */
  unlabel(label: string, hash?: string): void;
  labels(): string[];
  contents(): string[];
  /** Bytes of all distinct content, each counted once. */
  size(): number;
}

/** The message in hand, and who the actor is. The manifest needs `context`. */
export namespace context {
  interface MessageInfo {
    readonly id: string;
    /** `send`, `request`, `timer` and so on. */
    readonly kind: string;
    readonly origin: "actor" | "client" | "host";
    /** An actor's id or a client's name; null where the host itself sent it. */
    readonly sender: string | null;
    /** Until when somebody waits for the answer, in milliseconds since the Unix epoch. */
    readonly deadline: number | null;
    /** The message's place in a trace, as W3C Trace Context spells it. */
    readonly traceparent: string | null;
  }
  /** What is known of the message in hand, null in `onStart`. */
  function message(): MessageInfo | null;
  function selfId(): string;
  function selfName(): string;
  /** The id of the actor that started this one. */
  function parentId(): string | null;
}

/** Timers that survive a crash of the node. The manifest needs `scheduler`; every function throws HostError. */
export namespace timers {
  /** Once, after so many milliseconds. Returns the timer's id. */
  function after(delayMs: number, message?: unknown): string;
  /** Again and again, the first time after one period. Returns the timer's id. */
  function every(periodMs: number, message?: unknown): string;
  /** By a cron expression of five fields, in UTC. Returns the timer's id. */
  function cron(expression: string, message?: unknown): string;
  /** Cancel a timer; what it sent before still comes. */
  function cancel(timer: string): void;
  /** The ids of the actor's timers, in the order in which they were set. */
  function pending(): string[];
}

/** Children of this actor. The manifest needs `supervisor`; every function throws HostError. */
export namespace children {
  interface ChildError {
    /** As the WIT names it: `internal`, `operation-timeout` and so on. */
    readonly kind: string;
    readonly text: string;
  }
  interface ChildEvent {
    readonly hash: Uint8Array;
    /** Null for the first event of a chain. */
    readonly parent: Uint8Array | null;
    readonly type: string;
    readonly data: Uint8Array;
    /** Milliseconds since the Unix epoch. */
    readonly timestampMs: number;
  }
  /** Start a child and wait until its `init` has succeeded; `state` replaces the manifest's. Returns its id. */
  function spawn(manifest: string, state?: unknown): string;
  /** Start a child from a state, or from what the last ended child of this manifest left. Returns its id. */
  function resume(manifest: string, state?: unknown): string;
  /** The ids of the living children, in the order in which they were started. */
  function living(): string[];
  /** Stop a child, after everything below it. */
  function stop(child: string): void;
  /** Start a child again under the same id, from its initial state. */
  function restart(child: string): void;
  /** The state of a child, also of one that has ended; null if it has none. */
  function state(child: string): Uint8Array | null;
  function status(
    child: string,
  ): "starting" | "running" | "paused" | "stopping" | "stopped" | "failed";
  /** The events of a child's chain, oldest first. */
  function events(child: string): ChildEvent[];
}

/** Names that stand for an actor's id. The manifest needs `registry`. */
export namespace names {
  /** Take a name. Throws HostError: `name.taken` if a living actor holds it. */
  function register(name: string): void;
  /** Give a name up. Throws HostError: `name.not_held` if this actor doesn't hold it. */
  function unregister(name: string): void;
  /** The id of the actor that holds a name, null if nobody does. */
  function whereis(name: string): string | null;
}

export namespace http {
  interface Options {
    params?: Record<string, string>;
    headers?: Record<string, string>;
    json?: unknown;
    data?: Uint8Array | string;
  }
  class Response {
    readonly status: number;
    readonly headers: [string, string][];
    readonly body: Uint8Array;
    /** Whether the status is below 400. */
    get ok(): boolean;
    get text(): string;
    header(name: string): string | null;
    json(): any;
    /** The response itself; throws StatusError if its status is 400 or above. */
    raiseForStatus(): Response;
  }
  class StatusError extends Error {
    readonly response: Response;
  }
  function request(method: string, url: string | { toString(): string }, options?: Options): Response;
  function get(url: string, options?: Options): Response;
  function post(url: string, options?: Options): Response;
  function put(url: string, options?: Options): Response;
  /** A DELETE request. */
  function remove(url: string, options?: Options): Response;
}

/** A host function answered with an error; `code` is its stable part, empty if there is none. */
export class HostError extends Error {
  readonly code: string;
  readonly detail: string;
}
/** The manifest doesn't grant the interface; the text has the lines to add. */
export class NotGranted extends Error {}
/** Throw it to answer with an error of your own: its text is what the caller gets. */
export class Rejected extends Error {}
