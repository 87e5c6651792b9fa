// The engine with explanations and inspection, for people who debug. It is another build with a memory of its own: use
// either this or the plain one in a page.
export * from "./flagstone-tools.js";
