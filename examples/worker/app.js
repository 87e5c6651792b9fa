// A server at the edge: keeps the newest verified snapshot, decides in the isolate, and reports what was shown. The same code runs in
// Cloudflare's workerd (worker.js), Deno and Bun (serve.js).
import { door } from "@flagstone/flags/door";
import { Live, controlPlane } from "@flagstone/flags/live";
import { Batches, exposure } from "@flagstone/flags/report";
import { Tokens } from "@flagstone/flags/tokens";

/**
 * `settings`: `CONTROL_PLANE` (address), `TRUST` (the pinned trust statement), `AUDIENCE`, `ENVIRONMENT`, `PEPPER` (64 hexadecimal
 * digits, the hosts'), `FLAG` (the one that the page shows), and `NOW` (unix seconds) for tests and drills.
 * `cache`: where sealed files stay between isolates.
 */
export function app({ CONTROL_PLANE, TRUST, AUDIENCE, ENVIRONMENT, PEPPER, FLAG, NOW }, cache) {
  const now = NOW ? () => Number(NOW) : () => Date.now() / 1000;
  const live = new Live({
    trust: TRUST, audience: AUDIENCE, environment: ENVIRONMENT, now, poll: 0,
    source: controlPlane(CONTROL_PLANE, ENVIRONMENT, { cache }),
  });
  live.on("error", ({ message }) => console.warn("flagstone:", message));
  const reporter = new Batches({
    address: `${CONTROL_PLANE}/v1/environments/${ENVIRONMENT}/events`, pepper: PEPPER, linger: 0,
    onError: ({ message }) => console.warn("flagstone: not reported yet:", message),
  });
  const tokens = new Tokens({ pepper: PEPPER, audience: AUDIENCE, environment: ENVIRONMENT });
  const ofrep = door({ live, tokens, reporter, now });

  /** `waitUntil` keeps the isolate alive for what need not be waited for. */
  return async (request, waitUntil) => {
    await live.look(10, waitUntil);
    const answer = (await ofrep(request)) ?? (await page(request, { live, tokens, flag: FLAG, now: now() }));
    waitUntil(reporter.flush());
    return answer;
  };
}

/** The page: its flag decided here, and a token with which it says that it was seen. */
async function page(request, { live, tokens, flag, now }) {
  if (new URL(request.url).pathname !== "/") return new Response("not found", { status: 404 });
  const known = /(?:^|; )unit=([0-9a-f-]{36})/.exec(request.headers.get("cookie") ?? "")?.[1];
  const unit = known ?? crypto.randomUUID();
  const attributes = { targetingKey: unit };
  const { value, variant, reason } = live.evaluate(attributes, flag);
  const fact = live.current && exposure(live.current, attributes, flag, now);
  const told = { flag, value: value ?? null, variant: variant ?? null, reason, token: (fact && (await tokens.seal(fact))) ?? null };
  const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" };
  if (!known) headers["set-cookie"] = `unit=${unit}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000`;
  return new Response(PAGE.replace("{}", JSON.stringify(told).replaceAll("<", "\\u003c")), { headers });
}

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Flagstone at the edge</title>
<link rel="icon" href="data:,">
<style>:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif } main { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }</style>
<main><h1 id="shown">Welcome</h1><p id="why"></p></main>
<script type="application/json" id="decision">{}</script>
<script type="module">
const { flag, value, variant, reason, token } = JSON.parse(document.getElementById("decision").textContent);
if (value !== null) document.getElementById("shown").textContent = value;
document.getElementById("why").textContent = \`\${flag}: \${variant ?? "the page's own default"} (\${reason}), decided at the edge\`;
if (token) navigator.sendBeacon("/v1/exposures", new Blob([JSON.stringify({ token })], { type: "application/json" }));
</script>
</html>
`;
