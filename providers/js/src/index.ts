// The engine, for browsers, Node, Deno and Bun: `await load()`, then `new Flagstone(…)`. Workers take workerd.ts instead.
export * from "./flagstone.js";
