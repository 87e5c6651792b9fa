// Flagstone for JavaScript: packs contexts, unpacks decisions, remembers values. Every decision is made in the
// WebAssembly engine; this file only converts. Browsers, workers, Deno, Bun and Node 20.
import initialise, { Engine } from "./flagstone_glue.js";

// The engine's codes, by number (docs/engine.md).
const REASONS = ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "STALE", "ERROR"];
const ERRORS = [undefined, "FLAG_NOT_FOUND", "PARSE_ERROR", "TYPE_MISMATCH", "GENERAL"];
const DETAILS = [undefined, "stage", "control", "halt", "consent", "data-domain", "expired", "closed", "holdout",
  "prerequisite", "override"];
const ARMS = [undefined, "treatment", "control"];
const NO_FLAG = 0xffffffff;
const seconds = () => Date.now() / 1000;

/** Loads the engine, once. `module`: a URL, Response, bytes or WebAssembly.Module; by default fetched from beside this file. */
export async function load(module = new URL("flagstone_bg.wasm", import.meta.url)) {
  await initialise({ module_or_path: module });
}

/** One opened snapshot. For a newer one make a new Flagstone, then `free()` the old one and its contexts. */
export class Flagstone {
  #engine;
  #flags;
  #indices;
  #values = new Map();

  /** Verifies `file` (Uint8Array) by the pinned trust statement (text) and a policy; throws Error with `.code`. */
  constructor(trust, file, policy) {
    this.#engine = Engine.open(trust, file, { now: seconds(), ...policy });
    this.info = this.#engine.info();
    this.#flags = this.#engine.flags();
    this.#indices = new Map(this.#flags.map(({ key }, index) => [key, index]));
  }

