// Headless Chromium (environment CHROMIUM, else /usr/bin/chromium): the suite in a page that a loopback server serves.
//   node chromium.mjs FIXTURES PACKAGE/dist
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const [fixtures, built] = process.argv.slice(2);
const here = fileURLToPath(new URL("..", import.meta.url));
// The page's tests bring the driver.
const { chromium } = createRequire(join(here, "../browser-page/package.json"))("playwright-core");
const folders = { "/fixtures/": fixtures, "/package/": built, "/own/": here };
const types = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/") return response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>suite</title>");
    const [prefix, folder] = Object.entries(folders).find(([prefix]) => pathname.startsWith(prefix));
    const file = normalize(join(folder, pathname.slice(prefix.length)));
    if (!file.startsWith(normalize(folder + sep))) throw new Error("outside");
    const bytes = await readFile(file);
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(bytes);
  } catch {
    response.writeHead(404).end("not found");
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"],
});
try {
  const address = `http://127.0.0.1:${server.address().port}/`;
  const row = { runtime: "chromium", version: browser.version(), build: "evaluator", artefactBytes: (await stat(join(built, "flagstone_bg.wasm"))).size };
  const starts = [];
  for (let start = 0; start < 3; start += 1) {
    const fresh = await (await browser.newContext()).newPage();
    await fresh.goto(address);
    starts.push(await fresh.evaluate(cold));
    await fresh.context().close();
  }
  const page = await (await browser.newContext()).newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && !message.text().includes("404") && complaints.push(message.text()));
  await page.goto(address);
  const { told, explained, ...measured } = await page.evaluate(suite);
  Object.assign(row, measured);
  if (row.memoryBytes !== undefined) row.coldStartMs = Math.min(...starts);
  row.vectors = { passed: told.passed + explained.passed, failed: [...told.failed, ...explained.failed, ...complaints] };
  Object.assign(row, { answers: told.digest, explained: explained.digest });
  console.log(JSON.stringify(row));
} finally {
  await browser.close();
  server.close();
}

/** Milliseconds from before the import to the first value, the files coming over loopback. Runs in the page. */
async function cold() {
  const get = async (name) => (await fetch(`/fixtures/w100/${name}`)).arrayBuffer().then((bytes) => new Uint8Array(bytes));
  const [trust, sealed, policy] = await Promise.all(["trust.txt", "flags.sealed", "policy.json"].map(get));
  if (policy[0] !== 0x7b) return 0; // no W
  const start = performance.now();
  const { Flagstone, load } = await import("/package/index.js");
  await load();
  const rules = JSON.parse(new TextDecoder().decode(policy));
  const flags = new Flagstone(new TextDecoder().decode(trust), sealed, rules);
  flags.decideOnce({ targetingKey: "ana", country: "de" }, flags.flags[0].key, rules.now);
  return performance.now() - start;
}

/** Runs in the page. */
async function suite() {
  const read = async (path) => {
    const answer = await fetch(`/fixtures/${path}`);
    if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
  const { answers, explanations } = await import("/own/suite.mjs");
  const { loops, swaps, time, workload } = await import("/own/measure.mjs");
  const engine = await import("/package/index.js");
  const wasm = await WebAssembly.instantiateStreaming(fetch("/package/flagstone_bg.wasm"), {});
  engine.adopt(wasm.instance.exports);
  const { memory } = wasm.instance.exports;
  const row = { told: await answers(engine, read) };
  const w = await workload(engine, read);
  if (w) {
    const flags = w.open();
    row.memoryBytes = memory.buffer.byteLength;
    const { one, all } = loops(flags, w.policy.now);
    Object.assign(row, { decisionNs: time(one), allNs: time(all) });
    flags.free();
    row.swaps = swaps(w.open, memory, w.policy.now);
  }
  const tools = await import("/package/tools.js");
  await tools.load();
  row.explained = await explanations(tools, read);
  return row;
}
