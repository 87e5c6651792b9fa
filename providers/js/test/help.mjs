// What the tests share: the fixtures of `cargo run -p host-tests --bin fixtures`, and sources that need no network.
import { readFileSync, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
export const fixtures = process.env.FIXTURES ?? join(root, "target/fixtures");
export const bytes = (path) => new Uint8Array(readFileSync(join(fixtures, path)));
export const text = (path) => readFileSync(join(fixtures, path), "utf8");
export const json = (path) => JSON.parse(text(path));
export const has = (path) => existsSync(join(fixtures, path));

/** The shared data of other projects, if it is there. */
export function shared(path) {
  const place = join(process.env.FLAGSTONE_SHARED ?? join(root, "../shared"), path);
  return existsSync(place) ? place : undefined;
}

/** The options of `Live` for a folder of fixtures, with a clock that stands still unless it is moved. */
export function settings(folder, source) {
  const { now, ...policy } = json(`${folder}/policy.json`);
  const clock = { now };
  return { clock, options: { ...policy, trust: text(`${folder}/trust.txt`), source, now: () => clock.now, poll: 0 } };
}

/** A source that gives one file of the fixtures. */
export const always = (path) => ({ snapshot: async () => bytes(path) });

/** Resolves when the condition holds; rejects after a generous time. */
export async function until(condition, what) {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
