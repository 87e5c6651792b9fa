// The browser build in headless Chromium: the page works, and every shared vector gives the same bytes as natively.
// Run by `cargo xtask test`, which makes the build and the fixtures first.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { FIXTURES, serve } from "./serve.mjs";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const { server, address } = await serve();
const profile = await mkdtemp(join(tmpdir(), "flagstone-chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: FLAGS,
  viewport: { width: 900, height: 720 },
});
let failed = 0;

async function check(name, run) {
  try {
    console.log(`ok: ${name}${(await run()) ?? ""}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.message}`);
  }
}

try {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(address);
  await page.waitForSelector("body[data-ready]", { timeout: 20_000 }).catch((error) => {
    throw new Error(`the page did not get ready: ${complaints.join("; ") || error.message}`);
  });
  const cells = (flag) => page.locator(`tr[data-flag="${flag}"] td`).allTextContents();

  await check("the page opens a sealed file and decides its flags", async () => {
    assert.match(await page.textContent("#opened"), /Snapshot 1\.1 .* 2 flags, signed by flagstone\.example\/release/);
    const [, value, variant, reason] = await cells("greeting");
    assert.deepEqual([value, variant, reason], ['"Good morning"', "formal", "TARGETING_MATCH"]);
  });
  await check("a rollout's arms, consent, allow-list and halt", async () => {
    const arms = new Set();
    for (let user = 0; user < 40; user += 1) {
      await page.fill("#key", `user-${user}`);
      const [, value, variant, reason] = await cells("answer-behaviour");
      arms.add(reason);
      assert.equal(variant, reason.endsWith("treatment") ? "concise" : "today");
      assert.equal(JSON.parse(value).passages, variant === "concise" ? 6 : 4);
    }
    assert.deepEqual([...arms].sort(),
      ["SPLIT · control · control", "SPLIT · stage · treatment", "STATIC · closed"]);
    await page.fill("#email", "ana@acme.example");
    assert.equal((await cells("answer-behaviour"))[3], "TARGETING_MATCH · stage · treatment");
    await page.screenshot({ path: join(FIXTURES, "page.png") });
    await page.uncheck("#consent");
    assert.equal((await cells("answer-behaviour"))[3], "DEFAULT · consent");
    await page.check("#consent");
    await page.check("#halt");
    assert.equal((await cells("answer-behaviour"))[3], "DEFAULT · halt");
    await page.uncheck("#halt");
  });
  await check("a file with one changed bit is refused", async () => {
    assert.match(await page.textContent("#forged"), /^refused: payload-digest/);
  });

  for (const name of JSON.parse(await readFile(join(FIXTURES, "index.json"), "utf8")).vectors) {
    await check(`vectors/${name}.json, byte for byte`, async () => {
      const { asked, wrong } = await page.evaluate(answerVectors, name);
      assert.deepEqual(wrong.slice(0, 5), []);
      assert.ok(asked >= 60, `${asked} cases are few`);
      return `: ${asked} cases`;
    });
  }
  await check("what is refused says why", async () => {
    assert.deepEqual(await page.evaluate(refusals), {
      environment: "no-role", audience: "wrong-audience", early: "expired", rollback: "rollback",
      note: "bad-note", mark: "bad-mark", context: "context-too-large", list: "TypeError",
    });
  });
  await check("a pulse for another snapshot only halts", async () => {
    assert.deepEqual(await page.evaluate(elsewhere), [["stage", undefined], ["stage", "halt"], 2]);
  });
  await check("memory does not grow over 1,000 swaps", async () => {
    const [before, after] = await page.evaluate(swaps);
    assert.equal(after, before);
    return `: ${after / 1024} KiB`;
  });
  await check("the page complained of nothing", () => assert.deepEqual(complaints, []));
} finally {
  await browser.close();
  server.close();
  await rm(profile, { recursive: true, force: true });
}
console.log(failed === 0 ? `screenshot: ${join(FIXTURES, "page.png")}` : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

// What follows runs inside the page.

/** Every case by the text door, and the decision object compared with that text. */
async function answerVectors(name) {
  const { Flagstone } = await import("/browser/flagstone.js");
  const file = async (path) => (await fetch(`/fixtures/${name}/${path}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const { policy, pulses, cases } = await (await fetch(`/fixtures/${name}/cases.json`)).json();
  const trust = await (await fetch(`/fixtures/${name}/trust.txt`)).text();
  const sealed = await file("flags.sealed");
  const engines = new Map([[null, new Flagstone(trust, sealed, policy)]]);
  for (const [number, { now }] of pulses.entries()) {
    const engine = new Flagstone(trust, sealed, policy);
    engine.pulse(await file(`pulse-${number}.txt`), now);
    engines.set(number, engine);
  }
  const wrong = [];
  for (const { name: title, context, flag, now, pulse, native, expect } of cases) {
    const engine = engines.get(pulse);
    const text = engine.decision(context, flag, now);
    if (text !== expect || native !== expect) wrong.push({ title, text, native, expect });
    const resident = engine.context(context);
    const decision = engine.decide(resident, flag, now);
    const read = JSON.parse(text);
    const same = (mine, theirs) => JSON.stringify(mine ?? null) === JSON.stringify(theirs ?? null);
    for (const [mine, theirs] of [
      [decision.value, read.value], [decision.variant, read.variant], [decision.reason, read.reason],
      [decision.errorCode, read.errorCode], [decision.detail, read.detail], [decision.arm, read.arm],
      [decision.stage, read.stage?.index], [decision.cohort, read.cohort?.index],
    ]) {
      if (!same(mine, theirs)) wrong.push({ title, decision, text });
    }
    if (engine.find(flag) !== undefined) {
      const all = new DataView(resident.evaluateAll(now).buffer);
      if (all.getUint32(engine.find(flag) * 8, true) !== resident.evaluate(engine.find(flag), now)
        || all.getUint32(engine.find(flag) * 8 + 4, true) !== resident.rest()) wrong.push({ title, all: "differs" });
    }
    const explained = engine.explain(context, flag, now);
    if (!same(explained.decision, read) || !explained.trace.length) wrong.push({ title, explained });
    resident.free();
  }
  for (const engine of engines.values()) engine.free();
  return { asked: cases.length, wrong };
}

async function refusals() {
  const { Flagstone } = await import("/browser/flagstone.js");
  const get = async (name) => (await fetch(`/fixtures/page/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const trust = new TextDecoder().decode(await get("trust.txt"));
  const [file, note, later] = [await get("flags.sealed"), await get("pulse.txt"), await get("halt.txt")];
  const policy = await (await fetch("/fixtures/page/policy.json")).json();
  const code = (run) => {
    try {
      run();
      return "accepted";
    } catch (error) {
      return error.code ?? error.name;
    }
  };
  const engine = new Flagstone(trust, file, policy);
  engine.pulse(later, policy.now);
  const mark = engine.info.mark;
  return {
    environment: code(() => new Flagstone(trust, file, { ...policy, environment: "production" })),
    audience: code(() => new Flagstone(trust, file, { ...policy, audience: "somebody.else" })),
    early: code(() => new Flagstone(trust, file, { ...policy, now: policy.now + 20 * 86_400 })),
    rollback: code(() => new Flagstone(trust, file, { ...policy, mark: { ...mark, sequence: mark.sequence + 1 } })),
    note: code(() => engine.pulse(note.slice(0, 40), policy.now)),
    mark: code(() => new Flagstone(trust, file, { ...policy, mark: { ...mark, digest: "é" } })),
    context: code(() => engine.context({ large: "x".repeat(70_000) })),
    list: code(() => engine.context([1, 2])),
  };
}

/** The plan's and the other flag's detail before and after a pulse that names another snapshot, and that one. */
async function elsewhere() {
  const { Flagstone } = await import("/browser/flagstone.js");
  const get = async (name) => (await fetch(`/fixtures/page/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const policy = await (await fetch("/fixtures/page/policy.json")).json();
  const engine = new Flagstone(new TextDecoder().decode(await get("trust.txt")), await get("flags.sealed"), policy);
  const context = engine.context({ targetingKey: "ana", email: "ana@acme.example", consent: "trial" });
  const details = () => ["answer-behaviour", "greeting"].map((key) => engine.decide(context, key, policy.now).detail);
  engine.pulse(await get("pulse.txt"), policy.now);
  const before = details();
  const { snapshot } = engine.pulse(await get("other.txt"), policy.now);
  return [before, details(), snapshot.sequence];
}

async function swaps() {
  const { Flagstone, load } = await import("/browser/flagstone.js");
  const { default: initialise } = await import("/browser/flagstone_glue.js");
  const { memory } = await initialise();
  await load();
  const get = async (name) => (await fetch(`/fixtures/core/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const trust = new TextDecoder().decode(await get("trust.txt"));
  const file = await get("flags.sealed");
  const { policy } = await (await fetch("/fixtures/core/cases.json")).json();
  const swap = () => {
    const engine = new Flagstone(trust, file, policy);
    const context = engine.context({ targetingKey: "user-1", country: "de" });
    for (let flag = 0; flag < engine.flags.length; flag += 1) engine.decide(context, flag, policy.now);
    context.free();
    engine.free();
  };
  for (let warm = 0; warm < 20; warm += 1) swap();
  const before = memory.buffer.byteLength;
  for (let round = 0; round < 1_000; round += 1) swap();
  return [before, memory.buffer.byteLength];
}
