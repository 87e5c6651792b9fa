// Peers that run WebAssembly in Node, with W in their own words. Neither can say all of it: what is put differently is said in
// `differs`, and the split is their own hash's, so that their answers are checked where a rule decides.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);

/** Both, with W of a hundred flags. */
export async function peers(workload) {
  const { flags } = JSON.parse(await readFile(join(workload, "w100.json"), "utf8"));
  return [await flipt(flags), await devcycle(flags)];
}

async function version(name) {
  const paths = require.resolve.paths(name);
  for (const path of paths) {
    const text = await readFile(join(path, name, "package.json"), "utf8").catch(() => undefined);
    if (text) return JSON.parse(text).version;
  }
  return "?";
}

/** `1.2.3` as a number, for engines that do not know versions. */
const numbered = (text) => text.split(".").reduce((sum, part) => sum * 1_000 + Number(part), 0);

export async function flipt(flags) {
  const name = "@flipt-io/flipt-client-js";
  const { FliptClient } = await import(name);
  const at = "2026-01-01T00:00:00Z";
  const segment = (key, constraints) => ({
    key, name: key, description: "", matchType: "ALL_SEGMENT_MATCH_TYPE", createdAt: at, updatedAt: at, constraints,
  });
  const constraint = (type, property, operator, value) => ({ id: property, type: `${type}_CONSTRAINT_COMPARISON_TYPE`, property, operator, value });
  const state = {
    namespace: { key: "default" },
    flags: flags.map(({ key, variants, segment: shared, countries, minVersion, emailSuffix, split, ruleVariants }) => {
      const tests = [
        [shared ?? `${key}-country`, [constraint("STRING", "country", "isoneof", JSON.stringify(countries))]],
        [`${key}-version`, [constraint("NUMBER", "appVersion", "gte", String(numbered(minVersion)))]],
        [`${key}-email`, [constraint("STRING", "email", "suffix", emailSuffix)]],
        [`${key}-everyone`, []],
      ];
      const distribution = (place, rollout) => ({
        id: `${key}-${place}`, ruleId: key, variantId: variants[place].key, variantKey: variants[place].key,
        variantAttachment: JSON.stringify(variants[place].value), rollout,
      });
      const rules = tests.map(([segmentKey, constraints], rank) => ({
        id: `${key}-${rank}`, rank: rank + 1, segmentOperator: "OR_SEGMENT_OPERATOR", segments: [segment(segmentKey, constraints)],
        distributions: rank < 3 ? [distribution(ruleVariants[rank], 100)] : split.map((share, place) => distribution(place, share)),
      }));
      return { key, name: key, description: "", enabled: true, type: "VARIANT_FLAG_TYPE", createdAt: at, updatedAt: at, rules, rollouts: [] };
    }),
  };
  const answer = async () => new Response(JSON.stringify(state), { headers: { "content-type": "application/json" } });
  const client = await FliptClient.init({ fetcher: answer, updateInterval: 0 });
  const prepare = ({ targetingKey, ...rest }) => {
    const context = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)]));
    context.appVersion = String(numbered(rest.appVersion));
    return { entityId: targetingKey, context };
  };
  const byKey = (prepared, flagKey) => client.evaluateVariant({ flagKey, ...prepared });
  return {
    name: `${name} ${await version(name)}`,
    differs: "versions are numbers that the application makes; values are JSON texts; the split is crc32's",
    keys: flags.map(({ key }) => key),
    prepare,
    byKey,
    oneShot: (attributes, key) => byKey(prepare(attributes), key),
    all: (prepared) => client.evaluateBatch(flags.map(({ key }) => ({ flagKey: key, ...prepared }))),
    value: ({ variantAttachment }) => JSON.parse(variantAttachment),
    close: () => client.close(),
  };
}

export async function devcycle(flags) {
  const name = "@devcycle/bucketing-assembly-script";
  const { instantiate } = require(name);
  const wasm = await instantiate();
  const types = { boolean: ["Boolean", 0], number: ["Number", 1], string: ["String", 2], json: ["JSON", 3] };
  const id = (number, kind) => (0x6000_0000_0000 * 16 + kind * 0x1_0000 + number).toString(16).padStart(24, "0").slice(-24);
  const filter = (subType, comparator, values) => ({ type: "user", subType, comparator, values });
  const config = {
    project: { _id: id(0, 1), key: "w", a0_organization: "org_w", settings: { edgeDB: { enabled: false }, disablePassthroughRollouts: false } },
    environment: { _id: id(0, 2), key: "w" },
    audiences: {},
    features: flags.map(({ key, variants, countries, minVersion, emailSuffix, split, ruleVariants }, number) => {
      const variation = (place) => id(number * 4 + place, 4);
      const target = (place, filters, distribution) => ({
        _id: id(number * 4 + place, 5), _audience: { _id: id(number * 4 + place, 6), filters: { filters, operator: "and" } }, distribution,
      });
      const only = (place) => [{ _variation: variation(ruleVariants[place]), percentage: 1 }];
      return {
        _id: id(number, 3), type: "release", key, settings: {},
        configuration: {
          _id: id(number, 7),
          targets: [
            target(0, [filter("country", "=", countries)], only(0)),
            target(1, [filter("appVersion", ">=", [minVersion])], only(1)),
            target(2, [filter("email", "endWith", [emailSuffix])], only(2)),
            target(3, [{ type: "all" }], split.map((share, place) => ({ _variation: variation(place), percentage: share / 100 }))),
          ],
        },
        variations: variants.map(({ key: name, value }, place) => ({
          _id: variation(place), name, key: name,
          variables: [{ _var: id(number, 8), value: value !== null && typeof value === "object" ? JSON.stringify(value) : value }],
        })),
      };
    }),
    variables: flags.map(({ key, type }, number) => ({ _id: id(number, 8), type: types[type][0], key })),
    variableHashes: {},
  };
  wasm.setPlatformData(JSON.stringify({ platform: "NodeJS", platformVersion: process.versions.node, sdkType: "server", sdkVersion: "1.0.0", hostname: "bench" }));
  wasm.setConfigData("w", JSON.stringify(config));
  const kinds = new Map(flags.map(({ key, type }) => [key, types[type][1]]));
  const prepare = ({ targetingKey, email, country, appVersion, ...rest }) => JSON.stringify({
    user_id: targetingKey, email, country, appVersion, customData: { plan: rest.plan, platform: rest.platform, age: rest.age, consented: rest.consented },
  });
  const byKey = (user, key) => JSON.parse(wasm.variableForUser("w", user, key, kinds.get(key), false));
  return {
    name: `${name} ${await version(name)}`,
    differs: "the prepared context is its JSON text; the split is murmur3's of another seed",
    keys: flags.map(({ key }) => key),
    prepare,
    byKey,
    oneShot: (attributes, key) => byKey(prepare(attributes), key),
    all: (user) => JSON.parse(wasm.generateBucketedConfigForUser("w", user)),
    value: ({ value, type }) => (type === "JSON" && typeof value === "string" ? JSON.parse(value) : value),
    close() {},
  };
}
