// The runner for runtimes with a file system and modules of their own: Node, Deno, Bun. Prints the row of docs/embedders.md.
import { readFile, stat } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import process from "node:process";
import { answers, explanations } from "./suite.mjs";
import { loops, swaps, time, workload } from "./measure.mjs";

const here = new URL(".", import.meta.url);

/** Where the fixtures and the built package are: arguments of every runner, in this order. */
export function places() {
  const [fixtures, built] = process.argv.slice(2).filter((word) => word !== "cold");
  const target = new URL("../../", here);
  return {
    fixtures: fixtures ?? new URL("target/fixtures", target).pathname,
    built: built ?? new URL("providers/js/dist", target).pathname,
  };
}

/** `again`: the command that starts this runtime with a file, for cold starts. */
export async function run(runtime, version, again) {
  const { fixtures, built } = places();
  const read = async (path) => new Uint8Array(await readFile(join(fixtures, path)));
  if (process.argv.includes("cold")) return console.log(await cold(built, read));
  const engine = await import(pathToFileURL(join(built, "index.js")));
  // Not `load`: this runner looks at the memory.
  const wasm = await WebAssembly.instantiate(await readFile(join(built, "flagstone_bg.wasm")), {});
  engine.adopt(wasm.instance.exports);
  const { memory } = wasm.instance.exports;
  const told = await answers(engine, read);
  const row = { runtime, version, build: "evaluator", artefactBytes: (await stat(join(built, "flagstone_bg.wasm"))).size };
  const w = await workload(engine, read);
  if (w) {
    const flags = w.open();
    row.memoryBytes = memory.buffer.byteLength;
    const { one, all } = loops(flags, w.policy.now);
    Object.assign(row, { decisionNs: time(one), allNs: time(all) });
    flags.free();
    row.swaps = swaps(w.open, memory, w.policy.now);
    const starts = Array.from({ length: 5 }, () => {
      const [program, ...rest] = again;
      return Number(execFileSync(program, [...rest, fixtures, built, "cold"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
    });
    row.coldStartMs = Math.min(...starts);
  }
  const tools = await import(pathToFileURL(join(built, "tools.js")));
  await tools.load(await readFile(join(built, "flagstone-tools_bg.wasm")));
  const explained = await explanations(tools, read);
  row.vectors = { passed: told.passed + explained.passed, failed: [...told.failed, ...explained.failed] };
  Object.assign(row, { answers: told.digest, explained: explained.digest });
  console.log(JSON.stringify(row));
}

/** Milliseconds from before the import to the first value of W. */
async function cold(built, read) {
  const [trust, sealed, policy] = [await read("w100/trust.txt"), await read("w100/flags.sealed"), await read("w100/policy.json")];
  const start = performance.now();
  const { Flagstone, load } = await import(pathToFileURL(join(built, "index.js")));
  await load();
  const { now, ...rest } = JSON.parse(new TextDecoder().decode(policy));
  const flags = new Flagstone(new TextDecoder().decode(trust), sealed, { now, ...rest });
  const { reason } = flags.decideOnce({ targetingKey: "ana", country: "de" }, flags.flags[0].key, now);
  const took = performance.now() - start;
  if (reason === "ERROR") throw new Error("the first decision is an error");
  return took;
}
