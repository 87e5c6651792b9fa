// OpenFeature's own features (shared/conformance/openfeature-spec) through both SDKs, over a sealed file with the specification's test
// flags. Says so where the features are not there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as server from "@openfeature/server-sdk";
import * as web from "@openfeature/web-sdk";
import { Live } from "../dist/live.js";
import { FlagstoneProvider } from "../dist/openfeature-server.js";
import { FlagstoneWebProvider } from "../dist/openfeature-web.js";
import { always, bytes, has, settings, shared, until } from "./help.mjs";
import { run, scenarios } from "./gherkin.mjs";

const folder = shared("conformance/openfeature-spec");
const TEXT = '"((?:[^"\\\\]|\\\\.)*)"';
const step = (pattern, action) => [new RegExp(`^${pattern.replaceAll("{text}", TEXT)}$`, "i"), action];
const parse = (type, value) => ({
  boolean: () => value === "true", string: () => value, integer: () => Number(value), float: () => Number(value),
  number: () => Number(value), object: () => JSON.parse(value), null: () => null,
})[value === "null" ? "null" : type.toLowerCase()]();

class ServerSide {
  api = server.OpenFeature;
  Status = server.ServerProviderStatus;
  make = (flags) => new FlagstoneProvider(flags);
  begin() { this.api.setTransactionContextPropagator(new server.AsyncLocalStorageTransactionContextPropagator()); }
  evaluate({ client, kind, key, otherwise, levels = {}, context = {}, options }) {
    const ask = () => client[`get${kind}Details`](key, otherwise, { ...levels.Invocation, ...context }, options);
    return levels.Transaction ? new Promise((resolve, reject) => {
      this.api.setTransactionContext(levels.Transaction, () => ask().then(resolve, reject));
    }) : ask();
  }
  async levels(world) {
    this.api.setContext(world.levels.API ?? {});
    world.client.setContext(world.levels.Client ?? {});
  }
}

/** In a page there is one context, the API's: levels below it do not exist there. */
class WebSide {
  api = web.OpenFeature;
  Status = web.ClientProviderStatus;
  make = (flags) => new FlagstoneWebProvider(flags);
  begin() { return this.api.setContext({}); }
  async evaluate({ client, kind, key, otherwise, context = {}, levels = {}, options }) {
    const next = { ...levels.API, ...context };
    // The SDK takes any change of context for a recovery: only those that are asked for.
    if (Object.keys(next).length > 0) await this.api.setContext(next);
    return client[`get${kind}Details`](key, otherwise, options);
  }
  async levels() {}
}

const kinds = { boolean: "Boolean", string: "String", integer: "Number", float: "Number", object: "Object" };

