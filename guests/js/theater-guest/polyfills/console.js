// The console: log, info and debug to standard output, warn and error to standard error, both of which
// the host makes lines of the actor's log. While a component is built, nothing is printed anywhere.

import { inForce } from "../call.js";
import { wasi } from "../interfaces.js";
import { shown } from "../showing.js";
import { toUtf8 } from "../text.js";

const WRITE_BYTES_MAX = 4096; // of blocking-write-and-flush, as WASI has it

const open = {};
let depth = 0;
const counts = new Map();
const times = new Map();

function write(name, parts) {
  if (!inForce.running) return;
  const text = "  ".repeat(depth) + shown(formatted(parts));
  const stream = (open[name] ??= name === "stdout" ? wasi.stdout.getStdout() : wasi.stderr.getStderr());
  const bytes = toUtf8(`${text}\n`);
  for (let at = 0; at < bytes.length; at += WRITE_BYTES_MAX) {
    stream.blockingWriteAndFlush(bytes.subarray(at, at + WRITE_BYTES_MAX));
  }
}

/** The parts with %s and its like filled in, if the first one has any. */
function formatted(parts) {
  if (typeof parts[0] !== "string" || !parts[0].includes("%")) return parts;
  const rest = parts.slice(1);
  const text = parts[0].replace(/%([sdifoOjc%])/g, (whole, kind) => {
    if (kind === "%") return "%";
    if (!rest.length) return whole;
    const value = rest.shift();
    if (kind === "c") return "";
    if (kind === "d") return String(Number(value));
    if (kind === "i") return String(Math.trunc(Number(value)));
    if (kind === "f") return String(Number.parseFloat(value));
    if (kind === "j") return JSON.stringify(value);
    return shown([value]);
  });
  return [text, ...rest];
}

const out = (...parts) => write("stdout", parts);
const err = (...parts) => write("stderr", parts);

globalThis.console = {
  log: out,
  info: out,
  debug: out,
  dir: (value) => out(value),
  table: out,
  warn: err,
  error: err,
  trace: (...parts) => err("Trace:", ...parts),
  assert: (condition, ...parts) => {
    if (!condition) err("Assertion failed:", ...parts);
  },
  count: (label = "default") => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    out(`${label}: ${counts.get(label)}`);
  },
  countReset: (label = "default") => void counts.delete(label),
  time: (label = "default") => void times.set(label, performance.now()),
  timeEnd: (label = "default") => {
    out(`${label}: ${(performance.now() - (times.get(label) ?? performance.now())).toFixed(3)}ms`);
    times.delete(label);
  },
  group: (...parts) => {
    if (parts.length) out(...parts);
    depth += 1;
  },
  groupEnd: () => {
    depth = Math.max(0, depth - 1);
  },
};
