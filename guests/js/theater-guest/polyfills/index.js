// What JavaScript expects around it, made of what a guest is given. It runs before the actor's modules.
//
// QuickJS has no console, text encoding, timers, crypto or fetch, and nobody runs the jobs of its
// promises. SpiderMonkey has them; those that decide what a replay sees are replaced there too.

import "./promise.js";
import "./timers.js";
import "./random.js";
import "./clock.js";
import "./console.js";
import "./encoding.js";
import "./fetch.js";

export { finished } from "./finishing.js";
