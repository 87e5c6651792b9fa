// One cold start: prints the milliseconds from before the import of an engine to its first value. The flags lie in memory, in each engine's own
// form; an engine's own files are read by the clock.
//   node cold.mjs flagstone|flagd-core|flipt|devcycle WORKLOAD FIXTURES BROWSER_BUILD
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const [which, workload, fixtures, build] = process.argv.slice(2);
const [first] = JSON.parse(await readFile(join(workload, "contexts.json"), "utf8"));
const definition = await readFile(join(workload, "flagd100.json"), "utf8");
const { flagdCore, flagstone, sealed } = await import("./engines.mjs");
const { devcycle, flipt } = await import("./peers.mjs");
const { flags } = JSON.parse(await readFile(join(workload, "w100.json"), "utf8"));
const ours = await sealed(fixtures, "w100.sealed");
const opening = {
  flagstone: () => flagstone(build, ours), "flagd-core": () => flagdCore(definition),
  flipt: () => flipt(flags), devcycle: () => devcycle(flags),
};

const start = performance.now();
const engine = await opening[which]();
const answer = engine.byKey(engine.prepare(first), "flag-0000-rollout");
const took = performance.now() - start;
const value = engine.value ? engine.value(answer) : answer.value;
engine.close?.();
if (typeof value !== "boolean") throw new Error(`${which} answers ${value}`);
console.log(took);
