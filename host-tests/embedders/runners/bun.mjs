// Bun, from npm: started by Node it starts Bun with itself.
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "../local.mjs";

const [self, arguments_] = [fileURLToPath(import.meta.url), process.argv.slice(2)];
if (globalThis.Bun) await run("bun", globalThis.Bun.version, [process.execPath, self]);
else execFileSync(fileURLToPath(new URL("../node_modules/.bin/bun", import.meta.url)), [self, ...arguments_], { stdio: "inherit" });
