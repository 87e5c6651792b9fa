// A tiny static server on loopback: the page, the browser build under /browser, the playground under /playground, the
// fixtures under /fixtures.
// `node serve.mjs` prints its address.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { dirname, extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../../target");
export const BROWSER = process.env.BROWSER_BUILD ?? join(target, "guest/browser");
export const PLAYGROUND = process.env.PLAYGROUND ?? join(target, "guest/playground");
export const FIXTURES = process.env.FIXTURES ?? join(target, "fixtures");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
  ".wasm": "application/wasm", ".txt": "text/plain; charset=utf-8" };

function place(path) {
  for (const [prefix, folder] of [["/browser/", BROWSER], ["/playground/", PLAYGROUND], ["/fixtures/", FIXTURES]]) {
    if (path.startsWith(prefix)) return [folder, path.slice(prefix.length) || "index.html"];
  }
  return [here, path === "/" ? "index.html" : path.slice(1)];
}

/** Starts the server; resolves to it and its address. Port 0 takes a free one. */
export function serve(port = 0) {
  const server = createServer(async (request, response) => {
    const [folder, name] = place(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const file = normalize(join(folder, name));
    try {
      if (!file.startsWith(folder + sep)) throw new Error("outside");
      const bytes = await readFile(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(bytes);
    } catch {
      response.writeHead(404).end("not found");
    }
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve({ server, address: `http://127.0.0.1:${server.address().port}/` }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log((await serve(8787)).address);
