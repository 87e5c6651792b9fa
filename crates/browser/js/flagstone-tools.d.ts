/** Types of flagstone-tools.js: those of flagstone.js, and objects for people who debug. */
import { Attributes, Flagstone as Evaluator, Source } from "./flagstone.js";

export * from "./flagstone.js";

/** Loads the engine, once; default: `flagstone-tools_bg.wasm` beside this file. */
export function load(module?: Source | Promise<Source>): Promise<void>;

/** What a file or note claims; nothing of it was verified. */
export interface Claim {
  /** The statement's text. */
  statement: string;
  /** Names on the signature lines. */
  signatures: string[];
  /** Bytes of a sealed file's payload. */
  payload?: number;
}

/** Reads a sealed file, a pulse or a trust note without verifying any signature. Throws an Error with a `code`. */
export function inspect(file: Uint8Array, maxPayload?: number): Claim;

/** A decision with a trace of why: the checks in the order they were made. */
export interface Explanation {
  decision: { flag: string; variant: string | null; value: unknown; reason: string };
  now: number;
  trace: { check: string; passed: boolean; [about: string]: unknown }[];
}

/** A stage of a rollout plan; shares are parts of one. */
export interface Stage {
  name: string;
  allowList: boolean;
  treatment: number;
  control: number;
  /** Seconds over which its shares grow. */
  ramp: number;
}

/** One flag in full. */
export interface Described {
  key: string;
  enabled: boolean;
  usable: boolean;
  client: boolean;
  onExpiry: "hold" | "safe";
  sticky?: number;
  defaultVariant?: string;
  baseline?: string;
  variants: { name: string; value: unknown }[];
  metadata: unknown;
  plan?: {
    candidate?: string;
    unit?: string;
    consent?: string;
    domains: string[];
    ceiling?: number;
    scheduled: boolean;
    /** Unix seconds; 0 for at once. */
    notBefore: number;
    /** Unix seconds. */
    until?: number;
    stages: Stage[];
  };
}

/** Everything a snapshot holds. */
export interface Description {
  environment: string;
  /** Digest of the definition, 64 hexadecimal digits. */
  definition: string;
  flags: Described[];
}

/** One opened snapshot, as in flagstone.js. */
export class Flagstone extends Evaluator {
  /** The decision with a trace of why. */
  explain(attributes: Attributes, key: string, now?: number): Explanation;
  /** Everything the snapshot holds. */
  describe(): Description;
}
