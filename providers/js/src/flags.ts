// What both ways of getting decisions have in common: `Live`, which verifies sealed files and decides itself, and `Remote`, which
// asks a host for decisions over OFREP. Providers of OpenFeature take either.
import type { Attributes } from "./flagstone.js";

/**
 * How what is served stands, as docs/host.md has it: nothing yet; current; the pulse's lease or the last answer is too old; the
 * snapshot itself is over.
 */
export type State = "empty" | "fresh" | "stale" | "expired";

/** A decision with what OpenFeature and OFREP say about it. */
export interface Evaluated {
  key: string;
  /** Undefined, as is `variant`: the caller's own default is meant. */
  value?: unknown;
  variant?: string;
  /** OpenFeature's: `SPLIT`, `TARGETING_MATCH`, … */
  reason: string;
  /** OpenFeature's: `FLAG_NOT_FOUND`, `PARSE_ERROR`, `PROVIDER_NOT_READY`, … */
  errorCode?: string;
  errorDetails?: string;
  /** The flag's own plain values, and `flagstone.state`, `.detail`, `.stage`, `.cohort`. */
  metadata: Record<string, boolean | number | string>;
}

/** What is told. */
export interface FlagEvents {
  /** The first decisions can be had. */
  ready: undefined;
  /** Other decisions are in force; the flags that came, went or changed, where that is known. */
  changed: { flags?: string[] };
  /** Decisions are too old to be trusted for plans. */
  stale: { message: string };
  /** They are current again. */
  fresh: undefined;
  /** A look for news failed; what was there stays in force. */
  error: { message: string; code?: string };
}

/** Where providers get decisions from. */
export interface Flags {
  readonly state: State;
  /** Waits for the first decisions. `context` is for those who ask for all of one unit at once. */
  start(context?: Attributes): Promise<void>;
  /** Another unit. */
  context?(context: Attributes): Promise<void>;
  /** Decides; never throws. */
  evaluate(attributes: Attributes, key: string): Evaluated;
  /** The unit was given what was decided: to the reporter with it. */
  expose(attributes: Attributes, evaluated: Evaluated): void;
  /** Something that a unit did, for the reporter. */
  outcome(attributes: Attributes, name: string, details: Record<string, unknown>): void;
  on<Name extends keyof FlagEvents>(name: Name, handler: (about: FlagEvents[Name]) => void): () => void;
  close(): Promise<void>;
}

/** A refusal or failure as one line. */
export function failure(error: unknown): { message: string; code?: string } {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, code } = error as Error & { code?: unknown };
  return typeof code === "string" ? { message, code } : { message };
}

/** Only what OpenFeature's flag metadata may hold. */
export function plain(metadata: unknown): Record<string, boolean | number | string> {
  const kept: Record<string, boolean | number | string> = {};
  if (metadata === null || typeof metadata !== "object" || Array.isArray(metadata)) return kept;
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === "boolean" || typeof value === "number" || typeof value === "string") kept[name] = value;
  }
  return kept;
}
