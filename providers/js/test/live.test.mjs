// `Live`: what is put in force, what is refused, what is kept, and what is told.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Live, cacheStore, controlPlane, file, folder } from "../dist/live.js";
import { always, bytes, json, settings, text, until } from "./help.mjs";
import { plane } from "./plane.mjs";
import { pause } from "../dist/pace.js";
import { Parser } from "../dist/push.js";

const GREETING = { 1: "Hi", 2: "Good morning" };

async function follow(run, more = {}) {
  const control = await plane();
  const { clock, options } = settings("live", controlPlane(control.address, "test"));
  const live = new Live({ ...options, ...more });
  const told = [];
  for (const name of ["ready", "changed", "stale", "fresh", "error"]) live.on(name, (about) => told.push([name, about]));
  const fetched = () => control.state.asked.filter((line) => line.includes("snapshots")).length;
  const value = () => live.evaluate({ targetingKey: "ana" }, "greeting").value;
  try {
    await run({ live, control, clock, told, value, fetched, names: () => told.map(([name]) => name) });
  } finally {
    await live.close();
    await control.stop();
  }
}

test("a pulse says what is current, and the swap is whole", () => follow(async ({ live, control, value, names }) => {
  assert.equal(live.state, "empty");
  assert.equal(live.evaluate({}, "greeting").errorCode, "PROVIDER_NOT_READY");
  await live.start();
  assert.deepEqual([live.state, value(), names()], ["fresh", GREETING[1], ["ready"]]);
  control.state.pulse = 2;
  await live.refresh();
  assert.deepEqual([live.current.info.mark.sequence, value(), names()], [2, GREETING[2], ["ready", "changed"]]);
  await live.refresh();
  assert.deepEqual(names(), ["ready", "changed"], "nothing new, nothing told");
  assert.equal(control.state.asked.filter((line) => line.includes("snapshots")).length, 2, "what is known is not fetched again");
}));

test("a pulse whose file is not there yet is followed when it is", () => follow(async ({ live, control, value, names }) => {
  control.state.empty = true;
  await live.start();
  await live.refresh();
  assert.deepEqual([live.state, names()], ["empty", ["error", "error"]]);
  control.state.empty = false;
  await live.refresh();
  assert.equal(value(), GREETING[1]);
  Object.assign(control.state, { pulse: 2, empty: true });
  await live.refresh();
  assert.equal(value(), GREETING[1]);
  control.state.empty = false;
  await live.refresh();
  assert.deepEqual([value(), names()], [GREETING[2], ["error", "error", "ready", "error", "changed"]]);
}));

test("what was damaged on the way is asked for again, and the last good one stays", () => follow(async ({ live, control, value, told, fetched }) => {
  await live.start();
  control.state.pulse = 3;
  await live.refresh();
  await live.refresh();
  assert.deepEqual(told.slice(1).map(([name, { code }]) => [name, code]), [["error", "payload-digest"], ["error", "payload-digest"]]);
  assert.deepEqual([value(), fetched()], [GREETING[1], 3]);
  control.state.pulse = 2;
  await live.refresh();
  assert.deepEqual([told.at(-1)[1].code, live.current.info.mark.sequence], ["rollback", 1], "pulse 3 was taken for its halts");
}));

test("another snapshot than the pulse names is not taken for it", () => follow(async ({ live, control, value, told }) => {
  control.state.instead = 2; // signed, newer, and not what was asked for
  await live.start();
  assert.deepEqual([live.state, told.map(([, { code }]) => code)], ["empty", ["other-snapshot"]]);
  delete control.state.instead;
  await live.refresh();
  assert.deepEqual([live.state, value()], ["fresh", GREETING[1]]);
  Object.assign(control.state, { pulse: 2, instead: 1 }); // the one in force, again
  await live.refresh();
  assert.deepEqual([value(), told.at(-1)[1].code], [GREETING[1], "other-snapshot"]);
  delete control.state.instead;
  await live.refresh();
  assert.equal(value(), GREETING[2]);
}));

