// The package against the real system, `flagstone up` (environment FLAGSTONE, else target/debug/flagstone): a pulse and a sealed file from the
// control plane, batches that it acknowledges, and exposure tokens that the native host and a JavaScript server give one another.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { door } from "../dist/door.js";
import { Live, controlPlane } from "../dist/live.js";
import { Remote } from "../dist/remote.js";
import { Batches } from "../dist/report.js";
import { Tokens } from "../dist/tokens.js";
import { root } from "./help.mjs";

const program = process.env.FLAGSTONE ?? join(root, "target/debug/flagstone");
const component = process.env.FLAGSTONE_COMPONENT ?? join(root, "target/guest/flagstone.component.wasm");
const skip = [program, component].every(existsSync) ? false : "`cargo build -p flagstone-cli` and `cargo xtask build` make what it starts";
const [audience, environment, flag] = ["local/flagstone", "local", "answers"];

async function up(run) {
  const folder = mkdtempSync(join(tmpdir(), "flagstone-real-"));
  copyFileSync(join(root, "examples/quickstart.yaml"), join(folder, "quickstart.yaml"));
  const words = ["up", "quickstart.yaml", "--json", "--auto-start", "--listen", "127.0.0.1:0", "--host-listen", "127.0.0.1:0"];
  const child = spawn(program, words, { cwd: folder, env: { ...process.env, FLAGSTONE_COMPONENT: component }, stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    const line = await new Promise((resolve, reject) => {
      let told = "";
      child.stdout.on("data", (data) => {
        told += data;
        if (told.includes("\n")) resolve(told.split("\n")[0]);
      });
      void ended.then((code) => reject(new Error(`flagstone up ended with ${code}`)));
    });
    const read = (name) => readFileSync(join(folder, ".flagstone", name), "utf8");
    const { govern, host } = JSON.parse(line);
    await run({ govern: `http://${govern}`, host: `http://${host}`, trust: read("trust.note"), pepper: read("pepper").trim() });
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the real control plane and host", { skip }, () => up(async ({ govern, host, trust, pepper }) => {
  const errors = [];
  const reporter = new Batches({
    address: `${govern}/v1/environments/${environment}/events`, pepper, linger: 0, onError: (error) => errors.push(error),
  });
  const live = new Live({ trust, audience, environment, source: controlPlane(govern, environment), poll: 0, reporter });
  live.on("error", (error) => errors.push(error));
  await live.start();
  for (let looks = 0; live.state !== "fresh" && looks < 200; looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // the first pulse may be on its way
    errors.length = 0;
    await live.refresh();
  }
  const staff = { targetingKey: "ana", email: "ana@acme.example" };
  const evaluated = live.evaluate(staff, flag);
  assert.deepEqual([live.state, evaluated.metadata["flagstone.stage"], evaluated.variant], ["fresh", "staff", "concise"]);
  live.expose(staff, evaluated);
  live.outcome(staff, "answer", { unsupported: false, request: "r1" });
  await reporter.flush();
  assert.deepEqual([reporter.counts.delivered, reporter.dropped, errors], [2, {}, []]);

  const tokens = new Tokens({ pepper, audience, environment });
  const ask = (address) => new Request(`${address}/ofrep/v1/evaluate/flags/${flag}`, {
    method: "POST", body: JSON.stringify({ context: staff, exposureToken: true }),
  });
  const theirs = await (await fetch(ask(host))).json();
  const ours = await (await door({ live, tokens, reporter })(ask("http://edge.example"))).json();
  const given = ({ metadata: { "flagstone.exposureToken": token, ...metadata } }) => [token, metadata];
  const [[theirToken, theirMetadata], [ourToken, ourMetadata]] = [given(theirs), given(ours)];
  assert.deepEqual([ours.value, ours.variant, ours.reason, ourMetadata], [theirs.value, theirs.variant, theirs.reason, theirMetadata]);
  const [opened, own] = [await tokens.open(theirToken), await tokens.open(ourToken)];
  assert.deepEqual({ ...opened, at_ms: 0 }, { ...own, at_ms: 0 }, "the same event, whoever made it");
  const redeemed = await fetch(`${host}/v1/exposures`, { method: "POST", body: JSON.stringify({ token: ourToken }) });
  assert.deepEqual([redeemed.status, await redeemed.json()], [200, { recorded: "yes" }]);

  const remote = new Remote({ address: host, poll: 0 });
  await remote.start(staff);
  assert.deepEqual(remote.evaluate({}, flag).value, evaluated.value);
  await live.close();
}));
