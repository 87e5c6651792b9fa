// What somebody does who has just found the package: install the packed file in an empty folder, copy the lines of docs/javascript.md,
// run them in each runtime; and the types, of every sub-path. Nothing of the source tree is used but the tarball.
//   node newcomer.mjs
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fixtures, json, root } from "./help.mjs";

const here = join(root, "providers/js");
const folder = mkdtempSync(join(tmpdir(), "flagstone-newcomer-"));
const npm = (where, ...words) => execFileSync("npm", [...words, "--no-audit", "--no-fund", "--loglevel=error"], { cwd: where, encoding: "utf8" });

/** The first block of a language in the page, with the fixtures' audience, environment and time for the reader's own. Every page that greets
 * newcomers shows the very same lines. */
function lines(tarball) {
  const [page, ...others] = ["docs/javascript.md", "README.md", "providers/js/README.md"].map((name) => readFileSync(join(root, name), "utf8"));
  const block = /```js\n([\s\S]*?)```/.exec(page)[1];
  assert.ok(others.every((other) => other.includes(block)), "other lines are shown elsewhere than are run here");
  for (const shown of [page, others[0]]) assert.ok(shown.includes(`npm install ./${tarball}\n`) || shown.includes(`npm install ./${tarball} `), "the packed file has another name");
  const written = ["npm install", ...block.split("\n").filter((line) => line.trim() !== "")];
  assert.ok(written.length <= 10, `${written.length} lines are too many`);
  const { audience, environment, now } = json("live/policy.json");
  const own = 'audience: "acme.example/assistant", environment: "production"';
  assert.ok(block.includes(own), "the page's lines have another policy than this script knows");
  return block.replace(own, `audience: "${audience}", environment: "${environment}", now: ${now}`);
}

/** A program that names every sub-path, for the types. */
const TYPED = `
import { Flagstone, type Decision } from "@flagstone/flags";
import { Flagstone as Tools, type Explanation } from "@flagstone/flags/tools";
import { Live, controlPlane, type State } from "@flagstone/flags/live";
import { Remote } from "@flagstone/flags/remote";
import { Batches, Beacon, type Reporter } from "@flagstone/flags/report";
import { Tokens } from "@flagstone/flags/tokens";
import { door, type Door } from "@flagstone/flags/door";

const live = new Live({ trust: "", audience: "a", environment: "e", source: controlPlane("http://c.example", "e") });
const answer: Door = door({ live, tokens: new Tokens({ pepper: "", audience: "a", environment: "e" }) });
const reporter: Reporter = new Batches({ address: "", pepper: "" });
const remote = new Remote({ address: "http://h.example", reporter: new Beacon("/v1/exposures") });
export const state: State = live.state;
export const decide = (flags: Flagstone): Decision => flags.decideOnce({ targetingKey: "ana" }, "f");
export const explain = (flags: Tools): Explanation => flags.explain({ targetingKey: "ana" }, "f");
// @ts-expect-error a context is an object
live.evaluate("ana", "f");
void [answer, reporter, remote];
`;

try {
  npm(here, "pack", "--pack-destination", folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  npm(folder, "install", "--prefer-offline", `./${tarball}`);
  const installed = join(folder, "node_modules/@flagstone/flags");
  assert.ok(existsSync(join(installed, "dist/flagstone_bg.wasm")) && existsSync(join(installed, "LICENSE-MIT")));
  assert.ok(!existsSync(join(installed, "src")) && !existsSync(join(installed, "test")), "only what is used is shipped");
  for (const name of ["trust.txt", "1.sealed"]) copyFileSync(join(fixtures, "live", name), join(folder, name === "1.sealed" ? "flags.sealed" : name));
  writeFileSync(join(folder, "try.mjs"), lines(tarball));
  const runtimes = join(root, "host-tests/embedders/node_modules/.bin");
  const started = [[process.execPath], ...(existsSync(runtimes) ? [[join(runtimes, "bun")], [join(runtimes, "deno"), "run", "--quiet", "--allow-read", "--allow-env"]] : [])];
  for (const [program, ...words] of started) {
    assert.equal(execFileSync(program, [...words, "try.mjs"], { cwd: folder, encoding: "utf8" }), "Hi STATIC\n");
  }
  writeFileSync(join(folder, "typed.ts"), TYPED);
  const compiler = [join(here, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext",
    "--lib", "es2022,dom,dom.iterable", "--types", "", "typed.ts"];
  execFileSync(process.execPath, compiler, { cwd: folder, stdio: "inherit" });
  console.log(`ok: a newcomer's lines, from ${tarball}, in ${started.length} runtimes, and the types of every sub-path`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
