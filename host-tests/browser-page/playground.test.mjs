// The playground in headless Chromium: a definition is broken and mended, a context changed, all by keyboard; a case
// travels in the address; every width and both colour schemes. Run by `cargo xtask test`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const SHOTS = process.env.SHOTS ?? join(import.meta.dirname, "../../target/screenshots");

const { server, address } = await serve();
const folder = await mkdtemp(join(tmpdir(), "flagstone-playground-"));
const browser = await chromium.launchPersistentContext(join(folder, "profile"), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: FLAGS,
  viewport: { width: 1280, height: 900 },
});
await mkdir(SHOTS, { recursive: true });
let failed = 0;

async function check(name, run) {
  try {
    console.log(`ok: playground: ${name}${(await run()) ?? ""}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: playground: ${name}\n${error.message}`);
  }
}

try {
  const page = await browser.newPage();
  const complaints = [];
  const foreign = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => request.url().startsWith(`${address}playground/`) || request.url().startsWith("data:")
    || foreign.push(request.url()));
  const open = async (fragment = "") => {
    await page.goto("about:blank");
    await page.goto(`${address}playground/${fragment}`);
    await page.waitForSelector("body[data-ready]", { timeout: 60_000 }).catch((error) => {
      throw new Error(`the page did not get ready: ${complaints.join("; ") || error.message}`);
    });
  };
  const fact = (name) => page.textContent(`[data-fact="${name}"]`);
  const variant = () => page.textContent("#decision .variant");
  /** Waits until the page says so; the limit is generous, machines are busy. */
  const until = (said, ...given) => page.waitForFunction(said, given, { timeout: 60_000 });
  const choose = async (label) => {
    const answered = await page.evaluate(() => document.body.dataset.answered);
    await page.selectOption("#example", { label });
    await until(([before]) => document.body.dataset.answered !== before, answered);
  };
  await open();

  await check("an error is told at its line, in the author's words", async () => {
    const problems = page.locator("#problems button");
    assert.equal(await problems.count(), 1);
    const text = await problems.first().innerText();
    assert.match(text, /line 12, column 11/);
    assert.match(text, /error FS0306 there is no variant `lnog`/);
    assert.match(text, /hint: did you mean `long`\?/);
    assert.equal(await page.textContent("#problems-summary"), "1 error");
    assert.equal(await page.getAttribute("#definition", "aria-invalid"), "true");
    assert.equal(await page.textContent("#definition-editor mark.error"), "lnog");
    assert.equal(await page.textContent("#definition-editor .lines .sign"), "✕");
    assert.equal(await page.evaluate(() => document.querySelector("#definition-editor .lines .sign").style.getPropertyValue("--line")), "11");
  });

  await check("by keyboard alone: to the problem, mended, another context, another flag, a halt", async () => {
    const tabTo = async (id) => {
      for (let presses = 0; presses < 60; presses += 1) {
        if (await page.evaluate((id) => document.activeElement?.id === id, id)) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`Tab never came to #${id}`);
    };
    await tabTo("definition");
    await page.keyboard.press("F8");
    assert.equal(await page.evaluate(() => getSelection().toString()), "lnog");
    await page.keyboard.type("long");
    await until(() => document.querySelector("#problems-summary").textContent === "none");
    assert.equal(await variant(), "long");
    assert.equal(await fact("reason"), "TARGETING_MATCH");
    assert.equal(await page.locator("#problems button").count(), 0);
    const rules = () => page.locator('[data-check="targeting"] .rule').allInnerTexts();
    assert.match((await rules()).join(), /rule 1\s+matched/);

    await tabTo("context");
    await page.keyboard.press("Control+A");
    await page.keyboard.type('{ "targetingKey": "ben", "locale": "fr", "plan": "solo" }');
    await until(() => document.querySelector("#decision .variant")?.textContent === "short");
    assert.equal(await fact("reason"), "DEFAULT");
    assert.match((await rules()).join(), /rule 1\s+did not match[\s\S]*"solo"[\s\S]*→ false/);
    await page.keyboard.press("Backspace");
    await until(() => !document.querySelector("#context-fault").hidden);
    assert.match(await page.textContent("#stale"), /nothing is decided.*the last decision before/);
    assert.match(await page.textContent("#context-fault"), /the context is not JSON/);
    await page.keyboard.type("}");
    await until(() => document.querySelector("#context-fault").hidden);

    await tabTo("flag");
    await page.keyboard.press("Home");
    await until(() => document.querySelector("#flag").value === "dark-mode" && document.querySelector('tr.chosen[data-flag="dark-mode"]'));
    await page.evaluate(() => document.querySelector('[data-halt="dark-mode"]').focus());
    await page.keyboard.press("Space");
    await until(() => document.querySelector('[data-fact="detail"]')?.textContent === "halt");
    assert.equal(await page.textContent('[data-check="not-halted"] .verdict'), "no");
  });

  await check("a rollout: stages, the ceiling, consent, cohort and probability", async () => {
    await choose("A rollout with stages, consent and a ceiling");
    assert.match(await page.locator('select[data-stage="answers"]').innerText(), /2 everyone \(above the ceiling\)/);
    const arms = new Set();
    for (let user = 0; arms.size < 2 && user < 40; user += 1) {
      const answered = await page.evaluate(() => document.body.dataset.answered);
      await page.fill("#context", JSON.stringify({ targetingKey: `user-${user}`, consent: ["evaluation"], dataDomain: "public-docs" }));
      await until(([before]) => document.body.dataset.answered !== before, answered);
      const arm = await fact("arm");
      arms.add(arm);
      assert.equal(await variant(), arm === "treatment" ? "deeper" : "today");
      assert.deepEqual([await fact("stage"), await fact("cohort"), await fact("probability")], ["1 half", "1 half", "0.5"]);
    }
    assert.deepEqual([...arms].sort(), ["control", "treatment"]);
    await page.fill("#context", '{ "targetingKey": "user-1" }');
    await until(() => document.querySelector('[data-fact="detail"]')?.textContent === "consent");
    await page.uncheck("#fresh");
    await until(() => document.querySelector('[data-fact="detail"]')?.textContent === "expired");
  });

  await check("a case travels in the address; one that cannot be read is said to be so", async () => {
    await page.click("#copy");
    await until(() => !document.querySelector("#notice").hidden);
    const fragment = new URL(page.url()).hash;
    assert.match(fragment, /^#1\.[\w-]+$/);
    await open(fragment);
    assert.equal(await page.inputValue("#context"), '{ "targetingKey": "user-1" }');
    assert.equal(await page.isChecked("#fresh"), false);
    assert.equal(await fact("detail"), "expired");
    await open("#1.AAAA");
    assert.match(await page.textContent("#notice"), /cannot be read/);
    return `: ${fragment.length} characters`;
  });

  await check("what stands in a definition or context stays text", async () => {
    await page.fill("#definition", 'flags: { "<img src=x onerror=alert(1)>": { state: ENABLED, variants: { "<b>": 1 }, defaultVariant: "<b>" } }');
    await until(() => document.querySelector("#decision .variant")?.textContent === "<b>");
    assert.equal(await page.locator("main img, main b").count(), 0);
  });

  await check("deep nesting and half a definition are answered, not stopped at", async () => {
    for (const text of ["[".repeat(5_000), "flags: ".repeat(2_000), `{"flags":${'{"a":'.repeat(99)}`, "flags:\n  x: &a [*a, *a]\n", "\u0000"]) {
      const answered = await page.evaluate(() => document.body.dataset.answered);
      await page.fill("#definition", text);
      await until(([before]) => document.body.dataset.answered !== before, answered);
      assert.notEqual(await page.textContent("#problems-summary"), "none", text.slice(0, 20));
    }
  });

  if (process.env.FLAGSTONE) {
    await check("every example is explained as by `flagstone evaluate --explain`", async () => {
      const cases = await page.evaluate(async () => {
        const { ask, load } = await import("./engine.js?again");
        const { EXAMPLES, stateOf } = await import("./examples.js");
        await load();
        return Promise.all(EXAMPLES.map(stateOf).map(async ({ stages, halts, fresh, ...rest }) => (
          { ...rest, stages, said: (await ask({ ...rest, pulse: { stages, halts } })).explained })));
      });
      const file = join(folder, "definition");
      for (const { definition, context, flag, now, stages, said } of cases) {
        await writeFile(file, definition);
        const more = stages.flatMap(({ flag, stage }) => ["--stage", `${flag}=${stage}`]);
        const { stdout, stderr } = spawnSync(process.env.FLAGSTONE, ["evaluate", flag, "--definition", file, "--context", context,
          "--now", String(now), ...more, "--lenient", "--explain", "--json"], { encoding: "utf8" });
        assert.ok(stdout, stderr); // it ends with 1 for a decision that is an error
        assert.deepEqual(said, JSON.parse(stdout.trim().split("\n").at(-1)), flag);
      }
      return `: ${cases.length}`;
    });
  }

  await check("narrow and wide, light and dark, without sideways scrolling", async () => {
    for (const [width, height] of [[1280, 900], [800, 900], [360, 740]]) {
      for (const colorScheme of ["light", "dark"]) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme });
        await open();
        for (const [at, label] of (await page.locator("#example option").allInnerTexts()).slice(1).entries()) {
          await choose(label);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `${width}: ${label}`);
          await page.screenshot({ path: join(SHOTS, `playground-${width}-${colorScheme}-${at}.png`), fullPage: true });
        }
      }
    }
  });

  await check("every field and button has a name", async () => {
    const nameless = await page.evaluate(() => [...document.querySelectorAll("input, select, textarea, button")]
      .filter((one) => !one.labels?.length && !one.getAttribute("aria-label") && !one.textContent.trim()).map((one) => one.outerHTML));
    assert.deepEqual(nameless, []);
  });
  await check("it asked for its own files alone, and the page complained of nothing", () => {
    assert.deepEqual([foreign.filter((url) => url !== "about:blank"), complaints], [[], []]);
  });
} finally {
  await browser.close();
  server.close();
  await rm(folder, { recursive: true, force: true });
}
console.log(failed === 0 ? `screenshots: ${SHOTS}` : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
