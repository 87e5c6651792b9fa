// The core module by its flat ABI, through the example host: every shared vector, byte for byte, by the readable door and,
// decision by decision, by the fast ones.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Flagstone } from "./host.mjs";

const target = join(dirname(fileURLToPath(import.meta.url)), "../../target");
const fixtures = process.env.FIXTURES ?? join(target, "fixtures");
const module = await WebAssembly.compile(await readFile(process.env.CORE ?? join(target, "guest/flagstone.core.wasm")));
assert.deepEqual(WebAssembly.Module.imports(module), []);

// The page that shows it promises a host in a hundred lines.
const lines = (await readFile(new URL("host.mjs", import.meta.url), "utf8")).trimEnd().split("\n").length;
assert.ok(lines <= 100, `the example has ${lines} lines`);

let asked = 0;
for (const name of JSON.parse(await readFile(join(fixtures, "index.json"), "utf8")).vectors) {
  const file = (path) => readFile(join(fixtures, name, path));
  const { policy, pulses, cases } = JSON.parse(await file("cases.json"));
  const [trust, sealed] = [await file("trust.txt"), await file("flags.sealed")];
  for (const number of [null, ...pulses.keys()]) {
    const engine = new Flagstone(module, trust, sealed, policy);
    if (number !== null) {
      const now = pulses[number].now;
      assert.ok(engine.pulse(await file(`pulse-${number}.txt`), now) > now);
    }
    for (const { name: title, context, flag, now, expect } of cases.filter(({ pulse }) => pulse === number)) {
      const json = JSON.stringify(context);
      assert.equal(engine.decision(json, flag, now), expect, title);
      const handle = engine.context(json);
      const [all, read, index] = [engine.evaluateAll(handle, now), JSON.parse(expect), engine.find(flag)];
      if (index !== undefined) {
        const packed = engine.evaluate(handle, index, now);
        assert.equal(packed, all[index], title);
        assert.equal((packed & 0xffffn) === 0xffffn, read.variant === null, title);
        assert.equal(Number((packed >> 48n) & 0xffn), read.stage?.index ?? 255, title);
        assert.equal(Number(packed >> 56n), read.cohort?.index ?? 255, title);
        if (typeof context.targetingKey === "string" && Object.keys(context).length === 1) {
          const attributes = targetingKey(context.targetingKey);
          assert.equal(engine.decideAttributes(attributes, index, now), packed, title);
          const kept = engine.context(attributes, "attributes");
          assert.equal(engine.evaluate(kept, index, now), packed, title);
          engine.drop(kept);
        }
      }
      engine.drop(handle);
      asked += 1;
    }
    assert.throws(() => engine.context(new Uint8Array([1, 0, 0, 0, 99]), "attributes"), { code: "context-value" });
    assert.equal(Number((engine.decideAttributes(new Uint8Array(), 0, 1) >> 16n) & 0xffffn), 0x0406, "ERROR, GENERAL");
    assert.throws(() => engine.pulse(new Uint8Array([1]), 1), { code: "bad-note" });
  }
}

/** Attributes by position: one of them, at position 0, a text. */
function targetingKey(text) {
  const utf8 = new TextEncoder().encode(text);
  const length = utf8.length;
  return new Uint8Array([1, 0, 0, 0, 6, length, length >> 8, length >> 16, length >> 24, ...utf8]);
}
console.log(`ok: the core module's flat ABI: ${asked} cases`);
