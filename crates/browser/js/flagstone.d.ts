/** Types of flagstone.js. Times are unix seconds. */

/** What a context may hold: JSON, and `bigint` for whole numbers of up to 64 bits. */
export type Attribute =
  | null | boolean | number | bigint | string | undefined
  | readonly Attribute[] | { readonly [name: string]: Attribute };

/** The attributes of one unit; `targetingKey` is its stable identity. */
export type Attributes = { readonly targetingKey?: string; readonly [name: string]: Attribute };

/** Identity of a snapshot; keep the last one as the high-water mark of the next `policy`. */
export interface Mark {
  epoch: number;
  sequence: number;
  /** SHA-256 of the signed statement, 64 lower-case hexadecimal digits. */
  digest: string;
}

/** What the page is ready to accept. */
export interface Policy {
  /** Must equal the statement's, e.g. `acme.example/assistant#browser`. */
  audience: string;
  /** Must equal the statement's, e.g. `production`. */
  environment: string;
  /** Default: this machine's clock. */
  now?: number;
  /** Older files are refused. */
  mark?: Mark;
  /** Largest payload in bytes; default 524288. */
  maxPayload?: number;
}

/** What was opened. */
export interface Info {
  mark: Mark;
  flagSet: string;
  issued: number;
  expires: number;
  flags: number;
  signers: string[];
}

/** What a pulse said. */
export interface PulseInfo {
  number: number;
  issued: number;
  /** End of the exposure lease. */
  expires: number;
  /** The current snapshot; another than this one's `info.mark` means: fetch it. */
  snapshot: Mark;
}

/** One flag. */
export interface Flag {
  key: string;
  kind: "boolean" | "string" | "number" | "object";
  client: boolean;
  planned: boolean;
  /** Path of the attribute that identifies the plan's unit; exposures are about it. */
  unit?: string;
  variants: string[];
}

/** One decision. `value` and `variant` undefined mean the caller's own default. Values are shared: do not change them. */
export interface Decision {
  value: unknown;
  variant: string | undefined;
  reason: "STATIC" | "DEFAULT" | "TARGETING_MATCH" | "SPLIT" | "DISABLED" | "STALE" | "ERROR";
  errorCode: "FLAG_NOT_FOUND" | "PARSE_ERROR" | "TYPE_MISMATCH" | "GENERAL" | undefined;
  detail: "stage" | "control" | "halt" | "consent" | "data-domain" | "expired" | "closed" | "holdout"
    | "prerequisite" | "override" | undefined;
  arm: "treatment" | "control" | undefined;
  /** The plan's open stage. */
  stage: number | undefined;
  /** The stage that enrolled the unit. */
  cohort: number | undefined;
}

/** A context resident in the engine. */
export interface Context {
  /** The low half of the packed decision: variant, reason, error (docs/engine.md). */
  evaluate(flag: number, now: number): number;
  /** The high half of the last `evaluate`: detail, arm, stage, cohort. */
  rest(): number;
  /** Every flag in index order, 8 bytes little-endian each. */
  evaluateAll(now: number): Uint8Array;
  /** Frees it. */
  free(): void;
}

/** Loads the engine once per page; default: `flagstone_bg.wasm` beside this file. */
export function load(module?: string | URL | Request | Response | BufferSource | WebAssembly.Module): Promise<void>;

/** A plain object as the packed bytes that the engine takes. */
export function pack(attributes: Attributes): Uint8Array;

/** One opened snapshot. For a newer one make a new Flagstone, then free the old one and its contexts. */
export class Flagstone {
  /** Verifies and opens; throws an Error with a stable `code`. */
  constructor(trust: string, file: Uint8Array, policy: Policy);
  readonly info: Info;
  readonly flags: readonly Flag[];
  find(key: string): number | undefined;
  attributes(): string[];
  pulse(note: Uint8Array, now?: number): PulseInfo;
  context(attributes: Attributes): Context;
  decide(context: Context, flag: string | number, now?: number): Decision;
  decision(attributes: Attributes, key: string, now?: number): string;
  explain(attributes: Attributes, key: string, now?: number): { decision: unknown; now: number; trace: object[] };
  free(): void;
}
