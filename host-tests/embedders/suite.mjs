// Everything a JavaScript build of the engine is asked, in any runtime: the shared vectors by every door, packed contexts, refusals,
// pulses, explanations. The answers of all embedders are the same bytes, so their hash is the same text.
//
// ANSWERS, for embedders in other languages: SHA-256, as hexadecimal, over these lines, each ended by LF: of every vector file in the
// order of index.json the decision text of every case; of refused/cases.json for every case the code, or `opens`; for every
// pulse (given one after the other to good.sealed) the code, or `taken`. EXPLAINED: the same over the explanations of the vectors.

const text = (bytes) => new TextDecoder().decode(bytes);

/** `engine`: the package's main module, loaded. `read(path)`: the bytes of a fixture. */
export async function answers(engine, read) {
  const tally = new Tally();
  const json = async (path) => JSON.parse(text(await read(path)));
  for (const name of (await json("index.json")).vectors) await vectors(engine, name, read, tally);
  await refusals(engine, read, tally);
  return tally.sum();
}

/** `tools`: the tools' module, loaded. It has taken the engine's place: nothing opened before lives. */
export async function explanations(tools, read) {
  const tally = new Tally();
  const json = async (path) => JSON.parse(text(await read(path)));
  for (const name of (await json("index.json")).vectors) {
    const told = new Map();
    for await (const [engine, cases] of pulsed(tools, name, read)) {
      for (const { name: title, context, flag, now, explain } of cases) {
        const trace = JSON.stringify(engine.explain(context, flag, now));
        tally.same(`explain: ${title}`, trace, explain);
        told.set(title, trace);
      }
      engine.free();
    }
    for (const { name: title } of (await json(`${name}/cases.json`)).cases) tally.line(told.get(title));
  }
  return tally.sum();
}

/** An engine under each pulse of a vector file, with the cases that ask it. */
async function* pulsed({ Flagstone }, name, read) {
  const { policy, pulses, cases } = JSON.parse(text(await read(`${name}/cases.json`)));
  const [trust, sealed] = [text(await read(`${name}/trust.txt`)), await read(`${name}/flags.sealed`)];
  for (const number of [null, ...pulses.keys()]) {
    const engine = new Flagstone(trust, sealed, policy);
    if (number !== null) engine.pulse(await read(`${name}/pulse-${number}.txt`), pulses[number].now);
    yield [engine, cases.filter(({ pulse }) => pulse === number)];
  }
}

async function vectors(engine, name, read, tally) {
  const told = new Map();
  for await (const [flags, cases] of pulsed(engine, name, read)) {
    for (const { name: title, context, flag, now, expect, packed } of cases) {
      const answer = flags.decision(context, flag, now);
      told.set(title, answer);
      tally.same(title, answer, expect);
      fast(engine, flags, { title, context, flag, now, expect: JSON.parse(expect), packed }, tally);
    }
    flags.free();
  }
  for (const { name: title } of JSON.parse(text(await read(`${name}/cases.json`))).cases) tally.line(told.get(title));
}

/** The doors that are counted in nanoseconds say the same. */
function fast({ pack }, flags, { title, context, flag, now, expect, packed }, tally) {
  const handles = [flags.context(context), flags.contextPacked(pack(context))];
  const index = flags.find(flag);
  tally.same(`find: ${title}`, index === undefined, packed === null);
  const halves = (low, high) => (BigInt(high) << 32n | BigInt(low)).toString(16).padStart(16, "0");
  for (const handle of handles) {
    if (index !== undefined) {
      const low = handle.evaluate(index, now);
      tally.same(`packed: ${title}`, halves(low, handle.rest()), packed);
      const all = handle.evaluateAll(now);
      tally.same(`all: ${title}`, halves(all[index * 2], all[index * 2 + 1]), packed);
    }
    for (const decision of [flags.decide(handle, flag, now), flags.decideAll(handle, now).get(flag), flags.decideOnce(context, flag, now)]) {
      const { value, variant, reason, errorCode, detail, arm, stage, cohort, remember } = decision;
      const read = [value ?? null, variant ?? null, reason, errorCode ?? null, detail ?? null, arm ?? null, stage ?? null, cohort ?? null,
        remember ?? null];
      const wanted = [expect.value, expect.variant, expect.reason, expect.errorCode, expect.detail, expect.arm,
        expect.stage?.index ?? null, expect.cohort?.index ?? null, expect.remember ?? null];
      tally.same(`decision: ${title}`, JSON.stringify(read), JSON.stringify(wanted));
    }
    handle.free();
  }
}

async function refusals({ Flagstone }, read, tally) {
  const { cases, pulses } = JSON.parse(text(await read("refused/cases.json")));
  const attempt = (run, otherwise) => {
    try {
      run();
      return otherwise;
    } catch (error) {
      return error.code ?? String(error);
    }
  };
  for (const { name, file, trust, policy, code } of cases) {
    const [note, bytes] = [text(await read(`refused/${trust}`)), await read(`refused/${file}`)];
    const told = attempt(() => new Flagstone(note, bytes, policy).free(), "opens");
    tally.same(name, told, code ?? "opens");
    tally.line(told);
  }
  const good = cases[0];
  const flags = new Flagstone(text(await read(`refused/${good.trust}`)), await read(`refused/${good.file}`), good.policy);
  for (const { file, now, code } of pulses) {
    const note = await read(`refused/${file}`);
    const told = attempt(() => flags.pulse(note, now), "taken");
    tally.same(file, told, code ?? "taken");
    tally.line(told);
  }
  tally.same("no context", attempt(() => flags.contextPacked(new Uint8Array([1, 0, 0, 0, 99])), "taken"), "context-value");
  flags.free();
}

/** What was asked, what was wrong, and the bytes that were answered. */
class Tally {
  passed = 0;
  failed = [];
  #lines = [];

  same(title, told, wanted) {
    if (told === wanted) this.passed += 1;
    else this.failed.push(`${title}: ${told} instead of ${wanted}`);
  }

  line(told) { this.#lines.push(told); }

  async sum() {
    const bytes = new TextEncoder().encode(this.#lines.map((line) => `${line}\n`).join(""));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return { passed: this.passed, failed: this.failed, digest: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") };
  }
}
