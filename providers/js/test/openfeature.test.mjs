// What the specification's features leave out: events in their order, exposures, tracking, and another context in a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as server from "@openfeature/server-sdk";
import * as web from "@openfeature/web-sdk";
import { Live, controlPlane } from "../dist/live.js";
import { Remote } from "../dist/remote.js";
import { FlagstoneProvider } from "../dist/openfeature-server.js";
import { FlagstoneWebProvider } from "../dist/openfeature-web.js";
import { settings, until } from "./help.mjs";
import { plane } from "./plane.mjs";

for (const [name, sdk, Provider] of [["server", server, FlagstoneProvider], ["web", web, FlagstoneWebProvider]]) {
  test(`${name}: ready, changed, stale, ready again`, async () => {
    const control = await plane();
    const facts = [];
    const { clock, options } = settings("live", controlPlane(control.address, "test"));
    const live = new Live({ ...options, reporter: { report: (fact) => facts.push(fact) } });
    const domain = `events-${name}`;
    const told = [];
    const client = sdk.OpenFeature.getClient(domain);
    for (const event of Object.values(sdk.ProviderEvents)) client.addHandler(event, (details) => told.push([event.replace("PROVIDER_", ""), details?.flagsChanged]));
    await sdk.OpenFeature.setProviderAndWait(domain, new Provider(live));
    const events = () => told.map(([event]) => event).filter((event) => event !== "CONTEXT_CHANGED");
    await until(() => events().includes("READY"), "ready");
    control.state.pulse = 2;
    await live.refresh();
    control.state.down = true;
    clock.now += 600;
    await live.refresh();
    assert.equal(client.providerStatus, "STALE");
    const value = await client.getStringValue("greeting", "none", { targetingKey: "ana" });
    assert.equal(value, "Good morning", "stale decisions are given");
    control.state.down = false;
    clock.now -= 600;
    await live.refresh();
    assert.deepEqual(events(), ["READY", "CONFIGURATION_CHANGED", "STALE", "READY"]);
    assert.deepEqual(told.find(([event]) => event === "CONFIGURATION_CHANGED")[1], ["greeting"]);
    if (name === "server") {
      assert.deepEqual(facts.map(({ type, unit, variant }) => [type, unit, variant]), [["exposure", "ana", "formal"]]);
      client.track("answer", { targetingKey: "ana", consent: ["analytics"] }, { value: 1.5, unsupported: false, prompt: "secret", slices: { language: "en" }, request: "r1" });
      const { measures, booleans, slices, request, analytics } = facts[1];
      assert.deepEqual({ measures, booleans, slices, request, analytics },
        { measures: { value: 1.5 }, booleans: { unsupported: false }, slices: { language: "en" }, request: "r1", analytics: true });
      await client.getBooleanValue("greeting", false, { targetingKey: "ana" });
      assert.equal(facts.length, 2, "what was not given is no exposure");
    }
    await sdk.OpenFeature.clearProviders();
    await control.stop();
  });

  test(`${name}: a start without a snapshot is an error until one comes`, async () => {
    const control = await plane();
    control.state.down = true;
    const { options } = settings("live", controlPlane(control.address, "test"));
    const live = new Live(options);
    const domain = `late-${name}`;
    await assert.rejects(sdk.OpenFeature.setProviderAndWait(domain, new Provider(live)), /no (snapshot|decisions)/);
    const client = sdk.OpenFeature.getClient(domain);
    assert.equal(client.providerStatus, "ERROR");
    control.state.down = false;
    await live.refresh();
    assert.equal(client.providerStatus, "READY");
    assert.equal(await client.getStringValue("greeting", "none"), "Hi");
    await sdk.OpenFeature.clearProviders();
    await control.stop();
  });
}

test("web: another context is asked for, and the SDK says so", async () => {
  const asked = [];
  const tokens = [];
  const fetch = async (_address, { body }) => {
    const { context } = JSON.parse(body);
    asked.push(context.targetingKey);
    const metadata = { "flagstone.exposureToken": `token of ${context.targetingKey}` };
    return new Response(JSON.stringify({ flags: [{ key: "f", reason: "SPLIT", variant: "v", value: context.targetingKey ?? "nobody", metadata }] }));
  };
  const remote = new Remote({ address: "http://edge.example", fetch, poll: 0, reporter: { report: ({ token }) => tokens.push(token) } });
  await web.OpenFeature.setContext({ targetingKey: "ana" });
  await web.OpenFeature.setProviderAndWait("remote", new FlagstoneWebProvider(remote));
  const client = web.OpenFeature.getClient("remote");
  assert.equal(client.getStringValue("f", "none"), "ana");
  await web.OpenFeature.setContext({ targetingKey: "bea" });
  assert.equal(client.getStringValue("f", "none"), "bea");
  assert.deepEqual([asked, tokens], [["ana", "bea"], ["token of ana", "token of bea"]]);
  await web.OpenFeature.clearProviders();
});
