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
  await check("no width scrolls sideways, and the keyboard's place is seen at every stop", async () => {
    const { width: before, height } = page.viewportSize();
    for (const width of [1280, 800, 360]) {
      await page.setViewportSize({ width, height });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} pixels are too few`);
    }
    await page.focus("#key");
    const stops = [];
    for (const key of ["Tab", "Tab", "Tab", "Tab", "Tab", "Enter", "Tab"]) {
      await page.keyboard.press(key);
      stops.push(await page.evaluate(() => {
        const { activeElement: at } = document;
        return [at.id || at.localName, parseFloat(getComputedStyle(at).outlineWidth) >= 3];
      }));
    }
    assert.deepEqual(stops, ["email", "locale", "consent", "halt", "summary", "summary", "why"].map((name) => [name, true]));
    await page.setViewportSize({ width: before, height });
  });

  for (const name of JSON.parse(await readFile(join(FIXTURES, "index.json"), "utf8")).vectors) {
    for (const build of ["flagstone", "flagstone-tools"]) {
      await check(`vectors/${name}.json in ${build}, by every door, byte for byte`, async () => {
        const { asked, wrong } = await page.evaluate(answerVectors, [name, `/browser/${build}.js?vectors`]);
        assert.deepEqual(wrong.slice(0, 5), []);
        assert.ok(asked >= 60, `${asked} cases are few`);
        return `: ${asked} cases`;
      });
    }
  }
  await check("what is refused says why, in both builds", async () => {
    const codes = {
      environment: "no-role", audience: "wrong-audience", early: "expired", rollback: "rollback", note: "bad-note",
      mark: "bad-mark", context: "context-too-large", packed: "context-value", list: "TypeError", freed: "not-open",
    };
    const [spoken, named] = [await page.evaluate(refusals, "flagstone-tools"), await page.evaluate(refusals, "flagstone")];
    assert.deepEqual([named.codes, spoken.codes], [codes, codes]);
    assert.deepEqual([named.prose, spoken.prose],
      ["refused: no-role", "the trust root gives nobody this role for this environment"]);
  });
  await check("a pulse for another snapshot only halts", async () => {
    assert.deepEqual(await page.evaluate(elsewhere), [["stage", undefined], ["stage", "halt"], 2]);
  });
  await check("what a sticky flag asks to remember is brought back", async () => {
    const { texts, decisions } = await page.evaluate(remembered);
    assert.deepEqual(texts, decisions, "as the decision text says it");
    assert.deepEqual([...new Set(decisions.filter(Boolean))].sort(), ["1:c:1:today", "1:t:1:concise"]);
  });
  await check("contexts are read as JSON.stringify would", async () => {
    assert.deepEqual(await page.evaluate(shapes), { same: true, once: 6 });
  });
  await check("the tools describe and inspect", async () => {
    const { description, claim } = await page.evaluate(described);
    assert.deepEqual(description.flags.map(({ key, variants, plan }) => [key, variants.length, plan?.stages.length]),
      [["answer-behaviour", 2, 2], ["greeting", 2, undefined]]);
    assert.match(claim.statement, /^flagstone\/snapshot@v1\n/);
    assert.deepEqual(claim.signatures, ["flagstone.example/release"]);
  });
  await check("memory does not grow over 1,000 swaps of 100 decisions", async () => {
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

/** Every case by the text door, and the decision of every other door compared with that text. */
async function answerVectors([name, module]) {
  const { Flagstone, load, pack } = await import(module);
  await load();
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
    const read = JSON.parse(text);
    const same = (mine, theirs) => JSON.stringify(mine ?? null) === JSON.stringify(theirs ?? null);
    const [resident, packed] = [engine.context(context), engine.contextPacked(pack(context))];
    const index = engine.find(flag);
    for (const [door, decision] of [
      ["by position", engine.decide(resident, flag, now)], ["packed", engine.decide(packed, flag, now)],
      ["by index", engine.decide(resident, index ?? 0xffffffff, now)], ["once", engine.decideOnce(context, flag, now)],
      ["all", engine.decideAll(resident, now).get(flag)],
    ]) {
      for (const [mine, theirs] of [
        [decision.value, read.value], [decision.variant, read.variant], [decision.reason, read.reason],
        [decision.errorCode, read.errorCode], [decision.detail, read.detail], [decision.arm, read.arm],
        [decision.stage, read.stage?.index], [decision.cohort, read.cohort?.index], [decision.remember, read.remember],
      ]) {
        if (!same(mine, theirs)) wrong.push({ title, door, decision, text });
      }
    }
    if (index !== undefined) {
      const all = resident.evaluateAll(now);
      if (all[index * 2] !== resident.evaluate(index, now) || all[index * 2 + 1] !== resident.rest()) {
        wrong.push({ title, all: "differs" });
      }
    }
    if (engine.explain) {
      const explained = engine.explain(context, flag, now);
      if (!same(explained.decision, read) || !explained.trace.length) wrong.push({ title, explained });
    }
    resident.free();
    packed.free();
  }
  for (const engine of engines.values()) engine.free();
  return { asked: cases.length, wrong };
}

async function refusals(build) {
  const { Flagstone, load } = await import(`/browser/${build}.js?refusals`);
  await load();
  const get = async (name) => (await fetch(`/fixtures/page/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const trust = new TextDecoder().decode(await get("trust.txt"));
  const [file, note, later] = [await get("flags.sealed"), await get("pulse.txt"), await get("halt.txt")];
  const policy = await (await fetch("/fixtures/page/policy.json")).json();
  const thrown = (run) => {
    try {
      run();
      return { code: "accepted" };
    } catch (error) {
      return { code: error.code ?? error.name, message: error.message };
    }
  };
  const engine = new Flagstone(trust, file, policy);
  engine.pulse(later, policy.now);
  const mark = engine.info.mark;
  const freed = new Flagstone(trust, file, policy);
  freed.free();
  const open = (change) => thrown(() => new Flagstone(trust, file, { ...policy, ...change }));
  const refused = {
    environment: open({ environment: "production" }),
    audience: open({ audience: "somebody.else" }),
    early: open({ now: policy.now + 20 * 86_400 }),
    rollback: open({ mark: { ...mark, sequence: mark.sequence + 1 } }),
    note: thrown(() => engine.pulse(note.slice(0, 40), policy.now)),
    mark: open({ mark: { ...mark, digest: "é" } }),
    context: thrown(() => engine.context({ locale: "x".repeat(70_000) })),
    packed: thrown(() => engine.contextPacked(new Uint8Array([6, 9, 0, 0, 0]))),
    list: thrown(() => engine.context([1, 2])),
    freed: thrown(() => freed.context({})),
  };
  return {
    codes: Object.fromEntries(Object.entries(refused).map(([name, { code }]) => [name, code])),
    prose: refused.environment.message,
  };
}

/** The plan's and the other flag's detail before and after a pulse that names another snapshot, and that one. */
async function elsewhere() {
  const { Flagstone, load } = await import("/browser/flagstone.js?elsewhere");
  await load();
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

/** What 60 units are asked to remember, by text and by decision; those who are asked nothing bring back what others were. */
async function remembered() {
  const { Flagstone, load } = await import("/browser/flagstone.js?remembered");
  await load();
  const get = async (name) => (await fetch(`/fixtures/page/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const policy = await (await fetch("/fixtures/page/policy.json")).json();
  const engine = new Flagstone(new TextDecoder().decode(await get("trust.txt")), await get("flags.sealed"), policy);
  engine.pulse(await get("pulse.txt"), policy.now);
  const [texts, decisions] = [[], []];
  const key = "answer-behaviour";
  for (let unit = 0; unit < 60; unit += 1) {
    const attributes = { targetingKey: `unit-${unit}`, consent: "trial" };
    const first = engine.decideOnce(attributes, key, policy.now);
    decisions.push(first.remember);
    texts.push(JSON.parse(engine.decision(attributes, key, policy.now)).remember);
    if (first.remember) continue;
    attributes.remembered = { [key]: unit % 2 ? "1:t:1:concise" : "1:c:1:today" };
    const again = engine.decideOnce(attributes, key, policy.now);
    decisions.push(again.detail === "remembered" && again.remember);
    texts.push(attributes.remembered[key]);
  }
  return { texts, decisions };
}

/** Contexts with everything that JSON.stringify treats specially: by position, packed, and after a trip through JSON. */
async function shapes() {
  const { Flagstone, load, pack } = await import("/browser/flagstone.js?shapes");
  await load();
  const get = async (name) => (await fetch(`/fixtures/core/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const { policy } = await (await fetch("/fixtures/core/cases.json")).json();
  const engine = new Flagstone(new TextDecoder().decode(await get("trust.txt")), await get("flags.sealed"), policy);
  const wild = (value) => ({
    targetingKey: new String("unit-1"), "é": 1, "\u{1f600}": 2, "\uffee": 3, dropped: undefined, action: () => 1,
    __proto__: { inherited: 1 }, at: new Date(0), nested: { toJSON: () => ({ b: [undefined, NaN, -0, 2 ** 53], a: value }) },
    ...Object.fromEntries(engine.attributes().filter((path) => path && !path.includes(".")).map((path) => [path, value])),
  });
  let same = true;
  let once = 0;
  for (const value of ["text", "müsli \u{1f600} \ud800", 7, -7.5, 2 ** 40, [1, { "ü": [null] }]]) {
    const attributes = wild(value);
    const plain = JSON.parse(JSON.stringify(attributes));
    same &&= String(pack(attributes)) === String(pack(plain));
    const contexts = [engine.context(attributes), engine.context(plain), engine.contextPacked(pack(attributes))];
    const [first, ...others] = contexts.map((context) => String(engine.decideAll(context, policy.now).packed));
    same &&= others.every((other) => other === first);
    once += engine.flags.every(({ key }, index) => JSON.stringify(engine.decideOnce(attributes, key, policy.now))
      === JSON.stringify(engine.decide(contexts[0], index, policy.now)));
  }
  return { same, once };
}

async function described() {
  const { Flagstone, inspect, load } = await import("/browser/flagstone-tools.js?described");
  await load();
  const get = async (name) => (await fetch(`/fixtures/page/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const policy = await (await fetch("/fixtures/page/policy.json")).json();
  const file = await get("flags.sealed");
  const engine = new Flagstone(new TextDecoder().decode(await get("trust.txt")), file, policy);
  return { description: engine.describe(), claim: inspect(file) };
}

async function swaps() {
  const { Flagstone, adopt } = await import("/browser/flagstone.js?swaps");
  const engine = await WebAssembly.instantiateStreaming(fetch("/browser/flagstone_bg.wasm"), {});
  const { exports } = engine.instance;
  adopt(exports);
  const get = async (name) => (await fetch(`/fixtures/core/${name}`)).arrayBuffer().then((b) => new Uint8Array(b));
  const trust = new TextDecoder().decode(await get("trust.txt"));
  const file = await get("flags.sealed");
  const { policy } = await (await fetch("/fixtures/core/cases.json")).json();
  const swap = () => {
    const engine = new Flagstone(trust, file, policy);
    const attributes = { targetingKey: "user-1", country: "de" };
    const context = engine.context(attributes);
    for (let round = 0; round < 50; round += 1) {
      engine.decide(context, round % engine.flags.length, policy.now);
      engine.decideOnce(attributes, round % engine.flags.length, policy.now);
    }
    if (engine.info.flags % 2) context.free(); // otherwise it goes with its engine
    engine.free();
  };
  for (let warm = 0; warm < 20; warm += 1) swap();
  const before = exports.memory.buffer.byteLength;
  for (let round = 0; round < 1_000; round += 1) swap();
  return [before, exports.memory.buffer.byteLength];
}