const STEPS = [
  step("a (stable|stale|error|fatal|not ready) provider", (world, status) => world.provide(status)),
  step("a stable provider with retrievable context is registered", (world) => world.provide("stable")),
  step(`an? (\\w+)-flag with key {text} and a fallback value {text}`, (world, type, key, value) => {
    Object.assign(world, { type, kind: kinds[type.toLowerCase()], key, otherwise: parse(type, value) });
  }),
  step(`a context containing a key {text}, with type {text} and with value {text}`, (world, key, type, value) => {
    world.context[key] = parse(type, value);
  }),
  step(`a context containing a key {text} with null value`, (world, key) => { world.context[key] = null; }),
  step("the flag was evaluated with details(?: asynchronously| using the evaluation options)?", (world) => world.ask()),
  step(`the resolved details value should be {text}`, (world, value) => {
    assert.deepEqual(world.details.value, parse(world.type, value));
  }),
  step(`the reason should be {text}`, (world, reason) => assert.equal(world.details.reason, reason)),
  step(`the error-code should be {text}`, (world, code) => assert.equal(world.details.errorCode, code)),
  step(`the variant should be {text}`, (world, variant) => assert.equal(world.details.variant, variant)),
  step(`the flag key should be {text}`, (world, key) => assert.equal(world.details.flagKey, key)),
  step("the resolved metadata should contain", (world, table) => {
    for (const [key, type, value] of table.slice(1)) assert.deepEqual(world.details.flagMetadata[key], parse(type, value), key);
  }),
  step("the resolved metadata is empty", (world) => assert.deepEqual(world.details.flagMetadata, {})),
  step(`the provider status should be {text}`, (world, status) => (
    until(() => world.client.providerStatus === status, `${world.client.providerStatus} to become ${status}`)
  )),
  step("a client with added hook", (world) => world.client.addHooks(world.hook())),
  step(`the {text} hook should have been executed`, (world, name) => assert.ok(world.calls.some((call) => call.name === name))),
  step(`the {text} hooks should be called with evaluation details`, (world, names, table) => {
    for (const name of names.split(", ")) {
      const { details } = world.calls.find((call) => call.name === name);
      const member = { flag_key: "flagKey", value: "value", variant: "variant", reason: "reason", error_code: "errorCode" };
      for (const [type, key, value] of table.slice(1)) assert.deepEqual(details[member[key]] ?? null, parse(type, value), `${name}: ${key}`);
    }
  }),
  step("evaluation options containing specific hooks", (world) => {
    world.client.addHooks(world.hook("client"));
    world.options = { hooks: [world.hook("invocation")] };
  }),
  step("the specified hooks should execute during evaluation", (world) => {
    for (const name of ["before", "after", "finally"]) assert.ok(world.calls.some((call) => call.name === name && call.whose === "invocation"));
  }),
  step("the hook order should be maintained", (world) => {
    const order = (name) => world.calls.filter((call) => call.name === name).map(({ whose }) => whose);
    assert.deepEqual(order("before"), ["client", "invocation"]);
    assert.deepEqual(order("after"), ["invocation", "client"]);
  }),
  step("an evaluation context with modifiable data", (world) => {
    world.context = { targetingKey: "ana", list: [1, 2], nested: { one: 1 } };
    world.copy = structuredClone(world.context);
  }),
  step("the original evaluation context should remain unmodified", (world) => assert.deepEqual(world.context, world.copy)),
  step("the evaluation details should be immutable", (world) => assert.ok(Object.isFrozen(world.details.flagMetadata))),
  step("the evaluation should complete without blocking", (world) => assert.ok(world.details)),
  // contextMerging.feature
  step(`A context entry with key {text} and value {text} is added to the {text} level`, (world, key, value, level) => world.enter(level, key, value)),
  step("A table with levels of increasing precedence", (world, table) => { world.order = table.map(([level]) => level); }),
  step(`Context entries for each level from API level down to the {text} level, with key {text} and value {text}`, (world, last, key) => {
    for (const level of world.order.slice(0, world.order.indexOf(last) + 1)) world.enter(level, key, level);
  }),
  step("Some flag was evaluated", async (world) => {
    Object.assign(world, { kind: "Boolean", key: "boolean-flag", otherwise: false });
    await world.side.levels(world);
    await world.ask();
  }),
  step(`The merged context contains an entry with key {text} and value {text}`, (world, key, value) => assert.equal(world.seen[key], value)),
  // evaluation.feature, the older one
  step(`an? (boolean|string|integer|float) flag with key {text} is evaluated with (?:details and )?default value (.*)`, (world, type, key, value) => (
    world.askFor(type, key, parse(type, value.replace(/^"|"$/g, "")))
  )),
  step(`an object flag with key {text} is evaluated with (?:details and )?a null default value`, (world, key) => world.askFor("object", key, null)),
  step(`the resolved (boolean|string|integer|float) (?:details )?value should be ([^,]+)`, (world, type, value) => world.is(type, value)),
  step(`the resolved (boolean|string|integer|float) details value should be ([^,]+), the variant should be {text}, and the reason should be {text}`,
    (world, type, value, variant, reason) => {
      world.is(type, value);
      assert.deepEqual([world.details.variant, world.details.reason], [variant, reason]);
    }),
  step(`the resolved object (?:details )?value should be contain fields {text}, {text}, and {text}, with values {text}, {text} and (\\d+), respectively`,
    (world, one, two, three, first, second, third) => {
      const { value } = world.details;
      assert.deepEqual([value[one], value[two], value[three]], [first === "true", second, Number(third)]);
    }),
  step(`the variant should be {text}, and the reason should be {text}`, (world, variant, reason) => {
    assert.deepEqual([world.details.variant, world.details.reason], [variant, reason]);
  }),
  step(`a non-existent string flag with key {text} is evaluated with details and a fallback value {text}`, (world, key, value) => (
    world.askFor("string", key, value)
  )),
  step(`a string flag with key {text} is evaluated as an integer, with details and a fallback value (\\d+)`, (world, key, value) => (
    world.askFor("integer", key, Number(value))
  )),
  step(`context contains keys {text}, {text}, {text}, {text} with values {text}, {text}, (\\d+), {text}`, (world, ...words) => {
    const [one, two, three, four, first, second, third, fourth] = words;
    world.context = { [one]: first, [two]: second, [three]: Number(third), [four]: fourth === "true" };
  }),
  step(`a flag with key {text} is evaluated with default value {text}`, (world, key, value) => world.askFor("string", key, value)),
  step(`the resolved string response should be {text}`, (world, value) => assert.equal(world.details.value, value)),
  step(`the resolved flag value is {text} when the context is empty`, async (world, value) => {
    world.context = {};
    await world.side.begin();
    await world.ask();
    assert.equal(world.details.value, value);
  }),
  step("the default (string|integer) value should be returned", (world) => assert.equal(world.details.value, world.otherwise)),
  step(`the reason should indicate an error and the error code should indicate .* with {text}`, (world, code) => {
    assert.deepEqual([world.details.reason, world.details.errorCode], ["ERROR", code]);
  }),
];