test("a file that verifies and is no snapshot is refused once and for all", () => follow(async ({ live, control, value, told, fetched }) => {
  await live.start();
  control.state.pulse = 4;
  await live.refresh();
  await live.refresh();
  assert.deepEqual([value(), told.at(-1)[1].code, told.length, fetched()], [GREETING[1], "snapshot-magic", 2, 2]);
}));

test("without news it goes stale with the lease and comes back with it", () => follow(async ({ live, control, clock, names, value }) => {
  await live.start();
  control.state.down = true;
  clock.now += 301;
  await live.refresh();
  assert.deepEqual([live.state, names()], ["stale", ["ready", "error", "stale"]]);
  assert.equal(value(), GREETING[1]);
  assert.equal(live.evaluate({}, "greeting").metadata["flagstone.state"], "stale");
  control.state.down = false;
  clock.now -= 301;
  await live.refresh();
  assert.deepEqual([live.state, names().at(-1)], ["fresh", "fresh"]);
  clock.now += 15 * 86_400;
  assert.equal(live.state, "expired");
}));

test("a start without a network takes what was kept, verified again", async () => {
  let kept;
  const store = { read: async () => kept, write: async (saved) => { kept = saved; } };
  await follow(async ({ live }) => { await live.start(); }, { store });
  assert.deepEqual(Object.keys(kept).sort(), ["file", "mark", "pulse"]);
  await follow(async ({ live, control, value }) => {
    control.state.down = true;
    await live.start();
    assert.deepEqual([live.state, value()], ["fresh", GREETING[1]]);
  }, { store });
  kept.file = kept.file.slice();
  kept.file[kept.file.length - 1] ^= 1;
  await follow(async ({ live, control, told }) => {
    control.state.down = true;
    await live.start();
    assert.deepEqual([live.state, told[0][1].code], ["empty", "payload-digest"]);
  }, { store });
});

test("a cache keeps the last good file as a whole", async () => {
  const kept = new Map();
  const cache = { match: async (address) => kept.get(address)?.clone(), put: async (address, answer) => void kept.set(address, answer) };
  const store = cacheStore(cache);
  assert.equal(await store.read(), undefined);
  await follow(async ({ live }) => { await live.start(); }, { store });
  await follow(async ({ live, control, value }) => {
    control.state.down = true;
    await live.start();
    assert.deepEqual([live.state, value()], ["fresh", GREETING[1]]);
  }, { store });
  kept.set([...kept.keys()][0], new Response("something else"));
  assert.equal(await store.read(), undefined);
});

test("a file older than what was seen is refused", async () => {
  const { options } = settings("live", always("live/2.sealed"));
  let path = "live/2.sealed";
  const live = new Live({ ...options, source: { snapshot: async () => bytes(path) } });
  const errors = [];
  live.on("error", ({ code }) => errors.push(code));
  await live.start();
  path = "live/1.sealed";
  await live.refresh();
  assert.deepEqual([live.current.info.mark.sequence, errors], [2, ["rollback"]]);
  await live.close();
});

test("a refused trust statement is fatal, a silent source is waited for in time", async () => {
  const { options } = settings("live", always("live/1.sealed"));
  await assert.rejects(new Live({ ...options, trust: text("refused/other-trust.txt") }).start(), { fatal: true, code: "bad-statement" });
  const silent = new Live({ ...options, source: { snapshot: () => new Promise(() => {}) }, startTimeout: 20 });
  await silent.start();
  assert.equal(silent.state, "empty");
});

test("a folder with the native host's names", async () => {
  const place = mkdtempSync(join(tmpdir(), "flagstone-folder-"));
  mkdirSync(join(place, "snapshots"));
  const { digests } = json("live/index.json");
  const put = (number) => {
    writeFileSync(join(place, "snapshots", digests[number - 1]), bytes(`live/${number}.sealed`));
    writeFileSync(join(place, "pulse"), bytes(`live/pulse-${number}.txt`));
  };
  put(1);
  const live = new Live(settings("live", folder(place)).options);
  const told = [];
  for (const name of ["changed", "error"]) live.on(name, () => told.push(name));
  await live.start();
  assert.deepEqual([live.state, live.current.info.mark.sequence], ["fresh", 1]);
  put(2);
  await live.refresh();
  await live.refresh();
  assert.deepEqual([live.current.info.mark.sequence, told], [2, ["changed"]]);
  rmSync(place, { recursive: true });
  await live.refresh();
  assert.deepEqual([live.state, told], ["fresh", ["changed", "error"]]);
  await live.close();
});

