// Starts Viceroy, Fastly's local server, with a guest and a configuration, and says where it listens. It is found by FLAGSTONE_VICEROY
// or as `viceroy` on the search path; `cargo xtask` says so by that variable.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** The program; undefined when nobody has said where it is. */
export const program = process.env.FLAGSTONE_VICEROY;

/** `guest`: path of the module. `manifest`: the text of a `fastly.toml`. `stop` ends it by its process and removes its folder. */
export async function viceroy(guest, manifest) {
  const folder = await mkdtemp(join(tmpdir(), "flagstone-viceroy-"));
  await writeFile(join(folder, "fastly.toml"), manifest);
  const started = performance.now();
  // Of what it logs only errors and the address are wanted.
  const environment = { ...process.env, RUST_LOG: "error,viceroy_lib::service=info" };
  const words = ["serve", "--addr", "127.0.0.1:0", "-C", join(folder, "fastly.toml"), guest];
  const child = spawn(program, words, { cwd: folder, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const said = []; // what it and the guest wrote, for whoever looks for a reason
  child.stderr.on("data", (data) => said.push(String(data)));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const address = await new Promise((resolve, reject) => {
      let told = "";
      child.stdout.on("data", (data) => {
        told = (told + data).slice(-4_096);
        said.push(String(data));
        const found = /Listening on (http:\/\/[\d.]+:\d+)/.exec(told);
        if (found) resolve(found[1]);
      });
      child.once("error", reject);
      void ended.then((code) => reject(new Error(`viceroy ended with ${code} before it listened: ${said.join("")}`)));
    });
    return { address, started, stop, said };
  } catch (error) {
    if (child.exitCode === null && child.pid !== undefined) child.kill("SIGTERM");
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A text as TOML writes it. */
export const quoted = (text) => JSON.stringify(text);
