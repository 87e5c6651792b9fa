// Reporters: events, ids, batches and tokens are byte for byte the native host's; losses are counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Batches, Beacon, exposure } from "../dist/report.js";
import { batch, exposureEvent } from "../dist/event.js";
import { Pepper } from "../dist/pepper.js";
import { Tokens } from "../dist/tokens.js";
import { Flagstone, load } from "../dist/index.js";
import { bytes, json, text } from "./help.mjs";
import { plane } from "./plane.mjs";

const native = json("events.json");

/** The fact that a native event was made of. */
const fact = ({ event, unit }) => ({ ...event, type: "exposure", unit, atMs: event.at_ms, analytics: undefined });
const made = (number, more = {}) => ({ ...fact(native.cases[0]), unit: `unit-${number}`, ...more });

test("events are the native host's", async () => {
  const pepper = new Pepper(native.pepper);
  for (const one of native.cases) {
    const event = await exposureEvent(pepper, one.event.stream, fact(one), native.windowMs);
    assert.deepEqual(event, { type: "exposure", ...one.event });
  }
});

test("a batch is the native host's", async () => {
  const { instance, previous, dropped, first_sequence: first, events, id } = native.batch;
  const bodies = events.map(({ sequence, ...body }) => body);
  const batched = await batch(instance, previous, dropped, first, bodies);
  assert.equal(batched.id, id);
  assert.deepEqual(JSON.parse(batched.text), native.batch);
});

test("tokens are the native host's, and every altered one is refused", async () => {
  for (const one of native.cases) {
    const { pepper, audience, environment, expiresMs } = native;
    const tokens = new Tokens({ pepper, audience, environment, stream: one.event.stream });
    assert.equal(await tokens.seal(fact(one), expiresMs), one.token);
    assert.deepEqual(await tokens.open(one.token, expiresMs - 1), { type: "exposure", ...one.event });
    await assert.rejects(tokens.open(one.token, expiresMs), { code: "token-expired" });
    for (let at = 0; at < one.token.length; at += 7) {
      const other = one.token[at] === "B" ? "C" : "B";
      await assert.rejects(tokens.open(one.token.slice(0, at) + other + one.token.slice(at + 1), 0), { name: "Error" }, `at ${at}`);
    }
    await assert.rejects(new Tokens({ pepper: "08".repeat(32), audience, environment }).open(one.token, 0), { code: "token-forged" });
    await assert.rejects(new Tokens({ pepper, audience: "others", environment }).open(one.token, 0), { code: "token-other-audience" });
    await assert.rejects(tokens.open("", 0), { code: "token-malformed" });
    await assert.rejects(tokens.open(`B${one.token.slice(1)}`, 0), { code: "token-version" });
  }
});

async function reporting(run, options = {}) {
  const control = await plane();
  const errors = [];
  const address = `${control.address}/v1/environments/test/events`;
  const batches = new Batches({ address, pepper: native.pepper, linger: 0, onError: (error) => errors.push(error), ...options });
  try {
    await run({ batches, state: control.state, errors });
  } finally {
    await control.stop();
  }
}

test("batches follow one another, repetitions stay here", () => reporting(async ({ batches, state }) => {
  for (let number = 0; number < 5; number += 1) batches.report(made(number));
  batches.report(made(0));
  await batches.flush();
  batches.report(made(9));
  await batches.flush();
  const [first, second] = state.batches;
  assert.deepEqual([first.first_sequence, first.count, first.previous], [1, 5, null]);
  assert.deepEqual([second.first_sequence, second.count, second.previous], [6, 1, first.id]);
  assert.deepEqual({ ...batches.counts }, { made: 7, repeated: 1, delivered: 6 });
  assert.equal(first.authorization, "Bearer word");
  assert.doesNotMatch(JSON.stringify(state.batches), /unit-\d/, "keys stay in the process");
}, { token: "word" }));

test("what was not acknowledged is sent again as it was, what is refused for good is counted", () => reporting(async ({ batches, state, errors }) => {
  batches.report(made(1));
  state.answer = { batch: "something else" };
  await batches.flush();
  state.answer = { status: 503 };
  await batches.flush();
  state.answer = undefined;
  await batches.flush();
  assert.deepEqual(new Set(state.batches.map(({ id }) => id)).size, 1);
  assert.deepEqual([state.batches.length, errors.length, batches.counts.delivered], [3, 2, 1]);
  state.answer = { status: 422 };
  batches.report(made(2));
  await batches.flush();
  state.answer = undefined;
  batches.report(made(3));
  await batches.flush();
  assert.deepEqual([batches.dropped, state.batches.at(-1).dropped], [{ poison: 1 }, { poison: 1 }]);
}));

test("consent is asked for, queues are bounded, and all of it adds up", () => reporting(async ({ batches, state }) => {
  batches.report(made(1, { analytics: false }));
  batches.report(made(2));
  for (let number = 0; number < 4; number += 1) batches.report(made(number, { analytics: true }));
  batches.report(made(8, { analytics: true, flag: "" }));
  await batches.flush();
  assert.deepEqual(batches.dropped, { "no-consent": 2, "queue-full": 2 });
  batches.report(made(9, { analytics: true, flag: "a\nb" }));
  await batches.flush();
  const lost = Object.values(batches.dropped).reduce((sum, count) => sum + count, 0);
  assert.deepEqual(batches.dropped, { "no-consent": 2, "queue-full": 2, invalid: 1 });
  assert.equal(batches.counts.made, batches.counts.delivered + batches.counts.repeated + lost);
  assert.equal(state.batches.length, 1);
}, { consent: "required", queue: 3 }));

test("a worker is kept alive until a batch is away", () => {
  const work = [];
  return reporting(async ({ batches, state }) => {
    batches.report(made(1));
    batches.report(made(2));
    assert.equal(work.length, 1);
    await Promise.all(work);
    assert.equal(state.batches[0].count, 2);
  }, { linger: 5, waitUntil: (one) => work.push(one) });
});

test("exposures say arm, cohort and probability, and nothing where there is no unit", async () => {
  await load();
  const { policy, pulses, cases } = json("core/cases.json");
  let planned = 0;
  for (const number of pulses.keys()) {
    const flags = new Flagstone(text("core/trust.txt"), bytes("core/flags.sealed"), policy);
    flags.pulse(bytes(`core/pulse-${number}.txt`), pulses[number].now);
    for (const { context, flag, now, expect } of cases.filter(({ pulse }) => pulse === number)) {
      const told = JSON.parse(expect);
      const made = exposure(flags, context, flag, now);
      if (told.variant === null) assert.equal(made, undefined);
      if (!made) continue;
      assert.deepEqual([made.variant, made.arm, made.stage, made.cohort],
        [told.variant, told.arm ?? "none", told.stage?.index ?? null, told.cohort?.index ?? null]);
      assert.equal(made.probability / 1e9, told.cohort?.probability ?? 0);
      planned += told.arm ? 1 : 0;
    }
    assert.equal(exposure(flags, {}, "static-boolean", policy.now), undefined);
    assert.equal(exposure(flags, { targetingKey: 42 }, "static-boolean", policy.now).unit, "42");
    flags.free();
  }
  assert.ok(planned > 0);
});

test("a page hands tokens back, once", async () => {
  const control = await plane();
  const beacon = new Beacon(`${control.address}/v1/exposures`);
  for (const token of ["one", "two", "one"]) beacon.report({ type: "token", token });
  beacon.report(made(1));
  await beacon.flush();
  assert.deepEqual([control.state.tokens.sort(), beacon.ignored], [["one", "two"], 1]);
  await control.stop();
});