  /** All flags in index order. */
  get flags() { return this.#flags; }

  /** Index of a flag, undefined when there is none. Asking by index saves the look-up. */
  find(key) { return this.#indices.get(key); }

  /** Attribute paths that the rules read; a context needs no others. */
  attributes() { return this.#engine.attributes(); }

  /** Verifies a pulse (Uint8Array) and lets it replace the one before. */
  pulse(note, now = seconds()) { return this.#engine.pulse(note, now); }

  /** Takes a context in. Keep it for many decisions; `free()` it when done. */
  context(attributes) { return this.#engine.context(pack(attributes)); }

  /** Decides one flag, by key or index, for a context of this Flagstone. Never throws. */
  decide(context, flag, now = seconds()) {
    const index = typeof flag === "string" ? this.#indices.get(flag) ?? NO_FLAG : flag;
    const low = context.evaluate(index, now);
    const variant = low & 0xffff;
    const high = context.rest();
    const stage = (high >>> 16) & 0xff;
    const cohort = high >>> 24;
    return {
      value: variant === 0xffff ? undefined : this.#value(index, variant),
      variant: variant === 0xffff ? undefined : this.#flags[index].variants[variant],
      reason: REASONS[(low >>> 16) & 0xff],
      errorCode: ERRORS[low >>> 24],
      detail: DETAILS[high & 0xff],
      arm: ARMS[(high >>> 8) & 0xff],
      stage: stage === 0xff ? undefined : stage,
      cohort: cohort === 0xff ? undefined : cohort,
    };
  }

  /** The canonical decision text, the same bytes as from every other build. */
  decision(attributes, key, now = seconds()) { return this.#engine.decision(pack(attributes), key, now); }

  /** The decision with a trace of why, as an object. For debugging: it is built anew each time. */
  explain(attributes, key, now = seconds()) {
    return JSON.parse(this.#engine.explain(pack(attributes), key, now));
  }

  /** Frees the snapshot, once its contexts are freed too. */
  free() { this.#engine.free(); }

  #value(index, variant) {
    const at = index * 0x10000 + variant;
    if (!this.#values.has(at)) this.#values.set(at, JSON.parse(this.#engine.value(index, variant)));
    return this.#values.get(at);
  }
}

// Packing: tag, then little-endian content (docs/engine.md). What JSON.stringify leaves out is left out here.
const utf8 = new TextEncoder();
let bytes = new Uint8Array(1024);
let view = new DataView(bytes.buffer);
let end = 0;

/** A plain object as the packed bytes that `Engine.context` takes. */
export function pack(attributes) {
  end = 0;
  const value = plain(attributes, "");
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new TypeError("the context is not an object of attributes");
  }
  write(value);
  return bytes.slice(0, end);
}

function need(count) {
  if (end + count <= bytes.length) return;
  const larger = new Uint8Array(Math.max(bytes.length * 2, end + count));
  larger.set(bytes.subarray(0, end));
  bytes = larger;
  view = new DataView(bytes.buffer);
}

/** What JSON.stringify would look at: `toJSON` applied, wrappers opened. */
function plain(value, key) {
  if (value !== null && typeof value === "object") {
    if (typeof value.toJSON === "function") return plain(value.toJSON(key), key);
    if (value instanceof Number || value instanceof String || value instanceof Boolean) return value.valueOf();
  }
  return value;
}

function write(value) {
  need(9);
  switch (typeof value) {
    case "boolean": bytes[end++] = value ? 2 : 1; return;
    case "string": bytes[end++] = 6; text(value); return;
    case "bigint": integer(value); return;
    case "number":
      if (!Number.isFinite(value)) bytes[end++] = 0;
      else if (!Number.isInteger(value) || value >= 2 ** 64 || value < -(2 ** 63)) {
        bytes[end] = 5;
        view.setFloat64(end + 1, value, true);
        end += 9;
      } else integer(BigInt(value));
      return;
    case "object": value === null ? (bytes[end++] = 0) : members(value); return;
    default: bytes[end++] = 0; // undefined, functions and symbols in a list are null, as in JSON
  }
}

function integer(value) {
  const unsigned = value > 0x7fffffffffffffffn;
  if (value > 0xffffffffffffffffn || value < -0x8000000000000000n) throw new RangeError("a bigint beyond 64 bits");
  bytes[end] = unsigned ? 4 : 3;
  view.setBigUint64(end + 1, BigInt.asUintN(64, value), true);
  end += 9;
}

function text(value) {
  need(4 + value.length * 3);
  const start = (end += 4);
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code > 0x7f) { // not ASCII after all
      end = start + utf8.encodeInto(value, bytes.subarray(start)).written;
      break;
    }
    bytes[end++] = code;
  }
  view.setUint32(start - 4, end - start, true);
}

function members(value) {
  const list = Array.isArray(value);
  const entries = list ? value.map((element, at) => [at, plain(element, String(at))]) : sorted(value);
  need(5 + entries.length * 4);
  bytes[end] = list ? 7 : 8;
  view.setUint32(end + 1, entries.length, true);
  let offset = end + 5;
  const start = (end = offset + entries.length * 4);
  for (const [key, member] of entries) {
    view.setUint32(offset, end - start, true);
    offset += 4;
    if (!list) text(key);
    write(member);
  }
}

/** The members of an object by the bytes of their keys, without those that JSON leaves out. */
function sorted(object) {
  const entries = [];
  let ascii = true;
  for (const key of Object.keys(object)) {
    const member = plain(object[key], key);
    if (member === undefined || typeof member === "function" || typeof member === "symbol") continue;
    ascii &&= !/[^\0-\x7f]/.test(key);
    entries.push([key, member]);
  }
  const units = (a, b) => (a[0] < b[0] ? -1 : 1);
  // Above ASCII the order of UTF-16 units is not that of the bytes; code points have the bytes' order.
  return entries.sort(ascii ? units : (a, b) => points(a[0], b[0]));
}

function points(a, b) {
  const [left, right] = [[...a], [...b]];
  for (let at = 0; at < left.length && at < right.length; at++) {
    if (left[at] !== right[at]) return left[at].codePointAt(0) - right[at].codePointAt(0);
  }
  return left.length - right.length;
}
