// OpenFeature's provider for servers: `OpenFeature.setProviderAndWait(new FlagstoneProvider(new Live({…})))`.
import { OpenFeatureEventEmitter, ProviderEvents, ProviderFatalError, ProviderNotReadyError } from "@openfeature/server-sdk";
import type { EvaluationContext, JsonValue, Logger, Provider, ResolutionDetails, TrackingEventDetails } from "@openfeature/server-sdk";
import type { Attributes } from "./flagstone.js";
import type { Flags } from "./flags.js";
import { relay, resolve } from "./openfeature.js";
import type { Kind, ProviderOptions } from "./openfeature.js";

export type { ProviderOptions } from "./openfeature.js";

const EVENTS = {
  changed: ProviderEvents.ConfigurationChanged, stale: ProviderEvents.Stale, ready: ProviderEvents.Ready, error: ProviderEvents.Error,
} as const;

export class FlagstoneProvider implements Provider {
  readonly metadata = { name: "flagstone" } as const;
  readonly runsOn = "server";
  readonly events = new OpenFeatureEventEmitter();
  readonly #flags: Flags;
  readonly #options: ProviderOptions;
  #end: (() => void) | undefined;

  /** `flags`: `Live`, or a `Remote` for programs that serve one unit. */
  constructor(flags: Flags, options: ProviderOptions = {}) {
    this.#flags = flags;
    this.#options = options;
  }

  /** Rejects when no decisions could be had in time; they may still come, and the provider is then ready. */
  async initialize(context: EvaluationContext = {}): Promise<void> {
    await this.#flags.start(context as Attributes).catch((error: Error & { fatal?: boolean }) => {
      throw error.fatal ? new ProviderFatalError(error.message) : error;
    });
    this.#end = relay(this.#flags, (event, details) => this.events.emit(EVENTS[event], details));
    if (this.#flags.state === "empty") throw new ProviderNotReadyError("no snapshot has been accepted yet");
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

  resolveBooleanEvaluation(key: string, otherwise: boolean, context: EvaluationContext, logger: Logger): Promise<ResolutionDetails<boolean>> {
    return this.#resolve("boolean", key, otherwise, context, logger);
  }

  resolveStringEvaluation(key: string, otherwise: string, context: EvaluationContext, logger: Logger): Promise<ResolutionDetails<string>> {
    return this.#resolve("string", key, otherwise, context, logger);
  }

  resolveNumberEvaluation(key: string, otherwise: number, context: EvaluationContext, logger: Logger): Promise<ResolutionDetails<number>> {
    return this.#resolve("number", key, otherwise, context, logger);
  }

  resolveObjectEvaluation<Value extends JsonValue>(
    key: string, otherwise: Value, context: EvaluationContext, logger: Logger,
  ): Promise<ResolutionDetails<Value>> {
    return this.#resolve("object", key, otherwise, context, logger);
  }

  async #resolve<Value>(kind: Kind, key: string, otherwise: Value, context: EvaluationContext, logger: Logger) {
    return resolve(this.#flags, kind, key, otherwise, context, this.#options, logger);
  }
}
