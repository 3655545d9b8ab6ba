// Timers that survive a crash of the node.
//
// What a timer carries comes back to the actor's `onTimer`, as a message would. One that was missed, because
// the node was down or the mailbox full, comes once. Every function that asks the host throws HostError, and
// NotGranted in an actor whose manifest has no `scheduler`.

import { asked, scheduler, string, u64 } from "./interfaces.js";
import { encode } from "./messages.js";

function ms(time, what) {
  if (!Number.isSafeInteger(time) || time < 0) throw new TypeError(`${what} is a whole number of milliseconds`);
  return u64(time);
}

/** Once, after so many milliseconds. Returns the timer's id. */
export function after(delayMs, message) {
  const body = encode(message);
  return asked(() => scheduler.after(ms(delayMs, "a delay"), body));
}

/** Again and again, the first time after one period. Returns the timer's id. */
export function every(periodMs, message) {
  const body = encode(message);
  return asked(() => scheduler.every(ms(periodMs, "a period"), body));
}

/** By a cron expression of five fields, in UTC: `30 4 * * MON-FRI`. Returns the timer's id. */
export function cron(expression, message) {
  const body = encode(message);
  return asked(() => scheduler.cron(string(expression, "a cron expression"), body));
}

/** Cancel a timer; what it sent before still comes. The code is `timer.not_found` if it is over. */
export function cancel(timer) {
  asked(() => scheduler.cancel(string(timer, "a timer's id")));
}

/** The ids of the actor's timers, in the order in which they were set. */
export function pending() {
  return asked(() => scheduler.pending());
}
