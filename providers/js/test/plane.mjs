// A control plane for tests, on loopback: gives the fixtures' pulses and sealed files, takes batches, and misbehaves when told to.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { bytes, json } from "./help.mjs";

const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };

/** `door`: answers what it knows as a host would; pages find the package below /package/. */
export async function plane({ door } = {}) {
  const { digests } = json("live/index.json");
  const state = { pulse: 1, down: false, empty: false, batches: [], answer: undefined, asked: [], tokens: [] };
  /** Sends the pulse in force to one stream, or to all; the note's lines are the event's. */
  state.push = (...streams) => {
    const note = Buffer.from(bytes(`live/pulse-${state.pulse}.txt`)).toString();
    const event = `event: pulse\nid: "${state.pulse}"\n${note.split("\n").map((line) => `data: ${line}\n`).join("")}\n`;
    for (const stream of streams.length > 0 ? streams : state.streams) stream.write(event);
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    state.asked.push(`${request.method} ${request.url}`);
    const send = (status, content = "", headers = {}) => response.writeHead(status, headers).end(content);
    if (request.url === "/") return send(200, "<!doctype html><title>page</title>", { "content-type": "text/html" });
    if (/^\/package\/[\w-]+\.\w+$/.test(request.url)) {
      const file = readFileSync(new URL(`../dist/${request.url.slice(9)}`, import.meta.url));
      return send(200, file, { "content-type": TYPES[extname(request.url)] });
    }
    if (state.down) return send(503);
    if (door) {
      const asked = new Request(`http://host.example${request.url}`, { method: request.method, ...(body ? { body } : {}) });
      const answer = await door(asked);
      if (answer) return send(answer.status, Buffer.from(await answer.arrayBuffer()), Object.fromEntries(answer.headers));
    }
    const path = request.url.replace("/v1/environments/test/", "");
    if (request.method === "POST" && path === "events") {
      const batch = JSON.parse(body);
      const { status = 200, batch: named = batch.id } = state.answer ?? {};
      state.batches.push({ ...batch, authorization: request.headers.authorization });
      return send(status, JSON.stringify({ batch: named }));
    }
    if (request.method === "POST" && request.url === "/v1/exposures") {
      state.tokens.push(JSON.parse(body).token);
      return send(200, '{"recorded":"yes"}');
    }
    if (path === "pulse/live") {
      if (!state.streams) return send(404);
      response.writeHead(200, { "content-type": "text/event-stream" });
      state.streams.add(response);
      response.once("close", () => state.streams.delete(response));
      return state.push(response);
    }
    if (path === "pulse") {
      const tag = `"${state.pulse}"`;
      if (request.headers["if-none-match"] === tag) return send(304);
      return send(200, bytes(`live/pulse-${state.pulse}.txt`), { etag: tag });
    }
    const place = digests.indexOf(path.replace("snapshots/", ""));
    return place < 0 || state.empty ? send(404) : send(200, bytes(`live/${state.instead ?? place + 1}.sealed`));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${server.address().port}`;
  const stop = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { address, digests, state, stop };
}
