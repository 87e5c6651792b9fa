// OpenFeature's provider for pages: over `Live`, which verifies a sealed file and decides in the page, or over `Remote`, which asks a
// host once for each unit. Evaluation never waits.
import { OpenFeatureEventEmitter, ProviderEvents, ProviderFatalError, ProviderNotReadyError } from "@openfeature/web-sdk";
import type { EvaluationContext, JsonValue, Logger, Provider, ResolutionDetails, TrackingEventDetails } from "@openfeature/web-sdk";
import type { Attributes } from "./flagstone.js";
import type { Flags } from "./flags.js";
import { relay, resolve } from "./openfeature.js";
import type { ProviderOptions } from "./openfeature.js";

export type { ProviderOptions } from "./openfeature.js";

const EVENTS = {
  changed: ProviderEvents.ConfigurationChanged, stale: ProviderEvents.Stale, ready: ProviderEvents.Ready, error: ProviderEvents.Error,
} as const;

export class FlagstoneWebProvider implements Provider {
  readonly metadata = { name: "flagstone" } as const;
  readonly runsOn = "client";
  readonly events = new OpenFeatureEventEmitter();
  readonly #flags: Flags;
  readonly #options: ProviderOptions;
  #end: (() => void) | undefined;
  /** Only those who ask a host have something to do for another unit. */
  readonly onContextChange: ((before: EvaluationContext, after: EvaluationContext) => Promise<void>) | undefined;

  constructor(flags: Flags, options: ProviderOptions = {}) {
    this.#flags = flags;
    this.#options = options;
    if (flags.context) {
      this.onContextChange = async (_before, after) => {
        await flags.context?.(after as Attributes);
        if (flags.state === "empty") throw new ProviderNotReadyError("no decisions could be had for this context");
      };
    }
  }

  /** Rejects when no decisions could be had in time; they may still come, and the provider is then ready. */
  async initialize(context: EvaluationContext = {}): Promise<void> {
    await this.#flags.start(context as Attributes).catch((error: Error & { fatal?: boolean }) => {
      throw error.fatal ? new ProviderFatalError(error.message) : error;
    });
    this.#end = relay(this.#flags, (event, details) => this.events.emit(EVENTS[event], details));
    if (this.#flags.state === "empty") throw new ProviderNotReadyError("no decisions could be had yet");
    const { state } = this.#flags;
    // Ready comes first: the SDK tells of it when this is done.
    if (state !== "fresh") setTimeout(() => this.events.emit(ProviderEvents.Stale, { message: `decisions are ${state}` }));
  }

  async onClose(): Promise<void> {
    this.#end?.();
    await this.#flags.close();
  }

  track(name: string, context: EvaluationContext, details: TrackingEventDetails): void {
    this.#flags.outcome(context as Attributes, name, details);
  }

  resolveBooleanEvaluation(key: string, otherwise: boolean, context: EvaluationContext, logger: Logger): ResolutionDetails<boolean> {
    return resolve(this.#flags, "boolean", key, otherwise, context, this.#options, logger);
  }

  resolveStringEvaluation(key: string, otherwise: string, context: EvaluationContext, logger: Logger): ResolutionDetails<string> {
    return resolve(this.#flags, "string", key, otherwise, context, this.#options, logger);
  }

  resolveNumberEvaluation(key: string, otherwise: number, context: EvaluationContext, logger: Logger): ResolutionDetails<number> {
    return resolve(this.#flags, "number", key, otherwise, context, this.#options, logger);
  }

  resolveObjectEvaluation<Value extends JsonValue>(
    key: string, otherwise: Value, context: EvaluationContext, logger: Logger,
  ): ResolutionDetails<Value> {
    return resolve(this.#flags, "object", key, otherwise, context, this.#options, logger);
  }
}
