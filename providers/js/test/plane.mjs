// A control plane for tests, on loopback: gives the fixtures' pulses and sealed files, takes batches, and misbehaves when told to.
import { createServer } from "node:http";
import { bytes, json } from "./help.mjs";

export async function plane() {
  const { digests } = json("live/index.json");
  const state = { pulse: 1, down: false, batches: [], answer: undefined, asked: [], tokens: [] };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    state.asked.push(`${request.method} ${request.url}`);
    const send = (status, content = "", headers = {}) => response.writeHead(status, headers).end(content);
    if (state.down) return send(503);
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
    if (path === "pulse") {
      const tag = `"${state.pulse}"`;
      if (request.headers["if-none-match"] === tag) return send(304);
      return send(200, bytes(`live/pulse-${state.pulse}.txt`), { etag: tag });
    }
    const place = digests.indexOf(path.replace("snapshots/", ""));
    return place < 0 ? send(404) : send(200, bytes(`live/${place + 1}.sealed`));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${server.address().port}`;
  const stop = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { address, digests, state, stop };
}
