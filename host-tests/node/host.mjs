// Flagstone in a runtime without components: the core module by its flat ABI (docs/core-abi.md), in plain JavaScript.
// node host.mjs CORE.wasm TRUST FILE AUDIENCE ENVIRONMENT FLAG CONTEXT-JSON
import { readFile } from "node:fs/promises";

const PREFIX = "flagstone:flags/evaluator@0.1.0#";
const REASONS = ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "STALE", "ERROR"];
const seconds = () => BigInt(Math.floor(Date.now() / 1000));
/** One instance of the module, which holds one opened snapshot. For a newer one make a new instance. */
export class Flagstone {
  /** `module`: a WebAssembly.Module. It imports nothing. Throws an Error with a `code` when the file is refused. */
  constructor(module, trust, file, { audience, environment, now = seconds() }) {
    this.wasm = new WebAssembly.Instance(module, {}).exports;
    const noMark = [0, 0n, 0n, 0, 0]; // an option: none, then the place of a mark's fields
    this.info = this.call("open", [trust, file, audience, environment, BigInt(now), ...noMark], (at) => {
      this.fail(at, 8);
      return { epoch: this.long(at + 8), sequence: this.long(at + 16), flags: this.word(at + 56) };
    });
  }

  /** Verifies a pulse and lets it replace the one before; returns the end of its lease. */
  pulse(note, now = seconds()) {
    return this.call("pulse", [note, BigInt(now)], (at) => this.fail(at, 8) ?? this.long(at + 24));
  }

  /** A flag's index, undefined when there is none. */
  find(key) {
    return this.call("find", [key], (at) => (this.byte(at) ? this.word(at + 4) : undefined));
  }

  /** Takes a context in, by one of the three doors: `json` (text), `packed` or `attributes` (bytes). */
  context(content, door = "json") {
    return this.call(`context-${door}`, [content], (at) => this.fail(at, 4) ?? this.word(at + 4));
  }

  /** Frees a context. */
  drop(context) {
    this.call("drop-context", [context]);
  }

  /** One flag for a context that was taken in: a packed decision. */
  evaluate(context, flag, now = seconds()) {
    return BigInt.asUintN(64, this.call("evaluate", [context, flag, BigInt(now)]));
  }

  /** One flag for attributes by position that are not kept: a packed decision. */
  decideAttributes(bytes, flag, now = seconds()) {
    return BigInt.asUintN(64, this.call("decide-attributes", [bytes, flag, BigInt(now)]));
  }

  /** All flags in index order: packed decisions. */
  evaluateAll(context, now = seconds()) {
    return this.call("evaluate-all", [context, BigInt(now)], (at) => new BigUint64Array(this.bytes(at).buffer));
  }

  /** The readable door: the canonical decision text. */
  decision(json, key, now = seconds()) {
    return this.call("decision", [json, key, BigInt(now)], (at) => this.text(at));
  }

  /** Calls a function. With `read` the result is in memory: it is read there, and then given back to be freed. */
  call(name, values, read) {
    const result = this.wasm[PREFIX + name](...values.flatMap((value) => this.lower(value)));
    if (!read) return result;
    try {
      return read(result);
    } finally {
      this.wasm[`cabi_post_${PREFIX}${name}`]?.(result);
    }
  }

  /** Texts and bytes go over as pointer and length, and are the callee's from then on. */
  lower(value) {
    if (typeof value === "number" || typeof value === "bigint") return [value];
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    const at = this.wasm.cabi_realloc(0, 0, 1, bytes.length);
    new Uint8Array(this.wasm.memory.buffer, at, bytes.length).set(bytes);
    return [at, bytes.length];
  }

  /** Throws what a `result` holds when it is an error: two texts, at the payload's alignment. */
  fail(at, alignment) {
    if (this.byte(at) === 0) return;
    throw Object.assign(new Error(this.text(at + alignment + 8)), { code: this.text(at + alignment) });
  }

  byte(at) { return new DataView(this.wasm.memory.buffer).getUint8(at); }
  word(at) { return new DataView(this.wasm.memory.buffer).getUint32(at, true); }
  long(at) { return new DataView(this.wasm.memory.buffer).getBigUint64(at, true); }
  bytes(at) { return new Uint8Array(this.wasm.memory.buffer.slice(this.word(at), this.word(at) + this.word(at + 4))); }
  text(at) { return new TextDecoder().decode(this.bytes(at)); }
}

if (process.argv.length > 8) {
  const [core, trust, file] = await Promise.all(process.argv.slice(2, 5).map((path) => readFile(path)));
  const [audience, environment, flag, json] = process.argv.slice(5);
  const flagstone = new Flagstone(await WebAssembly.compile(core), trust, file, { audience, environment });
  const packed = flagstone.evaluate(flagstone.context(json), flagstone.find(flag) ?? 0xffffffff);
  console.log(`variant ${packed & 0xffffn}, ${REASONS[Number((packed >> 16n) & 0xffn)]}`);
  console.log(flagstone.decision(json, flag));
}
