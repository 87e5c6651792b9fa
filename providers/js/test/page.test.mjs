// The package in a page of headless Chromium, in both modes: verified with a start from the cache while the network gives nothing, and
// pre-evaluated with tokens that `navigator.sendBeacon` hands back. Says so where Chromium or its driver is not there.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { door } from "../dist/door.js";
import { Live } from "../dist/live.js";
import { Tokens } from "../dist/tokens.js";
import { always, root, settings, until } from "./help.mjs";
import { plane } from "./plane.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const driver = join(root, "host-tests/browser-page/package.json");
const skip = !existsSync(executablePath) ? `there is no ${executablePath}`
  : !existsSync(join(driver, "../node_modules")) ? "`npm ci` in host-tests/browser-page brings the driver" : false;

async function paged(run, options) {
  const control = await plane(options);
  const { chromium } = createRequire(driver)("playwright-core");
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(control.address);
    await run({ page, control });
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
    await control.stop();
  }
}

/** Runs in the page: the greeting, and what was told on the way. */
async function verified({ now, ...policy }) {
  const { Live, cacheStore, controlPlane } = await import("/package/live.js");
  const store = cacheStore(await caches.open("flagstone"));
  const live = new Live({ ...policy, source: controlPlane(location.origin, policy.environment), now: () => now, poll: 0, store });
  const told = [];
  live.on("error", ({ message }) => told.push(message));
  await live.start();
  await live.refresh(); // the look that the start did not wait for
  const { value, metadata } = live.evaluate({ targetingKey: "ana" }, "greeting");
  await live.close();
  return { value, state: metadata["flagstone.state"], told: told.length };
}

test("a page verifies, and starts from its cache when the network gives nothing", { skip }, () => paged(async ({ page, control }) => {
  const { clock, options: { trust, audience, environment } } = settings("live", undefined);
  const policy = { trust, audience, environment, now: clock.now };
  assert.deepEqual(await page.evaluate(verified, policy), { value: "Hi", state: "fresh", told: 0 });
  control.state.down = true;
  await page.reload();
  assert.deepEqual(await page.evaluate(verified, policy), { value: "Hi", state: "fresh", told: 1 });
  assert.deepEqual(await page.evaluate(verified, { ...policy, now: clock.now + 600 }), { value: "Hi", state: "stale", told: 2 });
}));

test("a page without rules hands back what it showed, by beacon", { skip }, async () => {
  const { clock, options } = settings("live", always("live/2.sealed"));
  const live = new Live(options);
  await live.start();
  const facts = [];
  const tokens = new Tokens({ pepper: "07".repeat(32), audience: options.audience, environment: options.environment });
  const host = door({ live, tokens, reporter: { report: (fact) => facts.push(fact) }, now: () => clock.now });
  await paged(async ({ page }) => {
    const value = await page.evaluate(async () => {
      const { Remote } = await import("/package/remote.js");
      const { Beacon } = await import("/package/report.js");
      const remote = new Remote({ address: "", reporter: new Beacon("/v1/exposures") });
      await remote.start({ targetingKey: "ana" });
      const greeting = remote.evaluate({}, "greeting");
      remote.expose({}, greeting);
      remote.expose({}, greeting);
      await remote.close();
      return greeting.value;
    });
    assert.equal(value, "Good morning");
    await until(() => facts.length > 0, "the beacon");
    assert.deepEqual(facts.map(({ type, event }) => [type, event.flag, event.variant]), [["event", "greeting", "formal"]]);
    const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
    assert.ok(!loaded.some((name) => name.endsWith(".wasm")), "no engine in the page");
  }, { door: host });
  await live.close();
});
