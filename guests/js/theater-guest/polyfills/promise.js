// Promises whose jobs run before a call returns, for QuickJS.
//
// A component without the asynchronous ABI has nobody who runs the engine's own queue: what follows an
// `await` would never happen. So the build turns async functions into generators, and this stands in for
// Promise (ECMAScript 2025, section 27.2) with a queue that the end of a call runs empty.

import { atBeginning } from "../call.js";
import { engine } from "../interfaces.js";
import { dropJobs, enqueue } from "./jobs.js";

const PENDING = 0;
const FULFILLED = 1;
const REJECTED = 2;

/** Promises that were rejected while nobody listened, and why. */
const unheard = new Map();

class TheaterPromise {
  #state = PENDING;
  #value;
  #reactions = [];
  #heard = false;

  constructor(executor) {
    if (typeof executor !== "function") throw new TypeError("a promise needs a function");
    const { resolve, reject } = this.#settlers();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  get [Symbol.toStringTag]() {
    return "Promise";
  }

  static get [Symbol.species]() {
    return this;
  }

  #settlers() {
    let done = false;
    const once = (act) => (value) => {
      if (done) return;
      done = true;
      act(value);
    };
    return {
      resolve: once((value) => this.#resolve(value)),
      reject: once((error) => this.#settle(REJECTED, error)),
    };
  }

  #resolve(value) {
    if (value === this) {
      this.#settle(REJECTED, new TypeError("a promise can't be resolved with itself"));
      return;
    }
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      this.#settle(FULFILLED, value);
      return;
    }
    let then;
    try {
      then = value.then;
    } catch (error) {
      this.#settle(REJECTED, error);
      return;
    }
    if (typeof then !== "function") {
      this.#settle(FULFILLED, value);
      return;
    }
    enqueue(() => {
      const { resolve, reject } = this.#settlers();
      try {
        then.call(value, resolve, reject);
      } catch (error) {
        reject(error);
      }
    });
  }

  #settle(state, value) {
    this.#state = state;
    this.#value = value;
    if (state === REJECTED && !this.#heard) unheard.set(this, value);
    const reactions = this.#reactions;
    this.#reactions = [];
    for (const reaction of reactions) enqueue(() => reaction(state, value));
  }

  then(onFulfilled, onRejected) {
    const kind = this.constructor?.[Symbol.species] ?? TheaterPromise;
    const { promise, resolve, reject } = TheaterPromise.withResolvers.call(kind);
    const react = (state, value) => {
      const handler = state === FULFILLED ? onFulfilled : onRejected;
      if (typeof handler !== "function") {
        (state === FULFILLED ? resolve : reject)(value);
        return;
      }
      try {
        resolve(handler(value));
      } catch (error) {
        reject(error);
      }
    };
    this.#heard = true;
    unheard.delete(this);
    if (this.#state === PENDING) this.#reactions.push(react);
    else enqueue(() => react(this.#state, this.#value));
    return promise;
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(onFinally) {
    if (typeof onFinally !== "function") return this.then(onFinally, onFinally);
    const kind = this.constructor?.[Symbol.species] ?? TheaterPromise;
    return this.then(
      (value) => kind.resolve(onFinally()).then(() => value),
      (error) =>
        kind.resolve(onFinally()).then(() => {
          throw error;
        }),
    );
  }

  static resolve(value) {
    if (value instanceof TheaterPromise && value.constructor === this) return value;
    return new this((resolve) => resolve(value));
  }

  static reject(error) {
    return new this((_, reject) => reject(error));
  }

  static withResolvers() {
    let resolve, reject;
    const promise = new this((...settlers) => {
      [resolve, reject] = settlers;
    });
    return { promise, resolve, reject };
  }

  static try(run, ...given) {
    return new this((resolve) => resolve(run(...given)));
  }

  static all(items) {
    return collected(this, items, (values, at, resolve, reject, finish) => [
      (value) => finish(at, value),
      reject,
    ]);
  }

  static allSettled(items) {
    return collected(this, items, (values, at, resolve, reject, finish) => [
      (value) => finish(at, { status: "fulfilled", value }),
      (reason) => finish(at, { status: "rejected", reason }),
    ]);
  }

  static any(items) {
    return new this((resolve, reject) => {
      collected(this, items, (values, at, _resolve, _reject, finish) => [
        resolve,
        (error) => finish(at, error),
      ]).then((errors) => reject(new AggregateError(errors, "every promise was rejected")), reject);
    });
  }

  static race(items) {
    return new this((resolve, reject) => {
      for (const item of items) this.resolve(item).then(resolve, reject);
    });
  }
}

/** A promise of as many values as there are items; `listeners` says what each one counts as. */
function collected(kind, items, listeners) {
  return new kind((resolve, reject) => {
    const values = [];
    let [waiting, at] = [1, 0];
    const done = () => {
      waiting -= 1;
      if (waiting === 0) resolve(values);
    };
    const finish = (position, value) => {
      values[position] = value;
      done();
    };
    for (const item of items) {
      waiting += 1;
      kind.resolve(item).then(...listeners(values, at, resolve, reject, finish));
      at += 1;
    }
    done();
  });
}

/** The errors that nobody listened to; they would be lost otherwise. */
export function takeUnheard() {
  const errors = [...unheard.values()];
  unheard.clear();
  return errors;
}

if (engine === "quickjs") {
  Object.defineProperty(TheaterPromise, "name", { value: "Promise" });
  globalThis.Promise = TheaterPromise;
  globalThis.queueMicrotask = (run) => {
    if (typeof run !== "function") throw new TypeError("queueMicrotask needs a function");
    enqueue(run);
  };
  // The engine's own returns a promise of its own, which nobody would settle.
  Array.fromAsync = async (items, map = (item) => item) => {
    const made = [];
    for await (const item of items) made.push(await map(item, made.length));
    return made;
  };
  atBeginning(() => {
    dropJobs();
    unheard.clear();
  });
}
