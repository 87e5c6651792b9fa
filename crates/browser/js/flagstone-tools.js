// Flagstone's tools for JavaScript: the same Flagstone, with explanations, configuration and inspection as objects, and
// errors in prose. For pages where people debug; pages for everybody load flagstone.js.
import { Flagstone as Evaluator, adopt, source } from "./flagstone.js";
import initialise, { describe, explain, inspect as claim } from "./flagstone-tools_glue.js";

export { pack } from "./flagstone.js";

/** Loads the engine, once. `module`: URL, Response, bytes or WebAssembly.Module; default: the file beside this one. */
export async function load(module = new URL("flagstone-tools_bg.wasm", import.meta.url)) {
  adopt(await initialise({ module_or_path: await source(module) }));
}

/** Reads a sealed file, a pulse or a trust note without verifying any signature. Never act on the result. */
export function inspect(file, maxPayload = 512 * 1024) {
  return claim(file, maxPayload);
}

/** One opened snapshot, as in flagstone.js. */
export class Flagstone extends Evaluator {
  /** The decision with a trace of why, as an object. */
  explain(attributes, key, now = Date.now() / 1000) {
    const context = this.context(attributes);
    try {
      return explain(context.handle, key, now);
    } finally {
      context.free();
    }
  }

  /** Everything the snapshot holds, as an object. */
  describe() { return describe(this.handle); }
}
