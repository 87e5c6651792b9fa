// The module, and asking it: text in, text out, through one room in its memory. It imports nothing, so there is nothing
// to give it.

let compiled;
let exports;

/** Fetches and compiles the module beside this file; returns its bytes' number. */
export async function load() {
  const answer = await fetch(new URL("flagstone-playground_bg.wasm", import.meta.url));
  if (!answer.ok) throw new Error(`the engine could not be fetched: HTTP ${answer.status}`);
  const bytes = await answer.arrayBuffer();
  compiled = await WebAssembly.compile(bytes);
  await start();
  return bytes.byteLength;
}

async function start() {
  exports = (await WebAssembly.instantiate(compiled, {})).exports;
}

/** Asks one question (docs/playground.md) and returns the answer. After a trap the instance is dropped for a new one. */
export async function ask(question) {
  const bytes = new TextEncoder().encode(JSON.stringify(question));
  try {
    const at = exports.scratch(bytes.length) >>> 0;
    new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
    const length = exports.ask(bytes.length) >>> 0;
    const text = new TextDecoder().decode(new Uint8Array(exports.memory.buffer, exports.scratch(0) >>> 0, length));
    return JSON.parse(text);
  } catch (error) {
    await start();
    return { fault: `the engine stopped at this (${error.message}) and was started anew` };
  }
}
