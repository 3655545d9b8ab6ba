// setTimeout and setInterval for QuickJS, on the virtual clock: to wait is to sleep in the host.
//
// Timers belong to the call that set them. They run while it waits for a promise; those that are left
// when it returns never run.

import { atBeginning } from "../call.js";
import { engine, u64, wasi } from "../interfaces.js";

const MS_NS = 1_000_000;

let timers = [];
let issued = 0;

function set(run, delay, given, repeat) {
  if (typeof run !== "function") throw new TypeError("a timer needs a function");
  const delayNs = Math.max(0, Math.trunc(Number(delay) || 0)) * MS_NS;
  issued += 1;
  timers.push({ id: issued, due: wasi.now() + delayNs, every: repeat ? delayNs : null, run, given });
  return issued;
}

/** Sleep until the earliest timer is due and run it; false if there is none. */
export function runTimer() {
  if (!timers.length) return false;
  const next = timers.reduce((first, timer) => (timer.due < first.due ? timer : first));
  const wait = next.due - wasi.now();
  if (wait > 0) {
    const pollable = wasi.monotonicClock.subscribeDuration(u64(wait));
    try {
      pollable.block();
    } finally {
      pollable[Symbol.dispose]?.();
    }
  }
  if (next.every === null) clear(next.id);
  else next.due += Math.max(next.every, MS_NS);
  next.run(...next.given);
  return true;
}

function clear(id) {
  timers = timers.filter((timer) => timer.id !== id);
}

if (engine === "quickjs") {
  globalThis.setTimeout = (run, delay, ...given) => set(run, delay, given, false);
  globalThis.setInterval = (run, delay, ...given) => set(run, delay, given, true);
  globalThis.clearTimeout = clear;
  globalThis.clearInterval = clear;
  atBeginning(() => {
    timers = [];
  });
}
