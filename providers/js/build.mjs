// Builds dist/: our TypeScript, and beside it the engine that `cargo xtask build --browser` made. The engine's JavaScript has one
// source, crates/browser/js; nothing of it is written twice.
//   node build.mjs [target/guest/browser]
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const engine = process.argv[2] ?? join(root, "target/guest/browser");
const carried = ["flagstone.js", "flagstone.d.ts", "flagstone_bg.wasm", "flagstone-tools.js", "flagstone-tools.d.ts",
  "flagstone-tools_glue.js", "flagstone-tools_bg.wasm"];
if (!existsSync(join(engine, "flagstone_bg.wasm"))) {
  console.error(`error: there is no engine in ${engine}\nhint: \`cargo xtask build --browser\` makes it`);
  process.exit(1);
}
rmSync(join(here, "dist"), { recursive: true, force: true });
// The compiler is started by its file: the name on the search path differs by system.
execFileSync(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", here], { stdio: "inherit" });
for (const name of carried) copyFileSync(join(engine, name), join(here, "dist", name));
for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, name), join(here, name));
