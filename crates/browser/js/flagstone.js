// Flagstone for JavaScript: writes contexts into the engine's memory and reads decisions. Every decision is made in the
// WebAssembly engine; this file only converts. Browsers, workers, Deno, Bun and Node 20.

// The engine's codes, by number (docs/engine.md).
const REASONS = ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "STALE", "ERROR"];
const ERRORS = [undefined, "FLAG_NOT_FOUND", "PARSE_ERROR", "TYPE_MISMATCH", "GENERAL"];
const DETAILS = [undefined, "stage", "control", "halt", "consent", "data-domain", "expired", "closed", "holdout",
  "prerequisite", "override", "layer", "remembered", "ended", "paused"];
const ARMS = [undefined, "treatment", "control"];
const NONE = 0xffff;
const NO_FLAG = 0xffffffff;
const seconds = () => Date.now() / 1000;
const hasOwn = Object.prototype.hasOwnProperty;
const utf8 = new TextEncoder();

let wasm;

/** Loads the engine, once. `module`: URL, Response, bytes or WebAssembly.Module; default: the file beside this one. */
export async function load(module) {
  if (wasm) return;
  // Not where modules have no address.
  module ??= new URL("flagstone_bg.wasm", import.meta.url);
  const made = await WebAssembly.instantiate(await source(module), {});
  adopt((made.instance ?? made).exports);
}

/** Takes an engine's exports; for the tools, which load another module. */
export function adopt(exports) {
  wasm = exports;
  base = limit = 0;
}

/** Whether a trust statement may follow the one that is pinned (texts); without a `next` whether that may be pinned. Throws as `Flagstone` does. */
export function advance(trust, next = "", now = seconds()) {
  begin();
  return told(wasm.advance(raw(utf8.encode(trust)), raw(utf8.encode(next)), now));
}

/** Bytes, or a module, of whatever `load` was given. */
export async function source(module) {
  module = await module;
  // Not `instanceof Request`: Node loads its fetch for that, 25 ms.
  const kind = Object.prototype.toString.call(module).slice(8, -1);
  // Node fetches no files. Reading and compiling here takes 2 ms; a thread that is waited for takes longer.
  if (kind === "URL" && module.protocol === "file:" && globalThis.process) {
    const files = process.getBuiltinModule?.("node:fs") ?? (await import("node:fs"));
    return new WebAssembly.Module(files.readFileSync(module));
  }
  if (["String", "URL", "Request"].includes(kind)) return source(fetch(module));
  if (kind !== "Response") return module;
  if (module.ok) return module.arrayBuffer();
  throw new Error(`the engine could not be fetched: HTTP ${module.status}`);
}

/** One opened snapshot. For a newer one make a new Flagstone, then `free()` the old one. */
export class Flagstone {
  #engine;
  #flags;
  #indices;
  #paths;
  #getters;
  #values;

