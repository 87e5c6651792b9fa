// Node: `node node.mjs FIXTURES PACKAGE/dist`.
import { fileURLToPath } from "node:url";
import { run } from "../local.mjs";

await run("node", process.versions.node, [process.execPath, fileURLToPath(import.meta.url)]);
