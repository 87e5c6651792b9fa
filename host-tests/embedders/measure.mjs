// What is measured in every runtime, on W: one decision, all flags, memory, and memory under swaps. A clock is an argument, since some
// runtimes have none that runs.

/** Opens W, undefined when the fixtures were made without it. */
export async function workload({ Flagstone }, read) {
  const text = (bytes) => new TextDecoder().decode(bytes);
  let policy;
  try {
    policy = JSON.parse(text(await read("w100/policy.json")));
  } catch {
    return undefined;
  }
  const [trust, sealed] = [text(await read("w100/trust.txt")), await read("w100/flags.sealed")];
  return { policy, open: () => new Flagstone(trust, sealed, policy) };
}

/** A context such as W's. */
export const attributes = (unit) => ({
  targetingKey: `user-${unit}-fdec65fe-5e1c`, country: ["de", "us", "jp", "br"][unit % 4], appVersion: `${unit % 9}.${unit % 7}.1`,
  email: `user${unit}@${unit % 2 ? "example.com" : "acme.example"}`, plan: "pro", age: 20 + (unit % 50), beta: unit % 2 === 0, locale: "en",
});

/** Loops to be timed: `one(times)` decides one flag at a time by index for resident contexts, `all(times)` all flags in one call. */
export function loops(flags, now) {
  const contexts = Array.from({ length: 64 }, (_, unit) => flags.context(attributes(unit)));
  let kept;
  return {
    one(times) {
      for (let at = 0; at < times; at++) kept = flags.decide(contexts[at & 63], (at * 7) % 100, now);
      return kept;
    },
    all(times) {
      for (let at = 0; at < times; at++) kept = flags.decideAll(contexts[at & 63], now);
      return kept;
    },
  };
}

/** Nanoseconds for one turn: the best of many short rounds, after warming up. Machines are shared, and what else runs only adds. */
export function time(loop, clock = () => performance.now()) {
  let times = 16;
  const round = () => {
    const start = clock();
    loop(times);
    return clock() - start;
  };
  for (let warm = 0; warm < 8; warm++) loop(2_000);
  while (round() < 4) times *= 2;
  const best = Math.min(...Array.from({ length: 40 }, round));
  return Math.round((best / times) * 1e6);
}

/** 50,000 decisions, a hundred between one swap and the next; what the engine's memory was after twenty swaps, and at the end. */
export function swaps(open, memory, now) {
  let engine = open();
  const round = () => {
    const next = open();
    engine.free();
    engine = next;
    const context = engine.context(attributes(1));
    for (let flag = 0; flag < 50; flag++) {
      engine.decide(context, flag, now);
      engine.decideOnce(attributes(flag), flag, now);
    }
    if (engine.flags.length % 2) context.free(); // otherwise it goes with its engine
  };
  for (let warm = 0; warm < 20; warm++) round();
  const before = memory.buffer.byteLength;
  for (let swap = 0; swap < 500; swap++) round();
  engine.free();
  return { decisions: 50_000, memoryBefore: before, memoryAfter: memory.buffer.byteLength };
}
