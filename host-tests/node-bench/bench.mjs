// The Node half of `cargo xtask bench`. Checks every answer, times both engines in one process, starts fresh
// processes for cold starts; the last line of standard output is JSON.
//   node bench.mjs WORKLOAD FIXTURES BROWSER_BUILD [--quick]
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { check, expectations } from "./check.mjs";
import { flagdCore, flagstone } from "./engines.mjs";
import { quantile, run } from "./measure.mjs";
import { murmur3, schedule } from "./schedule.mjs";

const [workload, fixtures, build] = process.argv.slice(2);
const quick = process.argv.includes("--quick");
const folder = dirname(fileURLToPath(import.meta.url));
const text = (name) => readFile(join(workload, name), "utf8");
const [small, large] = [await text("flagd100.json"), await text("flagd5000.json")];
const contexts = JSON.parse(await text("contexts.json"));
const expected = await readFile(join(workload, "expected-rule.bin"));

console.error("bench: checking every answer in Node");
const ours = [await flagstone(build, fixtures, "w100.sealed"), await flagstone(build, fixtures, "w5000.sealed")];
const theirs = [flagdCore(small), flagdCore(large)];
const { version } = JSON.parse(await readFile(createRequire(import.meta.url)
  .resolve("@openfeature/flagd-core").replace(/index\..*$/, "package.json"), "utf8"));
for (const engine of theirs) engine.name += ` ${version}`;
const split = expectations(small, contexts, expected);
const checked = [ours[0], theirs[0]].map((engine) => [engine.name, check(engine, contexts, split)]);

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
console.error(`bench: timing ${cases.length} cases in Node`);
const rows = run(cases, { rounds: quick ? 5 : 21, length: 15 });

console.error("bench: cold starts, each in a fresh process");
for (const [engine, which] of [[ours[0], "flagstone"], [theirs[0], "flagd-core"]]) {
  const starts = [];
  for (let start = 0; start < (quick ? 3 : 11); start++) {
    const arguments_ = [join(folder, "cold.mjs"), which, workload, fixtures, build];
    starts.push(Number(execFileSync(process.execPath, arguments_, { encoding: "utf8" })) * 1e6);
  }
  rows.push({ engine: engine.name, task: "cold-start", p50Ns: quantile(starts, 0.5), p99Ns: quantile(starts, 0.99) });
}
console.log(JSON.stringify({ rows, checked, missing: [] }));
