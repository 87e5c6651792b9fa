// The worker that workerd.mjs asks: the suite and the loops, over HTTP. workerd compiles no module while it runs, so both come compiled.
import * as engine from "./flagstone.js";
import evaluator from "./flagstone_bg.wasm";
import * as tools from "./flagstone-tools.js";
import toolsModule from "./flagstone-tools_bg.wasm";
import { answers, explanations } from "./suite.mjs";
import { loops, swaps, workload } from "./measure.mjs";

const instance = new WebAssembly.Instance(evaluator, {});
engine.adopt(instance.exports);
const { memory } = instance.exports;
let w;
let timed;

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const read = async (path) => {
      const answer = await env.FIXTURES.fetch(`http://fixtures/${path}`);
      if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
      return new Uint8Array(await answer.arrayBuffer());
    };
    const times = Number(searchParams.get("times") ?? 0);
    if (pathname === "/answers") return Response.json(await answers(engine, read));
    if (pathname === "/open") {
      w = await workload(engine, read);
      if (!w) return Response.json({ open: false });
      const flags = w.open();
      const { reason } = flags.decideOnce({ targetingKey: "ana", country: "de" }, 0, w.policy.now);
      timed = loops(flags, w.policy.now);
      return Response.json({ open: reason !== "ERROR", memoryBytes: memory.buffer.byteLength });
    }
    if (pathname === "/one") return Response.json(Boolean(timed.one(times)));
    if (pathname === "/all") return Response.json(Boolean(timed.all(times)));
    if (pathname === "/swaps") return Response.json(swaps(w.open, memory, w.policy.now));
    if (pathname === "/explanations") {
      await tools.load(toolsModule);
      return Response.json(await explanations(tools, read));
    }
    return new Response("not found", { status: 404 });
  },
};
