// Rounds of timing, as host-tests/bench/measure/src/rounds.rs has them: all cases in rotation, batches of about
// 50 µs, rounds of about 15 ms, medians of rounds, ratios to the reference of the same round.
import { performance } from "node:perf_hooks";

const [BATCH, WARM_UP, SLOW] = [0.05, 300, 5]; // milliseconds

/** What the results go to, so that no call is optimised away. */
export const sink = { last: undefined };

/** Times `[{engine, task, call}]`; the first case is the reference loop. */
export function run(cases, { rounds, length }) {
  for (const one of cases) calibrate(one);
  for (let round = 0; round < rounds; round++) {
    let reference;
    for (const one of cases) {
      if (one.slow && round % 3 !== 0) continue;
      const median = once(one, length);
      reference ??= median;
      one.medians.push(median);
      one.ratios.push(median / reference);
    }
  }
  return cases.map(({ engine, task, samples, medians, ratios }) => ({
    engine, task, p50Ns: quantile(medians, 0.5), leastNs: quantile(samples, 0), p99Ns: quantile(samples, 0.99), xRef: quantile(ratios, 0.5),
  }));
}

/** As `run`, for calls that give promises; beside the reference in the same rounds. */
export async function runLater(reference, cases, { rounds, length }) {
  calibrate(reference);
  const times = 20; // some 0.2 ms: short enough to be left alone now and then
  const batchLater = async ({ call }) => {
    const start = performance.now();
    for (let made = 0; made < times; made++) sink.last = await call();
    return ((performance.now() - start) * 1e6) / times;
  };
  for (const one of cases) {
    Object.assign(one, { samples: [], medians: [], ratios: [] });
    for (let warm = 0; warm < 20; warm++) await batchLater(one);
  }
  for (let round = 0; round < rounds; round++) {
    const base = once(reference, length);
    for (const one of cases) {
      const own = [];
      const begin = performance.now();
      do own.push(await batchLater(one)); while (performance.now() - begin < length);
      one.samples.push(...own);
      one.medians.push(quantile(own, 0.5));
      one.ratios.push(quantile(own, 0.5) / base);
    }
  }
  return cases.map(({ engine, task, samples, medians, ratios }) => ({
    engine, task, p50Ns: quantile(medians, 0.5), leastNs: quantile(samples, 0), p99Ns: quantile(samples, 0.99), xRef: quantile(ratios, 0.5),
  }));
}

/** The middle, or another quantile. */
export function quantile(samples, share) {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function batch({ call, calls }) {
  const start = performance.now();
  for (let made = 0; made < calls; made++) sink.last = call();
  return performance.now() - start;
}

/** Warms up, so that V8 has compiled what is timed, and finds out how many calls make a batch. */
function calibrate(one) {
  Object.assign(one, { calls: 1, samples: [], medians: [], ratios: [] });
  const begin = performance.now();
  one.slow = batch(one) > SLOW && batch(one) > SLOW;
  while (!one.slow && performance.now() - begin < WARM_UP) {
    if (batch(one) < BATCH) one.calls *= 2;
  }
  if (one.slow) return;
  // The first calls were slow ones: count again, warm.
  one.calls = Math.max(1, Math.round(one.calls * BATCH / Math.max(batch(one), 0.001)));
}

function once(one, length) {
  const own = [];
  const begin = performance.now();
  do own.push((batch(one) * 1e6) / one.calls); while (performance.now() - begin < length);
  one.samples.push(...own);
  return quantile(own, 0.5);
}
