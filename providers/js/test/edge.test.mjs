// examples/worker in the real workerd, in Deno and in Bun, over HTTP: a sealed snapshot from the control plane (in workerd from the cache
// the second time), decisions, a token to the page and back, OFREP for a page without rules. examples/fastly in Viceroy is asked the same in
// fastly.test.mjs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { asked } from "./edge.mjs";
import { json, root, text } from "./help.mjs";
import { plane } from "./plane.mjs";

const embedders = join(root, "host-tests/embedders");
const skip = existsSync(join(embedders, "node_modules/.package-lock.json")) ? false : "`npm ci` in host-tests/embedders brings the runtimes";
const { now, audience, environment } = json("live/policy.json");
const settings = (address) => ({
  CONTROL_PLANE: address, TRUST: text("live/trust.txt"), AUDIENCE: audience, ENVIRONMENT: environment, PEPPER: "07".repeat(32),
  FLAG: "greeting", NOW: String(now),
});

/** A folder as somebody's project: the example's files, the package among the modules, bundled. */
async function bundled(run, entry, options) {
  const folder = await mkdtemp(join(tmpdir(), "flagstone-edge-"));
  try {
    for (const name of ["app.js", entry]) await copyFile(join(root, "examples/worker", name), join(folder, name));
    await mkdir(join(folder, "node_modules/@flagstone"), { recursive: true });
    await symlink(join(root, "providers/js"), join(folder, "node_modules/@flagstone/flags"));
    const { build } = createRequire(join(embedders, "package.json"))("esbuild");
    await mkdir(join(folder, "out"));
    await build({
      entryPoints: [join(folder, entry)], outfile: join(folder, "out/main.js"), bundle: true, format: "esm", target: "es2022",
      external: ["*.wasm", "node:*"], logLevel: "error", ...options,
    });
    await copyFile(join(root, "providers/js/dist/flagstone_bg.wasm"), join(folder, "out/flagstone_bg.wasm"));
    await run(join(folder, "out"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What stands behind a worker's cache: stores the answers that are put, and gives them back. */
async function cacheService() {
  const kept = new Map();
  const hits = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    if (request.method === "PUT") {
      const whole = Buffer.concat(parts);
      const end = whole.indexOf("\r\n\r\n");
      const [, ...lines] = whole.subarray(0, end).toString("latin1").split("\r\n");
      const headers = Object.fromEntries(lines.map((line) => line.split(/:\s*(.*)/s).slice(0, 2)));
      kept.set(request.url, { headers, body: whole.subarray(end + 4) });
      return response.writeHead(204).end();
    }
    const found = kept.get(request.url);
    if (!found) return response.writeHead(504, { "cf-cache-status": "MISS" }).end();
    hits.push(request.url);
    delete found.headers["transfer-encoding"];
    return response.writeHead(200, { ...found.headers, "cf-cache-status": "HIT" }).end(found.body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { hits, port: server.address().port, stop: () => { server.close(); server.closeAllConnections(); } };
}

test("examples/worker in workerd", { skip }, () => bundled(async (folder) => {
  const [control, cache, { workerd }] = [await plane(), await cacheService(), await import(join(embedders, "workerd-start.mjs"))];
  const bindings = Object.entries(settings(control.address)).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`).join(", ");
  const options = {
    bindings,
    services: `(name = "cache", external = (address = "127.0.0.1:${cache.port}", http = ())),
    (name = "internet", network = (allow = ["local"]))`,
    worker: 'cacheApiOutbound = "cache",',
  };
  const fetched = () => control.state.asked.filter((line) => line.includes("/snapshots/")).length;
  let server = await workerd(folder, ["main.js", "flagstone_bg.wasm"], options);
  try {
    await asked(server.address, control);
    assert.equal(fetched(), 1);
    await server.stop();
    server = await workerd(folder, ["main.js", "flagstone_bg.wasm"], options);
    const answer = await (await fetch(server.address)).text();
    assert.match(answer, /"value":"Hi"/);
    assert.deepEqual([fetched(), cache.hits.length], [1, 1], "the second isolate has the file from the cache");
  } finally {
    await server.stop();
    cache.stop();
    await control.stop();
  }
}, "worker.js", { conditions: ["workerd", "worker"] }));

for (const [name, flags] of [["deno", ["run", "--quiet", "--no-config", "--allow-net", "--allow-env", "--allow-read"]], ["bun", []]]) {
  test(`examples/worker in ${name}`, { skip }, () => bundled(async (folder) => {
    const control = await plane();
    const program = join(embedders, "node_modules/.bin", name);
    const environment = { PATH: process.env.PATH, HOME: folder, PORT: "0", ...settings(control.address) };
    const child = spawn(program, [...flags, "main.js"], { cwd: folder, env: environment, stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      const address = await new Promise((resolve, reject) => {
        child.stdout.once("data", (data) => resolve(String(data).trim()));
        void ended.then((code) => reject(new Error(`${name} ended with ${code}`)));
      });
      await asked(address, control);
    } finally {
      child.kill("SIGTERM");
      await ended;
      await control.stop();
    }
  }, "serve.js", { platform: "neutral" }));
}
