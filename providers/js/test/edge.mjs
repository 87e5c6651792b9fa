// What is asked of every server at the edge, whatever it is written in and wherever it runs: a page with a decision and its token, the token
// back, events without the unit's key, OFREP for a page without rules.
import assert from "node:assert/strict";
import { Remote } from "../dist/remote.js";

/** What is asked of every edge server. */
export async function asked(address, control) {
  const first = await fetch(address);
  assert.deepEqual([first.status, first.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  const cookie = first.headers.get("set-cookie").split(";")[0];
  const told = async (answer) => JSON.parse(/<script type="application\/json" id="decision">(.*)<\/script>/.exec(await answer.text())[1]);
  const { token, ...shown } = await told(first);
  assert.deepEqual(shown, { flag: "greeting", value: "Hi", variant: "short", reason: "STATIC" });
  const again = await fetch(address, { headers: { cookie } });
  assert.deepEqual([again.headers.get("set-cookie"), (await told(again)).token], [null, token], "the same unit");

  assert.equal(control.state.batches.length, 0, "nothing is reported before it is shown");
  const post = (path, body) => fetch(address + path, { method: "POST", body: JSON.stringify(body) });
  assert.equal((await post("/v1/exposures", { token })).status, 200);
  assert.equal((await post("/v1/exposures", { token: `${token}AAAA` })).status, 403);
  for (let tries = 0; control.state.batches.length === 0 && tries < 400; tries += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  const [{ events: [event] }] = control.state.batches;
  assert.deepEqual([event.type, event.flag, event.variant, event.snapshot.digest], ["exposure", "greeting", "short", control.digests[0]]);
  assert.ok(!JSON.stringify(control.state.batches).includes(cookie.slice(5)), "the unit's key stays");

  const remote = new Remote({ address, poll: 0, reporter: { report() {} } });
  await remote.start({ targetingKey: "ana" });
  const { value, metadata } = remote.evaluate({}, "greeting");
  assert.deepEqual([value, metadata], ["Hi", { ticket: "AB-1", level: 2, "flagstone.state": "fresh" }]);
  assert.equal((await fetch(`${address}/nowhere`)).status, 404);
}
