// Exceptions as people should see them: the user's files and lines, and one line for the caller.
//
// What runs is one bundle. The build appends where its lines come from, as the source map that the
// bundler made; it is read only when there is something to say.

const TEXT_CHARS_MAX = 3500; // the host cuts log lines at 4,000 bytes
const CAUSES_MAX = 4;
const FRAME = /^\s*(?:at )?(?:(.*?) ?[(@])?\/?actor\.mjs:(\d+):(\d+)\)?$/;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** `TypeError: what it says`, for whoever called. */
export function line(error) {
  if (!(error instanceof Error)) return `Error: ${said(error)}`.toWellFormed();
  return (error.message ? `${error.name}: ${error.message}` : `${error.name}`).toWellFormed();
}

/** The error and the frames that are in the user's files. */
export function trace(error, depth = 0) {
  const frames = error instanceof Error ? framesOf(error.stack ?? "") : [];
  let text = [line(error), ...frames].join("\n");
  if (error instanceof Error && error.cause !== undefined && depth < CAUSES_MAX) text += `\ncaused by ${trace(error.cause, depth + 1)}`;
  return (text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX)} …`).toWellFormed();
}

function said(value) {
  try {
    return String(value);
  } catch {
    return `a thrown ${typeof value}`; // an object without a text of its own
  }
}

function framesOf(stack) {
  const map = globalThis.__theater_sources;
  if (!map) return [];
  const frames = [];
  for (const text of stack.split("\n")) {
    const [, name, row, column] = FRAME.exec(text) ?? [];
    const place = row && placeOf(map, Number(row), Number(column));
    if (!place) continue;
    const where = `${place.file}:${place.line}`;
    frames.push(name ? `    at ${name} (${where})` : `    at ${where}`);
  }
  return frames;
}

/** The file and line that a place in the bundle comes from; undefined if it is not the user's. */
export function placeOf({ sources, mappings }, row, column) {
  let [source, line] = [0, 0];
  let found;
  mappings.split(";").some((segments, index) => {
    let start = 0;
    for (const segment of segments ? segments.split(",") : []) {
      const [skip, moved = 0, down = 0] = numbers(segment);
      [start, source, line] = [start + skip, source + moved, line + down];
      if (index === row - 1 && (start < column || found === undefined)) found = [source, line];
    }
    return index >= row - 1;
  });
  const file = found && sources[found[0]];
  return file ? { file, line: found[1] + 1 } : undefined;
}

function numbers(segment) {
  const read = [];
  let [value, shift] = [0, 0];
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (!(digit & 32)) {
      read.push(value & 1 ? -(value >> 1) : value >> 1);
      [value, shift] = [0, 0];
    }
  }
  return read;
}
