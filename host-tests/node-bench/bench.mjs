// The Node half of `cargo xtask bench`. Checks every answer, times all engines and OpenFeature's providers in one process, starts
// fresh processes for cold starts; the last line of standard output is JSON.
//   node bench.mjs WORKLOAD FIXTURES BROWSER_BUILD PACKAGE/dist [--quick]
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { check, checkRules, expectations } from "./check.mjs";
import { flagdCore, flagstone, sealed } from "./engines.mjs";
import { quantile, run, runLater } from "./measure.mjs";
import { peers } from "./peers.mjs";
import { providers } from "./providers.mjs";
import { murmur3, schedule } from "./schedule.mjs";

const [workload, fixtures, build, built] = process.argv.slice(2, 6).map((path) => resolve(path));
const quick = process.argv.includes("--quick");
const folder = dirname(fileURLToPath(import.meta.url));
const text = (name) => readFile(join(workload, name), "utf8");
const [small, large] = [await text("flagd100.json"), await text("flagd5000.json")];
const contexts = JSON.parse(await text("contexts.json"));
const expected = await readFile(join(workload, "expected-rule.bin"));

console.error("bench: checking every answer in Node");
const opened = async (name) => flagstone(build, await sealed(fixtures, name));
const ours = [await opened("w100.sealed"), await opened("w5000.sealed")];
const theirs = [flagdCore(small), flagdCore(large)];
const { version } = JSON.parse(await readFile(createRequire(import.meta.url)
  .resolve("@openfeature/flagd-core").replace(/index\..*$/, "package.json"), "utf8"));
for (const engine of theirs) engine.name += ` ${version}`;
const split = expectations(small, contexts, expected);
const checked = [ours[0], theirs[0]].map((engine) => [engine.name, check(engine, contexts, split)]);
const wasm = await peers(workload);
for (const engine of wasm) {
  const [asked, ruled] = checkRules(engine, contexts.slice(0, 200), small, expected);
  checked.push([engine.name, asked]);
  console.error(`bench: ${engine.name}: ${ruled} of ${asked} decided by a rule; ${engine.differs}`);
}

const key = "flag-0042-rolloutuser-000000-fdec65fe-5e";
const cases = [{ engine: "murmur3 in JavaScript", task: "reference", call: () => murmur3(key, 0) }];
for (const [engine, larger] of [ours, theirs]) {
  const prepared = contexts.map(engine.prepare);
  const add = (task, call) => cases.push({ engine: engine.name, task, call });
  const keyed = (one, prepared) => {
    const next = schedule(contexts.length, one.keys.length);
    return () => { const [context, flag] = next(); return one.byKey(prepared[context], one.keys[flag]); };
  };
  add("one-flag-by-key", keyed(engine, prepared));
  if (engine.byIndex) {
    const next = schedule(contexts.length, 100);
    add("one-flag", () => { const [context, flag] = next(); return engine.byIndex(prepared[context], flag); });
  }
  add("one-flag-by-key-of-5000", keyed(larger, contexts.map(larger.prepare)));
  const shot = schedule(contexts.length, 100);
  const once = engine.oneShot ?? engine.byKey;
  add("one-shot", () => { const [, flag] = shot(); return once(contexts[shot.fresh()], engine.keys[flag]); });
  const every = schedule(contexts.length, 1);
  add("all-100", () => engine.all(prepared[every.fresh()]));
  if (engine.allLazily) {
    const lazily = schedule(contexts.length, 1);
    add("all-100-lazily", () => engine.allLazily(prepared[lazily.fresh()]));
  }
  add("load-5000", larger.open);
}
for (const engine of wasm) {
  const prepared = contexts.map(engine.prepare);
  const [next, shot, every] = [schedule(contexts.length, 100), schedule(contexts.length, 100), schedule(contexts.length, 1)];
  const add = (task, call) => cases.push({ engine: engine.name, task, call });
  add("one-flag-by-key", () => { const [context, flag] = next(); return engine.byKey(prepared[context], engine.keys[flag]); });
  add("one-shot", () => { const [, flag] = shot(); return engine.oneShot(contexts[shot.fresh()], engine.keys[flag]); });
  add("all-100", () => engine.all(prepared[every.fresh()]));
}
const openfeature = await providers(built, fixtures, contexts, workload);
cases.push(...openfeature.now);
console.error(`bench: timing ${cases.length + openfeature.later.length} cases in Node`);
const settings = { rounds: quick ? 5 : 21, length: 15 };
const rows = run(cases, settings);
rows.push(...(await runLater({ ...cases[0] }, openfeature.later, settings)));
await openfeature.close();
for (const engine of wasm) engine.close();

console.error("bench: cold starts, each in a fresh process");
for (const [engine, which] of [[ours[0], "flagstone"], [theirs[0], "flagd-core"], [wasm[0], "flipt"], [wasm[1], "devcycle"]]) {
  const starts = [];
  for (let start = 0; start < (quick ? 3 : 11); start++) {
    const arguments_ = [join(folder, "cold.mjs"), which, workload, fixtures, build];
    starts.push(Number(execFileSync(process.execPath, arguments_, { encoding: "utf8" })) * 1e6);
  }
  rows.push({ engine: engine.name, task: "cold-start", p50Ns: quantile(starts, 0.5), leastNs: quantile(starts, 0), p99Ns: quantile(starts, 0.99) });
}
console.log(JSON.stringify({ rows, checked, missing: [] }));
