// The trust root rotates: `Live` follows it as the native host does, step by step, and never back.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Live, controlPlane, folder, packed, unpacked } from "../dist/live.js";
import { AUDIENCE, ENVIRONMENT, ISSUED, ROOT, key, payload, published, seal, trust } from "./world.mjs";

const [SHORT, FORMAL] = [payload("live/1.sealed"), payload("live/2.sealed")];
const [ROOT_TWO, RELEASE_TWO, PULSE_TWO] = [key("root-two", 11), key("release-two", 12), key("pulse-two", 13)];
const NEW_KEYS = { root: ROOT_TWO, release: RELEASE_TWO, pulse: PULSE_TWO };

/** A follower of `held`, its clock, and what it told. */
function follower(held, more = {}) {
  const clock = { now: ISSUED };
  const options = { trust: trust(), audience: AUDIENCE, environment: ENVIRONMENT, source: held.source, now: () => clock.now, poll: 0, trustPoll: 0 };
  const live = new Live({ ...options, ...more });
  const errors = [];
  live.on("error", ({ code, message }) => errors.push(code ?? message));
  return { live, clock, errors, value: () => live.evaluate({ targetingKey: "ana" }, "greeting").value };
}

/** Forty statements after the first; each has a root key of its own, signed for by the one before. */
function chain(length) {
  const roots = [ROOT, ...Array.from({ length }, (_, place) => key(`root-${place}`, 100 + place))];
  return Array.from({ length }, (_, place) => trust({ version: place + 2, root: roots[place + 1], signers: [roots[place]] }));
}

test("forty rotations that were missed are caught up in one look, and kept for the next start", async () => {
  const held = published();
  held.trust = chain(40);
  const one = seal(SHORT);
  held.put(one.pulse(1), one);
  let saved;
  const store = { read: async () => saved, write: async (kept) => { saved = kept; } };
  const { live, errors, value } = follower(held, { store });
  await live.start();
  assert.deepEqual([live.trustVersion, live.state, value(), errors], [41, "fresh", "Hi", []]);
  assert.deepEqual(held.asked, ["trust", ...Array.from({ length: 39 }, (_, place) => place + 2)]);
  await live.refresh();
  assert.deepEqual([held.asked.length, held.asked.at(-1)], [41, "trust"], "what is known is not walked again");
  await live.close();
  assert.equal(saved.trust.length, 40);
  saved = unpacked(packed(saved));
  const silent = { trust: async () => { throw new Error("no network"); }, pulse: async () => { throw new Error("no network"); } };
  const again = follower({ source: { ...held.source, ...silent } }, { store });
  await again.live.start();
  assert.deepEqual([again.live.trustVersion, again.value()], [41, "Hi"]);
  await again.live.close();
  // A later release of the program pins a newer one: what came before it is left behind.
  const newer = follower(held, { store, trust: held.trust[20] });
  await newer.live.start();
  assert.deepEqual([newer.live.trustVersion, newer.errors], [41, []]);
  await newer.live.close();
});

test("a chain longer than one look goes on at the next", async () => {
  const held = published();
  held.trust = chain(70);
  const { live } = follower(held);
  await live.start();
  assert.equal(live.trustVersion, 65);
  await live.refresh();
  assert.equal(live.trustVersion, 71);
  await live.close();
});

test("skips, rollbacks and strangers change nothing", async () => {
  const held = published();
  const steps = [chain(1)[0], trust({ version: 3, epoch: 2, root: key("root-1", 101), signers: [key("root-0", 100)] })];
  const one = seal(SHORT);
  held.put(one.pulse(1), one);
  held.trust = steps;
  const { live, errors, value } = follower(held);
  await live.start();
  assert.deepEqual([live.trustVersion, errors], [3, []]);
  const stranger = key("stranger", 66);
  const offered = [
    ["a rollback", steps[0], "trust-version"],
    ["the pinned one again", trust(), "trust-version"],
    ["a stranger's", trust({ version: 4, root: stranger }), "trust-version"],
    ["a stranger's of the same version", trust({ version: 3, root: stranger }), "trust-version"],
    ["no statement", "flagstone/trust@v1\n\n", "bad-note"],
    ["a skip, signed by the root in force", trust({ version: 5, root: ROOT, signers: [key("root-1", 101)] }), "trust-version"],
    ["a lower epoch", trust({ version: 4, epoch: 1, root: ROOT, signers: [key("root-1", 101)] }), "trust-epoch"],
  ];
  for (const [name, text, code] of offered) {
    errors.length = 0;
    held.trust = [steps[0], steps[1], text];
    held.missing = new Set([4]);
    await live.refresh();
    assert.deepEqual([live.trustVersion, live.state, value(), errors], [3, "fresh", "Hi", [code]], name);
  }
  await live.close();
});

test("a step that is missing is waited for, and what was walked stays walked", async () => {
  const held = published();
  held.trust = chain(6);
  held.missing = new Set([5]);
  const { live, errors } = follower(held);
  await live.start();
  assert.deepEqual([live.trustVersion, errors[0]], [4, "trust-version"]);
  held.missing.clear();
  await live.refresh();
  assert.equal(live.trustVersion, 7);
  await live.close();
});