  /** Verifies `file` (Uint8Array) by the pinned trust statement (text) and a policy; throws Error with `.code`. */
  constructor(trust, file, policy) {
    const { audience, environment, now = seconds(), mark, maxPayload = 512 * 1024 } = policy;
    begin();
    const lengths = [trust, audience, environment].map((part) => raw(utf8.encode(part)));
    if (mark) raw(digest(mark.digest));
    raw(file);
    this.#engine = wasm.open(...lengths, end - base, now, mark?.epoch ?? 0, mark?.sequence ?? 0, maxPayload);
    if (!this.#engine) throw refusal();
    const { info, flags, attributes } = JSON.parse(said(wasm.rest()));
    this.info = info;
    this.#flags = flags;
    this.#indices = new Map(flags.map(({ key }, index) => [key, index]));
    this.#paths = attributes;
    this.#getters = attributes.map(getter);
    this.#values = flags.map(() => []);
  }

  /** The engine's handle, for the tools. */
  get handle() { return this.#engine; }

  /** All flags in index order. */
  get flags() { return this.#flags; }

  /** Index of a flag, undefined when there is none. Asking by index saves the look-up. */
  find(key) { return this.#indices.get(key); }

  /** Attribute paths that the rules read; no others are taken from a context. */
  attributes() { return this.#paths; }

  /** Verifies a pulse (Uint8Array) and lets it replace the one before. */
  pulse(note, now = seconds()) {
    begin();
    return told(wasm.pulse(this.#engine, raw(note), now));
  }

  /** Takes a context in. Keep it for many decisions; `free()` it when done. */
  context(attributes) {
    this.#positions(attributes);
    return new Context(wasm.context(this.#engine, end - base, 1));
  }

  /** As `context`, from what `pack` made. */
  contextPacked(packed) {
    begin();
    return new Context(wasm.context(this.#engine, raw(packed), 0));
  }

  /** Decides one flag, by key or index, for a context of this Flagstone. Never throws. */
  decide(context, flag, now = seconds()) {
    const index = typeof flag === "string" ? this.#indices.get(flag) ?? NO_FLAG : flag;
    return this.read(index, wasm.evaluate(context.handle, index, now), wasm.rest());
  }

  /** Decides one flag for attributes that are not kept: cheaper than `context` and `decide` for one decision. */
  decideOnce(attributes, flag, now = seconds()) {
    const index = typeof flag === "string" ? this.#indices.get(flag) ?? NO_FLAG : flag;
    this.#positions(attributes);
    return this.read(index, wasm.once(this.#engine, end - base, index, now), wasm.rest());
  }

  /** Decides all flags in one call; the decisions are read when they are asked for. */
  decideAll(context, now = seconds()) {
    return new Decisions(this, context.evaluateAll(now));
  }

  /** The decision in a packed one: its low and its high half (docs/engine.md). */
  read(index, low, high) {
    const variant = low & NONE;
    const decided = variant !== NONE;
    const flag = this.#flags[index];
    const stage = (high >>> 16) & 0xff;
    const cohort = high >>> 24;
    const decision = {
      value: decided ? this.#values[index][variant] ?? this.#value(index, variant) : undefined,
      variant: decided ? flag.variants[variant] : undefined,
      reason: REASONS[(low >>> 16) & 0xff],
      errorCode: ERRORS[low >>> 24],
      detail: DETAILS[high & 0xff],
      arm: ARMS[(high >>> 8) & 0xff],
      stage: stage === 0xff ? undefined : stage,
      cohort: cohort === 0xff ? undefined : cohort,
      remember: undefined,
    };
    if (decided && flag.sticky) decision.remember = token(flag.sticky, decision);
    return decision;
  }

  /** The canonical decision text, the same bytes as from every other build. */
  decision(attributes, key, now = seconds()) {
    const context = this.context(attributes);
    begin();
    const text = said(wasm.decision(context.handle, raw(utf8.encode(key)), now));
    context.free();
    return text;
  }

  /** Frees the snapshot and its contexts. */
  free() { wasm.close(this.#engine); }

  #value(index, variant) {
    return (this.#values[index][variant] = JSON.parse(said(wasm.value(this.#engine, index, variant))));
  }

  /** Writes what the rules read, by position: `u16 count`, then position and value. */
  #positions(attributes) {
    attributes = object(attributes);
    begin();
    need(2);
    const getters = this.#getters;
    let count = 0;
    end += 2;
    for (let at = 0; at < getters.length; at++) {
      const value = getters[at](attributes);
      if (value === undefined || typeof value === "function" || typeof value === "symbol") continue;
      need(11);
      bytes[end++] = at;
      bytes[end++] = at >> 8;
      write(value);
      count++;
    }
    bytes[base] = count;
    bytes[base + 1] = count >> 8;
  }
}

/** Attributes that stay in the engine. */
class Context {
  constructor(handle) {
    if (!handle) throw refusal();
    this.handle = handle;
  }

  /** The low half of the packed decision: variant, reason, error (docs/engine.md). */
  evaluate(flag, now) { return wasm.evaluate(this.handle, flag, now) >>> 0; }

  /** The high half of the last `evaluate`: detail, arm, stage, cohort. */
  rest() { return wasm.rest() >>> 0; }

  /** Every flag in index order: the low and the high half of each. */
  evaluateAll(now) {
    const length = wasm.all(this.handle, now) >>> 2;
    limit = 0;
    if (words.buffer !== wasm.memory.buffer) words = new Uint32Array(wasm.memory.buffer);
    const at = wasm.scratch(0) >>> 2; // the engine's allocator aligns to 8
    return words.slice(at, at + length);
  }

  /** Frees it. */
  free() { wasm.forget(this.handle); }
}

/** The decisions of all flags for one context at one time. */
class Decisions {
  #flagstone;

  constructor(flagstone, packed) {
    this.#flagstone = flagstone;
    this.packed = packed;
  }

  /** A flag's decision, by key or index. */
  get(flag) {
    const index = typeof flag === "string" ? this.#flagstone.find(flag) ?? NO_FLAG : flag;
    return this.#flagstone.read(index, this.packed[index * 2] ?? 0x0106ffff, this.packed[index * 2 + 1] ?? 0xffff0000);
  }

  /** `[key, decision]` in index order. */
  *[Symbol.iterator]() {
    for (const [index, { key }] of this.#flagstone.flags.entries()) yield [key, this.get(index)];
  }
}

/** What a decision of a sticky flag asks to remember: to be brought back in the context's `remembered[key]`. */
function token(version, { variant, reason, detail, arm, cohort }) {
  let kind;
  if (reason === "SPLIT") {
    if (detail === "remembered" || detail === (arm === "control" ? "control" : "stage")) kind = arm?.[0];
  } else if (reason === "TARGETING_MATCH" && !arm && [undefined, "closed", "paused", "remembered"].includes(detail)) {
    kind = "n";
  }
  return kind && `${version}:${kind}:${cohort ?? "-"}:${variant}`;
}

// Answers: text at the start of the engine's scratch room.

function said(length) {
  limit = 0;
  return new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, wasm.scratch(0), length));
}

/** An answer in JSON; 0 bytes are a refusal. */
function told(length) {
  if (!length) throw refusal();
  return JSON.parse(said(length));
}

function refusal() {
  const [code, ...prose] = said(wasm.rest()).split("\n");
  return Object.assign(new Error(prose.join("\n") || `refused: ${code}`), { code });
}

function digest(text) {
  if (/^[0-9a-f]{64}$/.test(text)) return text.match(/../g).map((pair) => parseInt(pair, 16));
  throw Object.assign(new Error("the mark's digest is not 64 hexadecimal digits"), { code: "bad-mark" });
}

// Writing into the scratch room: from `base` to `limit` (0: ask where it is), up to `end` so far.

let bytes = new Uint8Array(0);
let words = new Uint32Array(0);
let view;
let base = 0;
let limit = 0;
let end = 0;

function begin() {
  end = base;
  if (limit === 0 || bytes.length === 0) grow(1024);
}

function need(count) {
  if (end + count > limit) grow(Math.max(end + count - base, 2 * (limit - base)));
}

function grow(size) {
  const written = end - base;
  base = wasm.scratch(size);
  bytes = new Uint8Array(wasm.memory.buffer);
  view = new DataView(wasm.memory.buffer);
  end = base + written;
  limit = base + size;
}

/** Bytes as they are; returns how many. */
function raw(part) {
  need(part.length);
  bytes.set(part, end);
  end += part.length;
  return part.length;
}

/** A plain object as the packed bytes that `contextPacked` takes. */
export function pack(attributes) {
  attributes = object(attributes);
  begin();
  write(attributes);
  return bytes.slice(base, end);
}

function object(attributes) {
  const value = plain(attributes, "");
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
  throw new TypeError("the context is not an object of attributes");
}

/** What JSON.stringify would look at: `toJSON` applied, wrappers opened. */
function plain(value, key) {
  if (value !== null && typeof value === "object") {
    if (typeof value.toJSON === "function") return plain(value.toJSON(key), key);
    if (value instanceof Number || value instanceof String || value instanceof Boolean) return value.valueOf();
  }
  return value;
}

/** Reads the attribute at a dotted path; the empty path is the whole. */
function getter(path) {
  if (path === "") return (attributes) => attributes;
  const names = path.split(".");
  if (names.length > 1) return (attributes) => names.reduce(member, attributes);
  return (attributes) => member(attributes, path);
}

function member(from, name) {
  if (from === null || typeof from !== "object") return undefined;
  if (Array.isArray(from)) return /^\+?\d+$/.test(name) ? plain(from[+name], name) : undefined;
  return hasOwn.call(from, name) ? plain(from[name], name) : undefined;
}

// Values: tag, then little-endian content (docs/engine.md). What JSON.stringify leaves out is left out here.

function write(value) {
  need(9);
  switch (typeof value) {
    case "string": bytes[end++] = 6; text(value); return;
    case "boolean": bytes[end++] = value ? 2 : 1; return;
    case "bigint":
      if (value > 0xffffffffffffffffn || value < -0x8000000000000000n) throw new RangeError("a bigint beyond 64 bits");
      bytes[end] = value > 0x7fffffffffffffffn ? 4 : 3;
      view.setBigUint64(end + 1, BigInt.asUintN(64, value), true);
      end += 9;
      return;
    case "number":
      if (!Number.isFinite(value)) {
        bytes[end++] = 0;
        return;
      }
      if (Number.isInteger(value) && value < 2 ** 64 && value >= -(2 ** 63)) {
        bytes[end] = value < 2 ** 63 ? 3 : 4;
        view.setUint32(end + 1, value, true);
        view.setUint32(end + 5, Math.floor(value / 2 ** 32), true);
      } else {
        bytes[end] = 5;
        view.setFloat64(end + 1, value, true);
      }
      end += 9;
      return;
    case "object": value === null ? (bytes[end++] = 0) : members(value); return;
    // Undefined, functions and symbols in a list are null, as in JSON.
    default: bytes[end++] = 0;
  }
}

function text(value) {
  need(4 + value.length * 3);
  const start = (end += 4);
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    // Not ASCII after all.
    if (code > 0x7f) {
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
  // The room may move.
  let offset = end + 5 - base;
  const start = offset + entries.length * 4;
  end = base + start;
  for (const [key, element] of entries) {
    view.setUint32(base + offset, end - base - start, true);
    offset += 4;
    if (!list) text(key);
    write(element);
  }
}

/** The members of an object by the bytes of their keys, without those that JSON leaves out. */
function sorted(value) {
  const entries = [];
  let ascii = true;
  for (const key of Object.keys(value)) {
    const element = plain(value[key], key);
    if (element === undefined || typeof element === "function" || typeof element === "symbol") continue;
    ascii &&= !/[^\0-\x7f]/.test(key);
    entries.push([key, element]);
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
