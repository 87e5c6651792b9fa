// The core module by its flat ABI (docs/engine.md), without any tool: what a runtime without components does.
// Every shared vector, byte for byte, by the readable door and, decision by decision, by the fast one.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const target = join(dirname(fileURLToPath(import.meta.url)), "../../target");
const fixtures = process.env.FIXTURES ?? join(target, "fixtures");
const wasm = await WebAssembly.compile(await readFile(process.env.CORE ?? join(target, "guest/flagstone.core.wasm")));
assert.deepEqual(WebAssembly.Module.imports(wasm), []);

/** One instance: `call(name, ...arguments)` with numbers, bigints, texts and bytes. */
async function instance() {
  const { exports } = await WebAssembly.instantiate(wasm, {});
  const name = (short) => `flagstone:flags/evaluator@0.1.0#${short}`;
  const view = () => new DataView(exports.memory.buffer);
  const bytesAt = (at) => {
    const [start, length] = [view().getUint32(at, true), view().getUint32(at + 4, true)];
    return exports.memory.buffer.slice(start, start + length);
  };
  const flat = (value) => {
    if (typeof value === "number" || typeof value === "bigint") return [value];
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    const at = exports.cabi_realloc(0, 0, 1, bytes.length);
    new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
    return [at, bytes.length];
  };
  const call = (short, ...values) => exports[name(short)](...values.flatMap(flat));
  /** Calls, reads the result in memory with `read`, and frees it. */
  const read = (short, reader, ...values) => {
    const at = call(short, ...values);
    const result = reader(at);
    exports[`cabi_post_${name(short)}`](at);
    return result;
  };
  return {
    call,
    text: (short, ...values) => read(short, (at) => new TextDecoder().decode(bytesAt(at)), ...values),
    bytes: (short, ...values) => read(short, bytesAt, ...values),
    result: (short, ...values) => read(short, (at) => view().getUint8(at) === 0, ...values),
    /** The number of an `option` (present: 1) or a `result` (present: 0), else undefined. */
    number: (short, present, ...values) => {
      const at = call(short, ...values);
      return view().getUint8(at) === present ? view().getUint32(at + 4, true) : undefined;
    },
  };
}

let asked = 0;
for (const name of JSON.parse(await readFile(join(fixtures, "index.json"), "utf8")).vectors) {
  const file = (path) => readFile(join(fixtures, name, path));
  const { policy, pulses, cases } = JSON.parse(await file("cases.json"));
  const [trust, sealed] = [await file("trust.txt"), await file("flags.sealed")];
  for (const number of [null, ...pulses.keys()]) {
    const engine = await instance();
    const { audience, environment, now } = policy;
    const noMark = [0, 0n, 0n, 0, 0]; // option: none, then the place of a mark
    assert.ok(engine.result("open", trust, sealed, audience, environment, BigInt(now), ...noMark));
    if (number !== null) {
      assert.ok(engine.result("pulse", await file(`pulse-${number}.txt`), BigInt(pulses[number].now)));
    }
    for (const { name: title, context, flag, now: at, expect } of cases.filter(({ pulse }) => pulse === number)) {
      const json = JSON.stringify(context);
      assert.equal(engine.text("decision", json, flag, BigInt(at)), expect, title);
      const handle = engine.number("context-json", 0, json);
      const [all, read] = [new DataView(engine.bytes("evaluate-all", handle, BigInt(at))), JSON.parse(expect)];
      const index = engine.number("find", 1, flag);
      if (index !== undefined) {
        const packed = BigInt.asUintN(64, engine.call("evaluate", handle, index, BigInt(at)));
        assert.equal(packed, all.getBigUint64(index * 8, true), title);
        assert.equal((packed & 0xffffn) === 0xffffn, read.variant === null, title);
        assert.equal(Number((packed >> 48n) & 0xffn), read.stage?.index ?? 255, title);
        assert.equal(Number(packed >> 56n), read.cohort?.index ?? 255, title);
      }
      engine.call("drop-context", handle);
      asked += 1;
    }
  }
}
console.log(`ok: the core module's flat ABI: ${asked} cases`);