test("a pulse by keys that are not known yet makes it look for them at once", async () => {
  const held = published();
  const one = seal(SHORT);
  held.put(one.pulse(9_999), one); // as a stolen key would number it
  const { live, clock, errors, value } = follower(held, { trustPoll: 1e9 });
  await live.start();
  assert.equal(value(), "Hi");
  const two = seal(FORMAL, { epoch: 2, release: RELEASE_TWO });
  held.trust = [trust({ version: 2, epoch: 2, ...NEW_KEYS, signers: [ROOT], issued: ISSUED + 5 })];
  held.put(two.pulse(1, { signer: PULSE_TWO }), two);
  clock.now += 10;
  await live.refresh();
  assert.deepEqual([live.trustVersion, value(), live.state, errors], [2, "Good morning", "fresh", ["threshold"]]);
  // By the old keys nothing comes any more: neither a file nor a halt.
  const stolen = seal(SHORT, { sequence: 99 });
  held.put(stolen.pulse(10_000, { halts: ["greeting"] }), stolen);
  await live.refresh();
  assert.deepEqual([value(), live.current.info.mark.epoch], ["Good morning", 2]);
  await live.close();
});

test("a snapshot that the new root refuses goes on, and no old pulse opens or halts anything in it", async () => {
  const held = published();
  const one = seal(SHORT);
  held.put(one.pulse(1), one);
  const { live, clock, errors, value } = follower(held);
  await live.start();
  held.trust = [trust({ version: 2, ...NEW_KEYS, signers: [ROOT] })];
  held.put(one.pulse(2, { halts: ["greeting"] }), one);
  await live.refresh();
  assert.deepEqual([live.trustVersion, value()], [2, "Hi"]);
  assert.ok(errors.includes("old-trust"), errors.join());
  assert.equal(live.evaluate({ targetingKey: "ana" }, "greeting").metadata["flagstone.detail"], undefined, "not halted");
  clock.now += 301;
  assert.equal(live.state, "stale");
  const two = seal(FORMAL, { sequence: 2, release: RELEASE_TWO, issued: clock.now });
  held.put(two.pulse(3, { signer: PULSE_TWO }), two);
  await live.refresh();
  assert.deepEqual([live.state, value()], ["fresh", "Good morning"]);
  await live.close();
});

test("a rotation that keeps the keys keeps decisions, lease and halts", async () => {
  const held = published();
  const one = seal(SHORT);
  held.put(one.pulse(1, { halts: ["greeting"] }), one);
  const { live, errors } = follower(held);
  await live.start();
  const decided = () => live.evaluate({ targetingKey: "ana" }, "greeting");
  const before = decided();
  assert.equal(before.metadata["flagstone.detail"], "halt");
  held.trust = [trust({ version: 2, root: ROOT_TWO, signers: [ROOT] })];
  held.put(undefined);
  await live.refresh();
  assert.deepEqual([live.trustVersion, live.state, decided(), errors], [2, "fresh", before, []]);
  await live.close();
});

test("over HTTP and from a folder", async () => {
  const asked = [];
  const steps = chain(2);
  const fetch = async (address, { headers }) => {
    asked.push([address.replace("http://c.example/v1/environments/test/", ""), headers["if-none-match"]]);
    if (headers["if-none-match"] === '"3"') return new Response(null, { status: 304 });
    if (address.endsWith("/trust")) return new Response(steps[1], { headers: { etag: '"3"' } });
    return address.endsWith("/trust/2") ? new Response(steps[0]) : new Response(null, { status: 404 });
  };
  const over = controlPlane("http://c.example", "test", { fetch });
  const text = (note) => note && new TextDecoder().decode(note);
  assert.deepEqual([text(await over.trust()), text(await over.trust(2)), await over.trust(), await over.trust(9)], [steps[1], steps[0], undefined, undefined]);
  assert.deepEqual(asked, [["trust", undefined], ["trust/2", undefined], ["trust", '"3"'], ["trust/9", undefined]]);
  const down = controlPlane("http://c.example", "test", { fetch: async () => new Response(null, { status: 503 }) });
  await assert.rejects(down.trust(), { code: "http" });

  const place = mkdtempSync(join(tmpdir(), "flagstone-trust-"));
  try {
    const one = seal(SHORT);
    mkdirSync(join(place, "snapshots"));
    const put = (name, content) => writeFileSync(join(place, name), content);
    put(`snapshots/${one.digest}`, one.file);
    put("pulse", one.pulse(1));
    const { live, value, errors } = follower({ source: folder(place) });
    await live.start();
    assert.deepEqual([live.trustVersion, value(), errors], [1, "Hi", []]);
    put("trust", steps[1]);
    put("trust.2", steps[0]);
    await live.refresh();
    assert.deepEqual([live.trustVersion, errors], [3, []]);
    await live.close();
  } finally {
    rmSync(place, { recursive: true });
  }
});
