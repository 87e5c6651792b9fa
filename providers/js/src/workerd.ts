// The engine in Cloudflare Workers, which compile no WebAssembly while they run: the module comes compiled with the Worker,
// and is instantiated when the Worker starts.
import { adopt } from "./flagstone.js";
import module from "./flagstone_bg.wasm";

export * from "./flagstone.js";

adopt(new WebAssembly.Instance(module, {}).exports);

/** The engine is there already; this is here so that the same code runs everywhere. */
export async function load(): Promise<void> {}
