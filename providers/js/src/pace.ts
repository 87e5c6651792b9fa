// How long to wait before looking again.

/** No wait is longer, seconds. */
const LONGEST = 300;

/**
 * Milliseconds until the next look, `period` in seconds: with a tenth of spread, so that many pages do not ask in step; after `failures` in a row
 * evenly distributed up to the period times 2^failures, so that a source that comes back is not trampled.
 */
export function pause(period: number, failures: number, random: () => number = Math.random): number {
  if (failures === 0) return period * (950 + random() * 100);
  return Math.max(1_000, random() * Math.min(LONGEST, period * 2 ** Math.min(failures, 16)) * 1_000);
}
