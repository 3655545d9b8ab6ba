// Values as text for people, as far as a log needs it.

const DEPTH_MAX = 4;
const ITEMS_MAX = 100;

/** One line's worth of values: strings as they are, everything else as it might be written. */
export function shown(parts) {
  return parts.map((part) => (typeof part === "string" ? part : one(part, 0, []))).join(" ");
}

function one(value, depth, above) {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
      return value.toString();
    case "function":
      return `[${/^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "function"} ${value.name || "(anonymous)"}]`;
    case "object":
      return value === null ? "null" : object(value, depth, above);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function object(value, depth, above) {
  if (value instanceof Error) return value.stack?.includes(value.message) ? value.stack.trimEnd() : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Promise) return "Promise {}";
  if (above.includes(value)) return "[Circular]";
  const name = Object.getPrototypeOf(value)?.constructor?.name ?? "";
  if (depth >= DEPTH_MAX) return Array.isArray(value) ? "[…]" : `${name || "Object"} {…}`;
  const inner = [...above, value];
  const item = (each) => one(each, depth + 1, inner);
  if (Array.isArray(value)) return bracketed("[", value.slice(0, ITEMS_MAX + 1).map(item), "]");
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return `${name}(${value.length}) ${bracketed("[", Array.from(value.subarray(0, ITEMS_MAX + 1), item), "]")}`;
  }
  if (value instanceof Set) return `Set(${value.size}) ${bracketed("{ ", Array.from(value, item), " }")}`;
  if (value instanceof Map) {
    const pairs = Array.from(value, ([key, each]) => `${item(key)} => ${item(each)}`);
    return `Map(${value.size}) ${bracketed("{ ", pairs, " }")}`;
  }
  const pairs = Object.keys(value).map((key) => {
    const label = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
    return `${label}: ${item(value[key])}`;
  });
  return (name && name !== "Object" ? `${name} ` : "") + bracketed("{ ", pairs, " }");
}

function bracketed(open, items, close) {
  const kept = items.length > ITEMS_MAX ? [...items.slice(0, ITEMS_MAX), "…"] : items;
  return kept.length ? open + kept.join(", ") + close : (open + close).replaceAll(" ", "");
}