class World {
  context = {};
  levels = {};
  calls = [];
  static #number = 0;

  constructor(side) {
    this.side = side;
    this.domain = `scenario-${(World.#number += 1)}`;
  }

  async provide(status) {
    const { clock, options } = settings("openfeature", always("openfeature/flags.sealed"));
    if (status === "fatal") options.trust = "no trust statement\n";
    if (status === "error") options.source = { snapshot: async () => { throw new Error("no such host"); } };
    if (status === "not ready") options.source = { snapshot: () => new Promise(() => {}) };
    if (status === "not ready") options.startTimeout = 2 ** 30;
    if (status === "stale") {
      clock.now = 1_800_000_000;
      options.trust = new TextDecoder().decode(bytes("live/trust.txt"));
      options.source = { pulse: async () => bytes("live/pulse-1.txt"), snapshot: async () => bytes("live/1.sealed") };
    }
    const live = new Live(options);
    const provider = this.side.make(this.#watched(live));
    if (status === "not ready") this.side.api.setProvider(this.domain, provider);
    else await this.side.api.setProviderAndWait(this.domain, provider).catch((error) => { if (status === "stable") throw error; });
    this.client = this.side.api.getClient(this.domain);
    if (status === "stale") {
      clock.now += 600; // past the lease
      await live.refresh();
    }
  }

  /** The flags, with the context of the last evaluation to be looked at. */
  #watched(live) {
    const evaluate = live.evaluate.bind(live);
    live.evaluate = (attributes, key) => {
      this.seen = attributes;
      return evaluate(attributes, key);
    };
    return live;
  }

  async ask() {
    this.details = await this.side.evaluate(this);
  }

  askFor(type, key, otherwise) {
    Object.assign(this, { type, kind: kinds[type], key, otherwise });
    return this.ask();
  }

  is(type, value) {
    assert.deepEqual(this.details.value, parse(type, value.replace(/^"|"$/g, "")));
  }

  enter(level, key, value) {
    if (level === "Before Hooks") this.client.addHooks({ before: () => ({ [key]: value }) });
    else (this.levels[level] ??= {})[key] = value;
  }

  hook(whose) {
    const note = (name, details) => void this.calls.push({ name, whose, details });
    return {
      before: () => note("before"), after: (_context, details) => note("after", details),
      error: () => note("error"), finally: (_context, details) => note("finally", details),
    };
  }
}

const flags = folder ? JSON.parse(readFileSync(join(folder, "test-flags.json"), "utf8")) : {};

/** Why a scenario is not asked, for one side or both. */
function skipped({ title, tags, steps }, side) {
  if (tags.includes("@reason-codes-cached")) return "nothing is cached here: a decision is always made anew";
  if (steps.some(({ text }) => text.includes('"context-aware"')) && !flags["context-aware"]) return "the test flags have no `context-aware` any more";
  if (!(side instanceof WebSide)) return undefined;
  const below = ["Transaction", "Client", "Invocation", "Before Hooks"];
  const levels = steps.flatMap(({ text, table = [] }) => [/"([^"]*)" level/.exec(text)?.[1], ...table.flat()]);
  if (levels.some((level) => below.includes(level))) return "a page has one context";
  return title.includes("asynchronously") ? "evaluation in a page never waits" : undefined;
}

const missing = !folder ? "shared/conformance/openfeature-spec is not there" : !has("openfeature") ? "the fixtures were made without it" : false;
for (const side of [new ServerSide(), new WebSide()]) {
  for (const name of ["evaluation", "evaluation_v2", "hooks", "metadata", "contextMerging"]) {
    test(`${side.constructor.name}: ${name}.feature`, { skip: missing }, async (context) => {
      const all = scenarios(readFileSync(join(folder, `${name}.feature`), "utf8"));
      const why = new Map();
      let passed = 0;
      for (const scenario of all) {
        const reason = skipped(scenario, side);
        if (reason) {
          why.set(reason, (why.get(reason) ?? 0) + 1);
          continue;
        }
        await side.begin();
        const world = new World(side);
        await assert.doesNotReject(() => run(scenario, STEPS, world), `scenario \`${scenario.title}\``).catch((failed) => {
          throw Object.assign(new Error(`scenario \`${scenario.title}\`: ${failed.actual?.message ?? failed.message}`), { cause: failed.actual });
        });
        passed += 1;
        world.side.api.clearHooks();
      }
      await side.api.clearProviders();
      context.diagnostic(`${passed} of ${all.length} scenarios${[...why].map(([reason, count]) => `; ${count} not asked: ${reason}`).join("")}`);
      assert.ok(passed > 0 || all.length === [...why.values()].reduce((sum, count) => sum + count, 0));
    });
  }
}
