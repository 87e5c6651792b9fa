// For Deno and Bun: the settings come from the environment, PORT is 8080 unless it says otherwise (0 takes a free one).
//   deno run --allow-net --allow-env --allow-read serve.js
//   bun serve.js
import process from "node:process";
import { app } from "./app.js";

const answer = app(process.env, undefined);
const handle = (request) => answer(request, (work) => void work);
const port = Number(process.env.PORT ?? 8080);
const server = globalThis.Deno
  ? Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, handle)
  : Bun.serve({ port, hostname: "127.0.0.1", fetch: handle });
console.log(`http://127.0.0.1:${server.addr?.port ?? server.port}`);
