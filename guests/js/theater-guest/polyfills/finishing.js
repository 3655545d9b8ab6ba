// The end of a call: what it promised has to be there before it returns.
//
// SpiderMonkey's bindings wait for a promise that an export returns. For QuickJS the jobs and timers of
// the call run here; when nothing is left to run and the promise is still open, it never will be settled.

import { engine, runtime } from "../interfaces.js";
import { trace } from "../traces.js";
import { runJobs } from "./jobs.js";
import { takeUnheard } from "./promise.js";
import { runTimer } from "./timers.js";

/** `finish(value)`, when what may be a promise of the value is settled. */
export function finished(given, finish) {
  const later = typeof given?.then === "function";
  if (engine !== "quickjs") return later ? given.then(finish) : finish(given);
  return finish(later ? settled(given) : settledAlready(given));
}

function settledAlready(value) {
  runJobs();
  tell();
  return value;
}

function settled(promise) {
  let outcome;
  promise.then(
    (value) => (outcome = { value }),
    (error) => (outcome = { error }),
  );
  for (;;) {
    runJobs();
    if (outcome) break;
    if (!runTimer()) throw new Error("the call waits for a promise that nothing is left to settle");
  }
  tell();
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

function tell() {
  for (const error of takeUnheard()) runtime.log(`unhandled rejection: ${trace(error)}`);
}
