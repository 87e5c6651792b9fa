// The component through jco: conformance only. Its glue is not the fast path (docs/javascript.md), so nothing is timed.
//   node jco.mjs FIXTURES PACKAGE/dist COMPONENT
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

const [fixtures, , component] = process.argv.slice(2);
const modules = fileURLToPath(new URL("../node_modules", import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "flagstone-jco-"));
const read = (path) => readFile(join(fixtures, path));
const json = async (path) => JSON.parse(await read(path));
const failed = [];
let passed = 0;
const lines = { answers: [], explained: [] };
const same = (title, told, wanted) => (told === wanted ? (passed += 1) : failed.push(`${title}: ${told} instead of ${wanted}`));

try {
  const arguments_ = ["transpile", component, "-o", folder, "--name", "flagstone", "--no-nodejs-compat", "--instantiation", "sync", "--quiet"];
  execFileSync(join(modules, ".bin/jco"), arguments_, { stdio: ["ignore", "ignore", "inherit"] });
  const { instantiate } = await import(pathToFileURL(join(folder, "flagstone.js")));
  const core = await WebAssembly.compile(await readFile(join(folder, "flagstone.core.wasm")));
  /** A new instance: one holds one snapshot. */
  const opened = async (trust, file, policy) => {
    const { evaluator } = instantiate(() => core, {});
    const { mark, now, audience, environment } = policy;
    const digest = mark && Uint8Array.from(mark.digest.match(/../g), (pair) => parseInt(pair, 16));
    const known = mark && { epoch: BigInt(mark.epoch), sequence: BigInt(mark.sequence), digest };
    evaluator.open(String(await read(trust)), new Uint8Array(await read(file)), { audience, environment, now: BigInt(now), mark: known });
    return evaluator;
  };
  for (const name of (await json("index.json")).vectors) await vectors(name, opened);
  await refusals(opened);
  const hash = (kind) => createHash("sha256").update(lines[kind].map((line) => `${line}\n`).join("")).digest("hex");
  const { version } = JSON.parse(await readFile(join(modules, "@bytecodealliance/jco/package.json"), "utf8"));
  console.log(JSON.stringify({
    runtime: "jco", version, build: "component", artefactBytes: (await stat(component)).size, vectors: { passed, failed },
    answers: hash("answers"), explained: hash("explained"),
  }));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function vectors(name, opened) {
  const { policy, pulses, cases } = await json(`${name}/cases.json`);
  const told = new Map();
  for (const number of [null, ...pulses.keys()]) {
    const engine = await opened(`${name}/trust.txt`, `${name}/flags.sealed`, policy);
    if (number !== null) engine.pulse(new Uint8Array(await read(`${name}/pulse-${number}.txt`)), BigInt(pulses[number].now));
    for (const one of cases.filter(({ pulse }) => pulse === number)) {
      const [context, now] = [JSON.stringify(one.context), BigInt(one.now)];
      const answer = [engine.decision(context, one.flag, now), engine.explain(context, one.flag, now)];
      same(one.name, answer[0], one.expect);
      same(`explain: ${one.name}`, answer[1], one.explain);
      told.set(one.name, answer);
      const index = engine.find(one.flag);
      if (index === undefined) continue;
      const handle = engine.contextJson(context);
      same(`packed: ${one.name}`, BigInt.asUintN(64, engine.evaluate(handle, index, now)).toString(16).padStart(16, "0"), one.packed);
      engine.dropContext(handle);
    }
  }
  for (const { name: title } of cases) {
    lines.answers.push(told.get(title)[0]);
    lines.explained.push(told.get(title)[1]);
  }
}

async function refusals(opened) {
  const { cases, pulses } = await json("refused/cases.json");
  const attempt = async (run, otherwise) => {
    try {
      await run();
      return otherwise;
    } catch (error) {
      return error.payload?.code ?? String(error);
    }
  };
  for (const { name, file, trust, policy, code } of cases) {
    const told = await attempt(() => opened(`refused/${trust}`, `refused/${file}`, policy), "opens");
    same(name, told, code ?? "opens");
    lines.answers.push(told);
  }
  const engine = await opened(`refused/${cases[0].trust}`, `refused/${cases[0].file}`, cases[0].policy);
  for (const { file, now, code } of pulses) {
    const note = new Uint8Array(await read(`refused/${file}`));
    const told = await attempt(() => engine.pulse(note, BigInt(now)), "taken");
    same(file, told, code ?? "taken");
    lines.answers.push(told);
  }
}
