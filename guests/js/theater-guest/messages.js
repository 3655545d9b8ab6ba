// Messages to other actors, answers to their requests, and channels.
//
// Bytes (a Uint8Array) go as they are; everything else goes as JSON. What comes back is read by the
// codec of the actor, `json` or `bytes`.

import { inForce } from "./call.js";
import { BadMessage } from "./errors.js";
import { asked, bytes, messageServerHost as host, string } from "./interfaces.js";
import { fromUtf8, toUtf8 } from "./text.js";

/** Return it from `onRequest` to answer later: keep `this.requestId` and `respond` to it. */
export const DEFERRED = Symbol("DEFERRED");

/** Returned by `onChannelOpen`: the channel is opened; `message` is its first one from here. */
export function accept(message) {
  return { accepted: true, message };
}

/** Returned by `onChannelOpen`: the channel is not opened. */
export function refuse(reason = "") {
  return { accepted: false, message: toUtf8(String(reason)) };
}

/** A message's bytes. Throws TypeError for what has no form in JSON. */
export function encode(message) {
  if (message instanceof Uint8Array) return message;
  if (message instanceof ArrayBuffer) return new Uint8Array(message);
  const text = JSON.stringify(message ?? null);
  if (text === undefined) throw new TypeError(`a ${typeof message} has no form in JSON`);
  return toUtf8(text);
}

/** A message as the codec reads it; nothing at all is null in JSON. Throws BadMessage. */
export function decode(message, codec = inForce.codec) {
  if (codec === "bytes") return message;
  if (!message.length) return null;
  try {
    return JSON.parse(fromUtf8(message));
  } catch (error) {
    throw new BadMessage(
      `not JSON (${error.message}); an actor that takes bytes says \`static codec = "bytes"\``,
    );
  }
}

/** Put a message into an actor's mailbox; returns when it is accepted there. Throws HostError. */
export function send(actorId, message) {
  const body = encode(message);
  asked(() => host.send(string(actorId, "an actor's id"), body));
}

/** Send a message and wait for the answer, at most the request time-out. Throws HostError. */
export function request(actorId, message) {
  return decode(requestBytes(actorId, encode(message)));
}

/** `request` with bytes both ways, whatever the codec. Throws HostError. */
export function requestBytes(actorId, message) {
  return asked(() => host.request(string(actorId, "an actor's id"), bytes(message, "the message")));
}

/** Answer a request that was deferred. Throws HostError if it is not outstanding. */
export function respond(requestId, answer) {
  const body = encode(answer);
  asked(() => host.respondToRequest(string(requestId, "a request's id"), body));
}

/** Give a deferred request up; the requester gets an error that says so. Throws HostError. */
export function cancel(requestId) {
  asked(() => host.cancelRequest(string(requestId, "a request's id")));
}

/** The ids of the requests that this actor has not answered yet, oldest first. */
export function outstanding() {
  return asked(() => host.listOutstandingRequests());
}

/** One end of a channel, by its id; keep the id among the actor's fields. */
export class Channel {
  constructor(id) {
    this.id = string(id, "a channel's id");
  }

  /** Send on the channel; messages arrive in order. Throws HostError. */
  send(message) {
    const body = encode(message);
    asked(() => host.sendOnChannel(this.id, body));
  }

  /** Close the channel for good; both sides are told. Throws HostError. */
  close() {
    asked(() => host.closeChannel(this.id));
  }
}

/** Ask an actor to open a channel, with a first message. Throws HostError if it refuses. */
export function openChannel(actorId, message) {
  const body = encode(message);
  return new Channel(asked(() => host.openChannel(string(actorId, "an actor's id"), body)));
}
