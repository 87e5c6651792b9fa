// Deno, from npm, may read only what it is given: started by Node it starts Deno with itself.
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "../local.mjs";

const [self, arguments_] = [fileURLToPath(import.meta.url), process.argv.slice(2)];
const flags = ["run", "--quiet", "--no-config", "--no-remote", "--no-npm", "--allow-read", "--allow-run", "--allow-env", self];
if (globalThis.Deno) await run("deno", globalThis.Deno.version.deno, [globalThis.Deno.execPath(), ...flags]);
else execFileSync(fileURLToPath(new URL("../node_modules/.bin/deno", import.meta.url)), [...flags, ...arguments_], { stdio: "inherit" });
