// What OpenFeature's two providers share: a decision in the specification's words, and events.
import type { FlagMetadata, Logger, ResolutionDetails } from "@openfeature/core";
import { ErrorCode, StandardResolutionReasons } from "@openfeature/core";
import type { Attributes } from "./flagstone.js";
import type { Evaluated, Flags } from "./flags.js";

/** What providers may be told. */
export interface ProviderOptions {
  /** Whether an evaluation is reported as an exposure at once; default true where the flags have a reporter. */
  expose?: boolean;
}

export type Kind = "boolean" | "string" | "number" | "object";

/** Decides, checks the type, reports. Never throws. */
export function resolve<Value>(
  flags: Flags, kind: Kind, key: string, otherwise: Value, context: object, options: ProviderOptions, logger: Logger,
): ResolutionDetails<Value> {
  const attributes = context as Attributes;
  const evaluated = flags.evaluate(attributes, key);
  const { value, variant, reason, errorCode, errorDetails } = evaluated;
  const flagMetadata: FlagMetadata = own(evaluated);
  if (errorCode) {
    return { value: otherwise, reason: StandardResolutionReasons.ERROR, errorCode: code(errorCode), errorMessage: errorDetails, flagMetadata };
  }
  // Without a variant the caller's own default is meant: no error.
  if (variant === undefined) return { value: otherwise, reason, flagMetadata };
  if (kindOf(value) !== kind) {
    const errorMessage = `flag \`${key}\` is not of type ${kind}`;
    return { value: otherwise, reason: StandardResolutionReasons.ERROR, errorCode: ErrorCode.TYPE_MISMATCH, errorMessage, flagMetadata };
  }
  if (options.expose ?? true) {
    try {
      flags.expose(attributes, evaluated);
    } catch (error) {
      logger.error("flagstone: the exposure was not reported:", error);
    }
  }
  return { value: value as Value, variant, reason, flagMetadata };
}

/** The flag's own metadata, and ours where it says something. */
function own({ metadata }: Evaluated): FlagMetadata {
  const state = metadata["flagstone.state"];
  if (state !== undefined && state !== "fresh") return metadata;
  const said: FlagMetadata = {};
  for (const name in metadata) if (name !== "flagstone.state") said[name] = metadata[name]!;
  return said;
}

function kindOf(value: unknown): Kind | undefined {
  const kind = typeof value;
  if (kind === "boolean" || kind === "string" || kind === "number") return kind;
  return kind === "object" && value !== null ? "object" : undefined;
}

function code(text: string): ErrorCode {
  return Object.values(ErrorCode).find((known) => known === text) ?? ErrorCode.GENERAL;
}

/** Passes events on, once the SDK has been told of the start. */
export function relay(flags: Flags, emit: (event: "changed" | "stale" | "ready" | "error", details: { message?: string; flagsChanged?: string[] }) => void): () => void {
  let told = flags.state !== "empty";
  const subscriptions = [
    flags.on("ready", () => {
      // The SDK itself tells of a start that brought decisions; one that came later is news.
      if (told) return;
      told = true;
      emit("ready", {});
    }),
    flags.on("changed", ({ flags: flagsChanged }) => emit("changed", flagsChanged ? { flagsChanged } : {})),
    flags.on("stale", ({ message }) => emit("stale", { message })),
    flags.on("fresh", () => emit("ready", {})),
    // A failed look changes nothing while there is something to serve: `stale` tells when it matters.
    flags.on("error", ({ message }) => { if (flags.state === "empty") emit("error", { message }); }),
  ];
  return () => { for (const end of subscriptions) end(); };
}