test("one file at an address is asked for by its tag, and answers are capped", async () => {
  const asked = [];
  const fetch = async (address, { headers }) => {
    asked.push(headers["if-none-match"]);
    if (headers["if-none-match"]) return new Response(null, { status: 304 });
    return new Response(bytes("live/1.sealed"), { headers: { etag: '"one"' } });
  };
  const source = file("http://files.example/flags.sealed", { fetch });
  assert.ok((await source.snapshot()).length > 100);
  assert.equal(await source.snapshot(), undefined);
  assert.deepEqual(asked, [undefined, '"one"']);
  await assert.rejects(file("http://files.example/x", { fetch, maxBytes: 50 }).snapshot(), { code: "too-large" });
});

test("the clock wound back changes nothing", () => follow(async ({ live, clock }) => {
  await live.start();
  clock.now -= 86_400;
  assert.equal(live.state, "fresh");
  await live.refresh();
  assert.equal(live.evaluate({}, "greeting").reason, "STATIC");
}));

test("waits are spread, and grow while nothing comes", () => {
  const waits = (failures) => [0, 0.5, 1].map((random) => pause(10, failures, () => random));
  assert.deepEqual(waits(0), [9_500, 10_000, 10_500]);
  assert.deepEqual([waits(1), waits(3), waits(40)], [[1_000, 10_000, 20_000], [1_000, 40_000, 80_000], [1_000, 150_000, 300_000]]);
});

test("looking between requests waits only for the first snapshot", () => follow(async ({ live, control, clock, value }) => {
  await live.look(10);
  assert.equal(value(), GREETING[1]);
  control.state.pulse = 2;
  const work = [];
  await live.look(10, (one) => work.push(one));
  assert.equal(work.length, 0, "too early");
  clock.now += 11;
  await live.look(10, (one) => work.push(one));
  assert.deepEqual([work.length, value()], [1, GREETING[1]]);
  await Promise.all(work);
  assert.equal(value(), GREETING[2]);
  await until(() => live.state === "fresh", "fresh");
}));

test("a pushed pulse is in force at once, and a stream that ends is opened again", () => follow(async ({ live, control, value }) => {
  control.state.streams = new Set();
  await live.start();
  await until(() => control.state.streams.size === 1, "a stream");
  control.state.pulse = 2;
  control.state.push();
  await until(() => value() === GREETING[2], "the second snapshot");
  assert.ok(!control.state.asked.slice(-2).some((line) => line.endsWith("/pulse")), "nobody asked");
  for (const stream of control.state.streams) stream.destroy();
  await until(() => control.state.asked.filter((line) => line.endsWith("/live")).length === 2, "another stream");
  await live.close();
  await until(() => control.state.streams.size === 0, "the stream's end");
}, { push: true }));

test("a stream is read as it comes, in pieces, and not without end", () => {
  const text = ": hello\r\nevent: pulse\r\nid:7\ndata: a\ndata:  b\ndata\nretry: 5\n\nevent: none\n\ndata:c\n\ndata: unfinished\n";
  const expected = [{ name: "pulse", data: "a\n b\n" }, { name: "message", data: "c" }];
  const whole = new TextEncoder().encode(text);
  for (const size of [1, 2, 7, whole.length]) {
    const parser = new Parser();
    const read = [];
    for (let at = 0; at < whole.length; at += size) read.push(...parser.feed(whole.subarray(at, at + size)));
    assert.deepEqual(read, expected, `pieces of ${size}`);
  }
  for (const endless of ["x", "data: x\n"]) {
    const parser = new Parser();
    const piece = new TextEncoder().encode(endless.repeat(20_000));
    assert.throws(() => { for (let fed = 0; fed < 40; fed += 1) parser.feed(piece); }, { code: "too-large" });
  }
});
