// The smallest actor in JavaScript: it counts what it is sent.

import { Actor, log } from "theater-guest";

/** Its one field is its state; it survives every call, restart and crash. */
export default class Counter extends Actor {
  count = 0;

  onSend(message) {
    this.count += message;
    log(`counted to ${this.count}`);
  }

  onRequest() {
    return { count: this.count };
  }
}
