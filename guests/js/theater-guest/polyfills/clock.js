// performance.now, in milliseconds since the first call of the instance asked for it; and no other clock.
//
// Date is the engine's own, and reads the virtual clock in both. Their own performance counts from when
// the component was built, which was in another world.

import { inForce } from "../call.js";
import { wasi } from "../interfaces.js";

const MS_NS = 1_000_000;

let origin;
let originMs = 0;

const performance = {
  now() {
    if (!inForce.running) return 0;
    const now = wasi.now();
    if (origin === undefined) {
      origin = now;
      originMs = Date.now();
    }
    return (now - origin) / MS_NS;
  },
  get timeOrigin() {
    this.now();
    return originMs;
  },
  toJSON() {
    return { timeOrigin: this.timeOrigin };
  },
};

Object.defineProperty(globalThis, "performance", {
  value: performance,
  configurable: true,
  writable: true,
});
