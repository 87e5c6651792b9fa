// Exposures and outcomes on their way out. What happened is a fact with the unit's own key in it, which stays in this process; a
// reporter turns it into an event of docs/events.md, or hands a host's token back. Reporters are plain objects: bring your own.
import type { EventBody } from "./event.js";
import type { Attributes, Flagstone, Mark } from "./flagstone.js";

export { Batches } from "./batches.js";
export type { BatchOptions, Stream } from "./batches.js";
export { Beacon } from "./beacon.js";
export type { EventBody } from "./event.js";

/** A unit was given a variant. */
export interface ExposureFact {
  type: "exposure";
  /** The unit's own key. Never send it. */
  unit: string;
  flag: string;
  variant: string;
  arm: "treatment" | "control" | "none";
  stage: number | null;
  cohort: number | null;
  /** Of treatment within the cohort, parts of 1,000,000,000. */
  probability: number;
  snapshot: Mark;
  reason: string;
  /** Unix milliseconds. */
  atMs: number;
  /** What the context says of consent to analytics; undefined when it says nothing. */
  analytics: boolean | undefined;
}

/** Something that a unit did. */
export interface OutcomeFact {
  type: "outcome";
  /** The unit's own key. Never send it. */
  unit: string | undefined;
  name: string;
  /** Equal for the same outcome told twice. */
  request: string;
  measures: Record<string, number>;
  booleans: Record<string, boolean>;
  slices: Record<string, string>;
  atMs: number;
  analytics: boolean | undefined;
}

/** A host's opaque word for an exposure, to be handed back. */
export interface TokenFact {
  type: "token";
  token: string;
}

/** An event that was made before, out of a token that came back. */
export interface EventFact {
  type: "event";
  event: EventBody;
}

export type Fact = ExposureFact | OutcomeFact | TokenFact | EventFact;

/** Takes facts; `report` must not wait, `flush` may. */
export interface Reporter {
  report(fact: Fact): void;
  flush?(): Promise<void>;
}

/** The exposure of what is decided for these attributes; undefined when no variant is given or no unit named. */
export function exposure(flags: Flagstone, attributes: Attributes, key: string, now: number): ExposureFact | undefined {
  const index = flags.find(key);
  const told = JSON.parse(flags.decision(attributes, key, now));
  const unit = unitKey(at(attributes, (index === undefined ? undefined : flags.flags[index]?.unit) ?? "targetingKey"));
  if (told.variant === null || unit === undefined) return undefined;
  return {
    type: "exposure",
    unit,
    flag: key,
    variant: told.variant,
    arm: told.arm ?? "none",
    stage: told.stage?.index ?? null,
    cohort: told.cohort?.index ?? null,
    probability: Math.round((told.cohort?.probability ?? 0) * 1e9),
    snapshot: flags.info.mark,
    reason: told.reason,
    atMs: Math.floor(now * 1000),
    analytics: analytics(attributes["consent"]),
  };
}

/** Numbers become measures, booleans booleans, and texts below `slices` slices; `request` is the caller's own id. */
export function outcome(attributes: Attributes, name: string, details: Record<string, unknown>, now: number): OutcomeFact {
  const fact: OutcomeFact = {
    type: "outcome",
    unit: unitKey(attributes.targetingKey),
    name,
    request: typeof details["request"] === "string" ? details["request"] : crypto.randomUUID(),
    measures: {},
    booleans: {},
    slices: {},
    atMs: Math.floor(now * 1000),
    analytics: analytics(attributes["consent"]),
  };
  for (const [key, value] of Object.entries(details)) {
    if (typeof value === "number" && Number.isFinite(value)) fact.measures[key] = value;
    if (typeof value === "boolean") fact.booleans[key] = value;
  }
  const slices = details["slices"];
  if (slices !== null && typeof slices === "object") {
    for (const [key, value] of Object.entries(slices)) if (typeof value === "string") fact.slices[key] = value;
  }
  return fact;
}

/** The unit at a path: a text, or a whole number as its digits. */
function unitKey(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  return typeof value === "bigint" || Number.isSafeInteger(value) ? String(value) : undefined;
}

function at(attributes: Attributes, path: string): unknown {
  let here: unknown = attributes;
  for (const name of path.split(".")) {
    if (here === null || typeof here !== "object" || !Object.hasOwn(here, name)) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

/** Whether a `consent` attribute grants analytics, in the forms that the engine reads. */
function analytics(consent: unknown): boolean | undefined {
  if (consent === undefined || consent === null) return undefined;
  if (typeof consent === "string") return consent === "analytics";
  if (Array.isArray(consent)) return consent.includes("analytics");
  return typeof consent === "object" && (consent as Record<string, unknown>)["analytics"] === true;
}
