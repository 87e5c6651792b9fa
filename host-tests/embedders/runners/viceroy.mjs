// Fastly Compute in Viceroy, over HTTP: `node viceroy.mjs FIXTURES`. The guest (host-tests/embedders/fastly) holds the native library,
// compiled for wasm32-wasip1; FLAGSTONE_FASTLY_EMBEDDER is where `cargo xtask` built it. Its clock runs while it computes, so it
// times its own loops; every request is an instance of its own.
import { execFileSync } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import process from "node:process";
import { program, quoted, viceroy } from "../viceroy-start.mjs";

const [fixtures] = process.argv.slice(2);
const guest = process.env.FLAGSTONE_FASTLY_EMBEDDER;
if (!program || !guest) throw new Error("start this with `cargo xtask embedders viceroy`");
const files = (await readdir(fixtures, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => join(parentPath, name));
const manifest = files.map((file) =>
  `[[local_server.kv_stores.fixtures]]\nkey = ${quoted(relative(fixtures, file))}\nfile = ${quoted(file)}\n`).join("");

const version = execFileSync(program, ["--version"], { encoding: "utf8" }).trim().replace("viceroy ", "");
const row = { runtime: "viceroy", version, build: "wasip1", artefactBytes: (await stat(guest)).size };
const starts = [];
for (let start = 0; start < 3; start += 1) {
  const server = await viceroy(guest, manifest);
  const ask = async (path) => {
    const answer = await fetch(server.address + path);
    if (!answer.ok) throw new Error(`viceroy: ${path}: HTTP ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  try {
    const { open, memoryBytes } = await ask("/open");
    if (open) starts.push(performance.now() - server.started);
    if (start < 2) continue;
    if (open) {
      const { decisionNs, allNs } = await ask("/timed");
      Object.assign(row, { coldStartMs: Math.min(...starts), decisionNs, allNs, memoryBytes, swaps: await ask("/swaps") });
    }
    Object.assign(row, await ask("/answers"));
  } finally {
    await server.stop();
  }
}
console.log(JSON.stringify(row));
