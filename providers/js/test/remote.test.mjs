// `door` and `Remote`: OFREP given and taken, tokens there and back, without any rule in the page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { door } from "../dist/door.js";
import { Live } from "../dist/live.js";
import { Remote } from "../dist/remote.js";
import { Tokens } from "../dist/tokens.js";
import { always, settings } from "./help.mjs";

async function pair(run) {
  const { clock, options } = settings("live", always("live/2.sealed"));
  const { audience, environment } = options;
  const live = new Live(options);
  await live.start();
  const facts = [];
  const reporter = { report: (fact) => facts.push(fact) };
  const tokens = new Tokens({ pepper: "07".repeat(32), audience, environment });
  const answer = door({ live, tokens, reporter, now: () => clock.now });
  const asked = [];
  const fetch = async (address, init) => {
    const request = new Request(address, init);
    asked.push(request.clone());
    return (await answer(request)) ?? new Response("not found", { status: 404 });
  };
  await run({ live, fetch, facts, asked, clock });
  await live.close();
}

const post = (fetch, path, body) => fetch(`http://edge.example${path}`, { method: "POST", body: JSON.stringify(body) });

test("one flag and all flags, with OFREP's answers", () => pair(async ({ fetch, facts }) => {
  const one = await post(fetch, "/ofrep/v1/evaluate/flags/greeting", { context: { targetingKey: "ana" } });
  assert.deepEqual([one.status, await one.json()], [200, {
    key: "greeting", reason: "STATIC", variant: "formal", value: "Good morning",
    metadata: { ticket: "AB-1", level: 2, "flagstone.state": "fresh" },
  }]);
  assert.equal(facts.length, 1, "one flag that is asked for is given");
  const missing = await post(fetch, "/ofrep/v1/evaluate/flags/no%20such", { context: {} });
  assert.deepEqual([missing.status, (await missing.json()).errorCode], [404, "FLAG_NOT_FOUND"]);
  const all = await (await post(fetch, "/ofrep/v1/evaluate/flags", { context: { targetingKey: "ana" } })).json();
  assert.deepEqual(all.flags.map(({ key, variant }) => [key, variant]), [["greeting", "formal"]]);
  assert.equal(facts.length, 1, "asking for everything gives nothing yet");
  for (const [body, code] of [[{}, "INVALID_CONTEXT"], [{ context: [] }, "INVALID_CONTEXT"], [{ context: {}, apply: 1 }, "PARSE_ERROR"]]) {
    const refused = await post(fetch, "/ofrep/v1/evaluate/flags", body);
    assert.deepEqual([refused.status, (await refused.json()).errorCode], [400, code]);
  }
  const garbled = await fetch("http://edge.example/ofrep/v1/evaluate/flags/x", { method: "POST", body: "{" });
  assert.deepEqual([garbled.status, (await garbled.json()).errorCode], [400, "PARSE_ERROR"]);
  assert.equal((await fetch("http://edge.example/elsewhere")).status, 404);
  const configuration = await fetch("http://edge.example/ofrep/v1/configuration");
  assert.equal((await configuration.json()).capabilities.cacheInvalidation.polling.minPollingIntervalMs, 10_000);
}));

test("a page gets decisions and tokens, and hands back what it showed", () => pair(async ({ fetch, facts }) => {
  const reporter = { report: ({ token }) => { given.push(token); } };
  const given = [];
  const remote = new Remote({ address: "http://edge.example", fetch, poll: 0, reporter });
  await remote.start({ targetingKey: "ana" });
  const evaluated = remote.evaluate({}, "greeting");
  assert.deepEqual([remote.state, evaluated.value, evaluated.metadata["flagstone.exposureToken"]], ["fresh", "Good morning", undefined]);
  remote.expose({}, evaluated);
  assert.equal(given.length, 1);
  const taken = await post(fetch, "/v1/exposures", { token: given[0] });
  assert.deepEqual([taken.status, facts.length, facts[0].event.flag], [200, 1, "greeting"]);
  assert.doesNotMatch(JSON.stringify(facts), /"ana"/);
  const forged = await post(fetch, "/v1/exposures", { token: `${given[0].slice(0, -2)}AA` });
  assert.deepEqual([forged.status, (await forged.json()).error], [403, "token-forged"]);
  assert.equal((await post(fetch, "/v1/exposures", {})).status, 400);
  await remote.close();
}));

test("what has not changed is not sent again", () => pair(async ({ fetch, asked, clock }) => {
  const remote = new Remote({ address: "http://edge.example", fetch, poll: 0, reporter: { report() {} } });
  const told = [];
  remote.on("changed", ({ flags }) => told.push(flags));
  await remote.start({ targetingKey: "ana" });
  const statuses = async () => {
    const again = asked.at(-1);
    const answer = await fetch(again.url, { method: "POST", headers: again.headers, body: await again.clone().text() });
    return answer.status;
  };
  await remote.refresh();
  assert.match(asked.at(-1).headers.get("if-none-match"), /^"[0-9a-f]{32}"$/);
  assert.deepEqual([told, await statuses()], [[], 304]);
  clock.now += 1_801;
  assert.equal(await statuses(), 200, "tokens have lived for half their time");
  await remote.context({ targetingKey: "bea" });
  assert.equal(asked.at(-1).headers.get("if-none-match"), null);
}));

test("no token without consent", () => pair(async ({ fetch }) => {
  const body = { context: { targetingKey: "ana", consent: ["trial"] }, exposureToken: true };
  const { metadata } = await (await post(fetch, "/ofrep/v1/evaluate/flags/greeting", body)).json();
  assert.equal(metadata["flagstone.exposureToken"], undefined);
}));

test("a host that is down leaves what was decided, until it is too old", async () => {
  let answers = [];
  let now = 1_000;
  const fetch = async () => {
    const next = answers.shift();
    if (!next) throw new Error("no route");
    return next;
  };
  const flags = (variant) => new Response(JSON.stringify({ flags: [{ key: "f", reason: "STATIC", variant, value: variant }, { key: "broken", errorCode: "PARSE_ERROR" }] }), { headers: { etag: `"${variant}"` } });
  const remote = new Remote({ address: "http://edge.example", fetch, poll: 0, now: () => now });
  const told = [];
  for (const name of ["ready", "changed", "stale", "fresh", "error"]) remote.on(name, (about) => told.push([name, about?.flags]));
  await remote.start({});
  assert.deepEqual([remote.state, remote.evaluate({}, "f").errorCode], ["empty", "PROVIDER_NOT_READY"]);
  answers = [flags("a"), flags("b"), new Response(null, { status: 304 })];
  await remote.refresh();
  await remote.refresh();
  await remote.refresh();
  assert.deepEqual([remote.evaluate({}, "f").value, remote.evaluate({}, "broken").errorCode, remote.evaluate({}, "g").errorCode],
    ["b", "PARSE_ERROR", "FLAG_NOT_FOUND"]);
  now += 300;
  await remote.refresh();
  assert.deepEqual([remote.state, remote.evaluate({}, "f").value], ["stale", "b"]);
  answers = [flags("b")];
  await remote.refresh();
  assert.deepEqual(told, [["error", undefined], ["ready", undefined], ["changed", ["f"]], ["error", undefined], ["stale", undefined],
    ["changed", []], ["fresh", undefined]]);
  answers = [new Response('{"errorCode":"INVALID_CONTEXT"}', { status: 400 })];
  await remote.context({ targetingKey: "bea" });
  assert.equal(remote.evaluate({}, "f").errorCode, "PROVIDER_NOT_READY", "another unit's decisions are not given");
});
