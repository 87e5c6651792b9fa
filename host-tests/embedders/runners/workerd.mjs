// Cloudflare's workerd, over HTTP: `node workerd.mjs FIXTURES PACKAGE/dist`. Its clock stands still while a worker computes, so loops are timed
// from outside, less what an empty request takes.
import { execFileSync } from "node:child_process";
import { copyFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { workerd } from "../workerd-start.mjs";

const [fixtures, built] = process.argv.slice(2);
const here = fileURLToPath(new URL("..", import.meta.url));
const own = ["workerd-suite.mjs", "suite.mjs", "measure.mjs"];
const carried = ["flagstone.js", "flagstone_bg.wasm", "flagstone-tools.js", "flagstone-tools_glue.js", "flagstone-tools_bg.wasm"];
const folder = await mkdtemp(join(tmpdir(), "flagstone-workerd-"));

try {
  for (const name of own) await copyFile(join(here, name), join(folder, name));
  for (const name of carried) await copyFile(join(built, name), join(folder, name));
  const row = { runtime: "workerd", version: version(), build: "evaluator", artefactBytes: (await stat(join(built, "flagstone_bg.wasm"))).size };
  const starts = [];
  for (let start = 0; start < 3; start += 1) {
    const server = await serve();
    try {
      const { open, memoryBytes } = await server.ask("/open");
      starts.push(performance.now() - server.started);
      if (start === 2) await measured(server, open, memoryBytes, row);
    } finally {
      await server.stop();
    }
  }
  if (row.memoryBytes !== undefined) row.coldStartMs = Math.min(...starts);
  console.log(JSON.stringify(row));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function serve() {
  const server = await workerd(folder, [...own, ...carried], {
    bindings: '(name = "FIXTURES", service = "fixtures")',
    services: `(name = "fixtures", disk = "${fixtures}")`,
  });
  server.ask = async (path) => {
    const answer = await fetch(server.address + path);
    if (!answer.ok) throw new Error(`workerd: ${path}: HTTP ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  return server;
}

async function measured(server, open, memoryBytes, row) {
  if (open) {
    row.memoryBytes = memoryBytes;
    for (const [name, path, times] of [["decisionNs", "/one", 30_000], ["allNs", "/all", 500]]) {
      const took = async (times) => {
        const start = performance.now();
        await server.ask(`${path}?times=${times}`);
        return performance.now() - start;
      };
      const [full, empty] = [[], []];
      for (let round = 0; round < 40; round += 1) {
        full.push(await took(times));
        empty.push(await took(0));
      }
      row[name] = Math.round(((Math.min(...full) - Math.min(...empty)) / times) * 1e6);
    }
    row.swaps = await server.ask("/swaps");
  }
  const [told, explained] = [await server.ask("/answers"), await server.ask("/explanations")];
  row.vectors = { passed: told.passed + explained.passed, failed: [...told.failed, ...explained.failed] };
  Object.assign(row, { answers: told.digest, explained: explained.digest });
}

function version() {
  const told = execFileSync(join(here, "node_modules/.bin/workerd"), ["--version"], { encoding: "utf8" });
  return told.trim().replace("workerd ", "");
}
