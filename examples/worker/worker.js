// For Cloudflare Workers: `wrangler deploy` with wrangler.toml beside this file. The engine's module is compiled when the Worker is
// deployed; importing the package's main entry is what brings it.
import "@flagstone/flags";
import { app } from "./app.js";

let answer;

export default {
  fetch(request, env, context) {
    // Not at the top: an isolate may not draw random numbers before its first request.
    answer ??= app(env, caches.default);
    return answer(request, (work) => context.waitUntil(work));
  },
};
