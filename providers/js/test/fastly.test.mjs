// examples/fastly in Viceroy, over HTTP. The guest is the native library in Rust; the questions are those of examples/worker. Without Viceroy,
// which `cargo xtask test` looks for and does not install, this says so and asks nothing.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { asked } from "./edge.mjs";
import { json, root, text } from "./help.mjs";
import { plane } from "./plane.mjs";
import { ROOT, key, payload, seal, trust as trustNote } from "./world.mjs";

const guest = process.env.FLAGSTONE_FASTLY_EXAMPLE;
const { program, quoted, viceroy } = await import(join(root, "host-tests/embedders/viceroy-start.mjs"));
const skip = program && guest ? false : "viceroy is not here: docs/embedders.md says how it is got";
const { now, audience, environment } = json("live/policy.json");

/** The example in Viceroy beside a control plane; `more`: further settings; `door`: answers in the control plane's place. */
async function served(run, more = {}, trust = text("live/trust.txt"), door = undefined) {
  const control = await plane({ door });
  const settings = { "control-plane": control.address, audience, environment, flag: "greeting", now: String(now), ...more };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}\n`).join("");
  const secret = (name, value) => `[[local_server.secret_stores.flagstone]]\nkey = "${name}"\ndata = ${quoted(value)}\n`;
  const server = await viceroy(guest, `[local_server.backends.control]\nurl = ${quoted(control.address)}
[local_server.config_stores.flagstone]\nformat = "inline-toml"\n[local_server.config_stores.flagstone.contents]\n${lines}
${secret("trust", trust)}${secret("pepper", "07".repeat(32))}`).catch(async (error) => {
    await control.stop();
    throw error;
  });
  try {
    await run(server.address, control);
  } catch (error) {
    throw new Error(`${error.message}\nviceroy said: ${server.said.join("").slice(-4_000)}`, { cause: error });
  } finally {
    await server.stop();
    await control.stop();
  }
}

const times = (control, what) => control.state.asked.filter((line) => line.includes(what)).length;

async function bulk(address, headers = {}, more = {}) {
  const body = JSON.stringify({ context: { targetingKey: "ana" }, ...more });
  const answer = await fetch(`${address}/ofrep/v1/evaluate/flags`, { method: "POST", body, headers });
  return { status: answer.status, tag: answer.headers.get("etag"), body: answer.status === 304 ? undefined : await answer.json() };
}

/** The page's flag as the bulk answer has it. */
async function greeting(address) {
  const { status, body } = await bulk(address);
  assert.equal(status, 200, JSON.stringify(body));
  const { value, metadata } = body.flags.find(({ key }) => key === "greeting");
  return [value, metadata["flagstone.state"]];
}

async function shown(address) {
  const answer = await fetch(address);
  assert.equal(answer.status, 200);
  return JSON.parse(/<script type="application\/json" id="decision">(.*)<\/script>/.exec(await answer.text())[1]);
}

test("examples/fastly in Viceroy", { skip }, () => served(async (address, control) => {
  await asked(address, control);
  assert.deepEqual([times(control, "/snapshots/"), times(control, "/pulse")], [1, 1], "sandboxes share what one of them fetched");
  const first = await bulk(address);
  const again = await bulk(address, { "if-none-match": first.tag });
  assert.deepEqual([again.status, again.body], [304, undefined]);
  const { metadata } = (await bulk(address, {}, { exposureToken: true })).body.flags.find(({ key }) => key === "greeting");
  const post = (token) => fetch(`${address}/v1/exposures`, { method: "POST", body: JSON.stringify({ token }) });
  assert.equal((await post(metadata["flagstone.exposureToken"])).status, 200);
  // One that the native host made.
  assert.equal((await post(json("events.json").cases[0].token)).status, 200, "any host with the pepper takes it");
  const refused = (context) => fetch(`${address}/ofrep/v1/evaluate/flags/greeting`, { method: "POST", body: JSON.stringify({ context }) });
  assert.deepEqual([(await refused([])).status, (await refused({ a: "x".repeat(150_000) })).status], [400, 400]);
}));

test("examples/fastly with a sandbox for every request", { skip }, () => served(async (address, control) => {
  control.state.pulse = 3; // names a file that is damaged
  assert.deepEqual([(await bulk(address)).status, (await bulk(address)).body.errorCode], [503, "PROVIDER_NOT_READY"]);
  const { value, reason, token } = await shown(address);
  assert.deepEqual([value, reason, token], [null, "ERROR", null], "the page's own default");
  control.state.pulse = 1;
  assert.deepEqual(await greeting(address), ["Hi", "fresh"]);
  control.state.pulse = 2;
  const formal = await greeting(address);
  assert.deepEqual([formal[0] !== "Hi", formal[1]], [true, "fresh"]);
  control.state.pulse = 3;
  assert.deepEqual(await greeting(address), [formal[0], "stale"], "the last good one stays; its pulse has been replaced");
  control.state.pulse = 1;
  assert.deepEqual(await greeting(address), formal, "an older pulse is refused");
  control.state.down = true;
  const before = times(control, "/snapshots/");
  assert.deepEqual(await greeting(address), formal);
  assert.equal(times(control, "/snapshots/"), before, "from the cache");
}, { poll: "0", requests: "1" }));

test("examples/fastly does not fetch again what was refused, before the next look", { skip }, () => served(async (address, control) => {
  control.state.pulse = 3;
  for (let again = 0; again < 3; again += 1) assert.equal((await bulk(address)).status, 503);
  assert.deepEqual([times(control, "/snapshots/"), times(control, "/pulse")], [1, 1]);
}, { poll: "600", requests: "1" }));

const held = new Map();
const door = async ({ url }) => {
  const found = held.get(new URL(url).pathname.replace("/v1/environments/test/", ""));
  return found && new Response(found);
};

test("examples/fastly follows rotations of the trust root, and the next sandbox remembers them", { skip }, () => served(async (address, control) => {
  const [root, release, pulse] = [key("root-two", 11), key("release-two", 12), key("pulse-two", 13)];
  const publish = (sealed, note) => {
    held.set(`snapshots/${sealed.digest}`, sealed.file);
    held.set("pulse", note);
  };
  const one = seal(payload("live/1.sealed"));
  publish(one, one.pulse(1));
  assert.deepEqual(await greeting(address), ["Hi", "fresh"]);
  const two = seal(payload("live/2.sealed"), { sequence: 2, release });
  publish(two, two.pulse(2, { signer: pulse }));
  assert.equal((await greeting(address))[0], "Hi", "nobody has said that these keys count");
  held.set("trust/2", trustNote({ version: 2, root, release, pulse, signers: [ROOT] }));
  held.set("trust", trustNote({ version: 3, root, release, pulse }));
  const formal = await greeting(address);
  assert.deepEqual([formal[0] !== "Hi", formal[1]], [true, "fresh"]);
  held.clear();
  control.state.down = true;
  assert.deepEqual(await greeting(address), formal);
}, { poll: "0", requests: "1" }, trustNote(), door));

test("examples/fastly with another trust note believes nothing", { skip }, () => served(async (address, control) => {
  assert.equal((await bulk(address)).status, 503);
  assert.equal((await shown(address)).value, null);
  assert.equal(times(control, "/pulse"), 0);
}, {}, text("live/trust.txt").replace("version 1\n", "version 2\n")));
