// What OpenFeature adds: our providers and flagd's through the SDKs, beside providers that do nothing, and both server providers
// without the SDK.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { schedule } from "./schedule.mjs";

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const METHOD = { boolean: "Boolean", string: "String", number: "Number", object: "Object" };
const OTHERWISE = { boolean: false, string: "", number: 0, object: {} };

/** Does nothing, as quickly as a provider can. */
const nothing = (later) => {
  const resolve = later
    ? async (_key, value) => ({ value, reason: "STATIC" })
    : (_key, value) => ({ value, reason: "STATIC" });
  return {
    metadata: { name: "nothing" },
    resolveBooleanEvaluation: resolve, resolveStringEvaluation: resolve, resolveNumberEvaluation: resolve, resolveObjectEvaluation: resolve,
  };
};

/** `later`: cases whose calls give promises; `now`: cases whose calls give values. `close` ends what they opened. */
export async function providers(built, fixtures, contexts, workload) {
  const of = (name) => import(pathToFileURL(join(built, name)));
  const [{ Live }, { FlagstoneProvider }, { FlagstoneWebProvider }] = [await of("live.js"), await of("openfeature-server.js"), await of("openfeature-web.js")];
  // The SDKs that the package itself is tested with.
  const require = createRequire(join(built, "index.js"));
  const [server, web] = [require("@openfeature/server-sdk"), require("@openfeature/web-sdk")];
  // Its own copy of the SDK gives it names only; the one above asks it.
  const { FlagdProvider } = createRequire(import.meta.url)("@openfeature/flagd-provider");
  const { now, ...policy } = JSON.parse(await readFile(join(fixtures, "policy.json"), "utf8"));
  const live = async () => {
    const file = new Uint8Array(await readFile(join(fixtures, "w100.sealed")));
    return new Live({
      ...policy, trust: await readFile(join(fixtures, "trust.txt"), "utf8"), source: { snapshot: async () => file }, now: () => now, poll: 0,
    });
  };
  const ours = new FlagstoneProvider(await live());
  await server.OpenFeature.setProviderAndWait("ours", ours);
  await server.OpenFeature.setProviderAndWait("nothing", nothing(true));
  // In this process, from the definition on disk: as near to ours as it gets.
  const flagd = new FlagdProvider({ resolverType: "in-process", offlineFlagSourcePath: join(workload, "flagd100.json") }, quiet);
  await server.OpenFeature.setProviderAndWait("flagd", flagd);
  await web.OpenFeature.setProviderAndWait("ours", new FlagstoneWebProvider(await live()));
  await web.OpenFeature.setProviderAndWait("nothing", nothing(false));
  await web.OpenFeature.setContext(contexts[0]);
  const one = await live();
  await one.start();
  const listed = one.current.flags.map(({ key, kind }) => [key, kind]);
  await one.close();
  const asking = (call) => {
    const next = schedule(contexts.length, listed.length);
    return () => {
      const [context, flag] = next();
      const [key, kind] = listed[flag];
      return call(contexts[context], key, METHOD[kind], OTHERWISE[kind]);
    };
  };
  const task = "one-flag-openfeature";
  const client = (sdk, domain) => sdk.OpenFeature.getClient(domain);
  const details = (of) => asking((context, key, kind, otherwise) => of[`get${kind}Details`](key, otherwise, context));
  const still = (of) => asking((_context, key, kind, otherwise) => of[`get${kind}Details`](key, otherwise));
  for (const [key, kind] of listed) {
    const asked = [key, OTHERWISE[kind], contexts[0]];
    const { variant, errorCode } = await client(server, "ours")[`get${METHOD[kind]}Details`](...asked);
    const { variant: same } = client(web, "ours")[`get${METHOD[kind]}Details`](...asked.slice(0, 2));
    const { variant: theirs } = await client(server, "flagd")[`get${METHOD[kind]}Details`](...asked);
    if (errorCode || !variant || variant !== same || variant !== theirs) {
      throw new Error(`the providers answer \`${[variant, same, theirs].join("`, `")}\` (${errorCode}) for \`${key}\``);
    }
  }
  return {
    later: [
      { engine: "flagstone provider, no SDK", task, call: asking((context, key, kind, otherwise) => ours[`resolve${kind}Evaluation`](key, otherwise, context, quiet)) },
      { engine: "flagd's provider, no SDK", task, call: asking((context, key, kind, otherwise) => flagd[`resolve${kind}Evaluation`](key, otherwise, context, quiet)) },
      { engine: "flagstone, server SDK", task, call: details(client(server, "ours")) },
      { engine: "flagd's provider, server SDK", task, call: details(client(server, "flagd")) },
      { engine: "a provider that does nothing, server SDK", task, call: details(client(server, "nothing")) },
    ],
    now: [
      { engine: "flagstone, web SDK", task, call: still(client(web, "ours")) },
      { engine: "a provider that does nothing, web SDK", task, call: still(client(web, "nothing")) },
    ],
    async close() {
      await server.OpenFeature.close();
      await web.OpenFeature.close();
    },
  };
}
