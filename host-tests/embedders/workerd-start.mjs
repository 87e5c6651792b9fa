// Starts workerd, from npm, with a configuration, and says where it listens. It ends with whoever started it.
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** `modules`: file names in `folder`, the first one the worker itself. `services`: more services, in the configuration's words. */
export async function workerd(folder, modules, { bindings = "", services = "", worker = "" } = {}) {
  const kinds = { js: "esModule", mjs: "esModule", wasm: "wasm" };
  const listed = modules.map((name) => `(name = "${name}", ${kinds[name.split(".").at(-1)]} = embed "${name}")`).join(",\n      ");
  await writeFile(join(folder, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      compatibilityDate = "2026-06-01",
      modules = [
      ${listed}],
      bindings = [${bindings}],
      ${worker}
    )),
    ${services}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`);
  const program = fileURLToPath(new URL("node_modules/.bin/workerd", import.meta.url));
  const started = performance.now();
  const child = spawn(program, ["serve", "config.capnp", "--control-fd=3"], { cwd: folder, stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const stop = () => new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
  const port = await new Promise((resolve, reject) => {
    let told = "";
    child.once("exit", (code) => reject(new Error(`workerd ended with ${code} before it listened`)));
    child.stdio[3].on("data", (data) => {
      told += data;
      const event = told.split("\n").filter(Boolean).map((line) => { try { return JSON.parse(line); } catch { return {}; } })
        .find(({ event, socket }) => event === "listen" && socket === "http");
      if (event) resolve(event.port);
    });
  });
  return { address: `http://127.0.0.1:${port}`, started, stop };
}
