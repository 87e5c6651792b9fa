/** Types of flagstone.js. Times are unix seconds. */

/** What a context may hold: JSON, and `bigint` for whole numbers of up to 64 bits. */
export type Attribute =
  | null | boolean | number | bigint | string | undefined
  | readonly Attribute[] | { readonly [name: string]: Attribute };

/**
 * The attributes of one unit; `targetingKey` is its stable identity. `remembered` brings back what decisions of sticky
 * flags asked to remember, by flag key.
 */
export type Attributes = {
  readonly targetingKey?: string;
  readonly remembered?: { readonly [flag: string]: string };
  readonly [name: string]: Attribute;
};

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

/** What a trust statement says of itself. */
export interface TrustInfo {
  /** Rises by one with every rotation. */
  version: number;
  epoch: number;
  issued: number;
  expires: number;
}

/** One flag. */
export interface Flag {
  key: string;
  kind: "boolean" | "string" | "number" | "object";
  client: boolean;
  planned: boolean;
  /** Path of the attribute that identifies the plan's unit; exposures are about it. */
  unit?: string;
  /** Version of its sticky assignment, when it has one. */
  sticky?: number;
  variants: string[];
}

/** One decision. `value` and `variant` undefined mean the caller's own default. Values are shared: do not change them. */
export interface Decision {
  value: unknown;
  variant: string | undefined;
  reason: "STATIC" | "DEFAULT" | "TARGETING_MATCH" | "SPLIT" | "DISABLED" | "STALE" | "ERROR";
  errorCode: "FLAG_NOT_FOUND" | "PARSE_ERROR" | "TYPE_MISMATCH" | "GENERAL" | undefined;
  detail: "stage" | "control" | "halt" | "consent" | "data-domain" | "expired" | "closed" | "holdout"
    | "prerequisite" | "override" | "layer" | "remembered" | "ended" | "paused" | undefined;
  arm: "treatment" | "control" | undefined;
  /** The plan's open stage. */
  stage: number | undefined;
  /** The stage that enrolled the unit. */
  cohort: number | undefined;
  /** What a sticky flag's decision asks to remember: bring it back in the context's `remembered[key]`. */
  remember: string | undefined;
}

/** A context resident in the engine, for the Flagstone that took it in. */
export interface Context {
  /** The engine's handle. */
  readonly handle: number;
  /** The low half of the packed decision: variant, reason, error (docs/engine.md). */
  evaluate(flag: number, now: number): number;
  /** The high half of the last decision: detail, arm, stage, cohort. */
  rest(): number;
  /** Every flag in index order, the low and the high half of each. */
  evaluateAll(now: number): Uint32Array;
  /** Frees it. */
  free(): void;
}

/** The decisions of all flags for one context at one time. */
export interface Decisions extends Iterable<[key: string, decision: Decision]> {
  /** The low and the high half of each flag's packed decision, in index order. */
  readonly packed: Uint32Array;
  /** A flag's decision, by key or index. */
  get(flag: string | number): Decision;
}

/** What loads the engine: an address, a response, bytes, or a module that was compiled before. */
export type Source = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/** Loads the engine, once; default: `flagstone_bg.wasm` beside this file. */
export function load(module?: Source | Promise<Source>): Promise<void>;

/**
 * Whether the trust statement `next` may follow the one that is pinned: the next version, signed by the root keys of both. Without a
 * `next` whether `trust` may be pinned. Throws an Error with `code`.
 */
export function advance(trust: string, next?: string, now?: number): TrustInfo;

/** The bytes, or the module, of whatever `load` takes. */
export function source(module: Source | Promise<Source>): Promise<BufferSource | WebAssembly.Module>;

/** Takes the exports of an engine that was loaded otherwise. */
export function adopt(exports: WebAssembly.Exports): void;

/** A plain object as the packed bytes that `contextPacked` takes. */
export function pack(attributes: Attributes): Uint8Array;

/** One opened snapshot. For a newer one make a new Flagstone, then free the old one. */
export class Flagstone {
  /** Verifies and opens; throws an Error with a stable `code`. */
  constructor(trust: string, file: Uint8Array, policy: Policy);
  readonly info: Info;
  /** All flags in index order. */
  readonly flags: readonly Flag[];
  /** The engine's handle. */
  readonly handle: number;
  /** Index of a flag. */
  find(key: string): number | undefined;
  /** Attribute paths that the rules read. */
  attributes(): readonly string[];
  /** Verifies a pulse and lets it replace the one before; throws an Error with a stable `code`. */
  pulse(note: Uint8Array, now?: number): PulseInfo;
  /** Takes a context in: what the rules read of it. Throws an Error with a stable `code`. */
  context(attributes: Attributes): Context;
  /** As `context`, from what `pack` made. */
  contextPacked(packed: Uint8Array): Context;
  /** Decides one flag, by key or index. */
  decide(context: Context, flag: string | number, now?: number): Decision;
  /** Decides one flag for attributes that are not kept. */
  decideOnce(attributes: Attributes, flag: string | number, now?: number): Decision;
  /** Decides all flags in one call. */
  decideAll(context: Context, now?: number): Decisions;
  /** The decision in the two halves of a packed one. */
  read(flag: number, low: number, high: number): Decision;
  /** The canonical decision text. */
  decision(attributes: Attributes, key: string, now?: number): string;
  /** Frees the snapshot and its contexts. */
  free(): void;
}
