// One cold start: prints the milliseconds from before the import to the first value.
//   node cold.mjs flagstone|flagd-core|flipt|devcycle WORKLOAD FIXTURES BROWSER_BUILD
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const [which, workload, fixtures, build] = process.argv.slice(2);
const [first] = JSON.parse(await readFile(join(workload, "contexts.json"), "utf8"));
const definition = await readFile(join(workload, "flagd100.json"), "utf8");
const { flagdCore, flagstone } = await import("./engines.mjs");
const { devcycle, flipt } = await import("./peers.mjs");
const { flags } = JSON.parse(await readFile(join(workload, "w100.json"), "utf8"));
const opening = {
  flagstone: () => flagstone(build, fixtures, "w100.sealed"), "flagd-core": () => flagdCore(definition),
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
