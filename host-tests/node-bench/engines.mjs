// The calls that are timed, by engine: everything the bench knows of `flagstone.js` and of flagd-core is here.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const quiet = { error() {}, warn() {}, info() {}, debug() {} };

/** A sealed W with what opens it: what others get as a definition in memory. */
export async function sealed(fixtures, name) {
  const read = (name) => readFile(join(fixtures, name), "utf8");
  return { trust: await read("trust.txt"), policy: JSON.parse(await read("policy.json")), file: new Uint8Array(await readFile(join(fixtures, name))) };
}

/** The shipped build (docs/engine.md, "In JavaScript"), loaded as its readers load it. */
export async function flagstone(build, { trust, policy, file }) {
  const { Flagstone, load } = await import(pathToFileURL(join(build, "flagstone.js")));
  await load();
  const flags = new Flagstone(trust, file, policy);
  const { now } = policy;
  return {
    name: "flagstone.js",
    flagd: true,
    keys: flags.flags.map(({ key }) => key),
    prepare: (attributes) => flags.context(attributes),
    byKey: (context, key) => flags.decide(context, key, now),
    byIndex: (context, index) => flags.decide(context, index, now),
    oneShot: (attributes, key) => flags.decideOnce(attributes, key, now),
    // One call; the decisions are read when they are asked for.
    allLazily: (context) => flags.decideAll(context, now),
    // The same, every decision read.
    all(context) {
      const decisions = flags.decideAll(context, now);
      const read = [];
      for (let index = 0; index < flags.flags.length; index++) read.push(decisions.get(index));
      return read;
    },
    open: () => new Flagstone(trust, file, policy).free(),
  };
}

/** flagd's own evaluator in plain JavaScript, with the same definition as text. */
export function flagdCore(definition) {
  const { FlagdCore } = createRequire(import.meta.url)("@openfeature/flagd-core");
  const make = () => {
    const core = new FlagdCore(undefined, quiet);
    core.setConfigurations(definition);
    return core;
  };
  const core = make();
  const types = new Map();
  for (const [key, { variants }] of Object.entries(JSON.parse(definition).flags)) types.set(key, typeof variants.v0);
  const keys = [...types.keys()].sort();
  const fallback = { boolean: false, string: "", number: 0, object: {} };
  return {
    name: "@openfeature/flagd-core",
    flagd: true,
    keys,
    prepare: (attributes) => attributes,
    byKey(attributes, key) {
      const type = types.get(key);
      return core.resolve(type, key, fallback[type], attributes, quiet);
    },
    all: (attributes) => core.resolveAll(attributes, quiet),
    open: make,
  };
}
