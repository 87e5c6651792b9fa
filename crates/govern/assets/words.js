// Numbers and times as people read them.

import { h } from "./dom.js";

const TOTAL = 1e9;

export const number = (value) => Math.round(value).toLocaleString("en");

/** Parts of 10^9 as a percentage, to three digits. */
export function share(parts) {
  const percent = (parts / TOTAL) * 100;
  return trimmed(percent, percent < 1 ? 3 : 1) + " %";
}

/** Text in which `names` are set apart. */
export function rich(text) {
  return text.replaceAll(" %", "\u00a0%").split("`").map((part, at) => (at % 2 ? h("code.name", {}, part) : part));
}

/** A rate, or a dash when there is nothing to divide by. */
export function rate(part, whole) {
  return whole > 0 ? trimmed((part / whole) * 100, 1) + " %" : "–";
}

/** A measured number to four significant digits. */
export function plain(value) {
  if (value === null || value === undefined) return "–";
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", "−");
}

function trimmed(value, digits) {
  return value.toFixed(digits).replace(/\.?0+$/, "");
}

export const log = (value) => (value === null || value === undefined ? "–" : value.toFixed(2).replace("-", "−"));

/** Seconds as `2d 4h`, `1m 30s`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "m"], [whole % 60, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => count + unit).join(" ");
}

/** A time of day, with the date when it is not today. */
export function clock(ms, nowMs) {
  const at = new Date(ms);
  const same = new Date(nowMs).toDateString() === at.toDateString();
  const time = at.toLocaleTimeString("en-GB");
  return same ? time : at.toLocaleDateString("en-GB", { day: "numeric", month: "short" }) + ", " + time;
}

export const PHASES = {
  closed: ["○", "closed"],
  open: ["▲", "open"],
  held: ["‖", "held"],
  "awaiting-approval": ["◆", "awaiting approval"],
  halted: ["■", "taken back"],
  stopped: ["■", "halted by a person"],
  complete: ["✓", "complete"],
};

export const VERDICTS = {
  "no-data": ["·", "no data yet", "quiet"],
  stale: ["!", "no recent outcomes", "warn"],
  immature: ["·", "too early to tell", "quiet"],
  insufficient: ["·", "not enough data", "quiet"],
  inconclusive: ["≈", "nothing shown either way", "quiet"],
  "non-inferior": ["✓", "shown to be no worse", "good"],
  improved: ["✓", "shown to be better", "good"],
  regressed: ["✗", "shown to be worse", "bad"],
  invalid: ["!", "cannot be right", "warn"],
};

export const ROLES = {
  tripwire: "tripwire: one bad unit takes it back",
  deterioration: "guardrail: evidence of harm takes it back",
  guardrail: "guardrail: must be shown no worse",
  success: "success: must be shown better",
  signal: "signal: evidence of harm holds",
  health: "health of the measurement",
  observe: "observed only",
};
