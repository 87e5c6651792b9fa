// One opened snapshot with what was told about it, and its decisions in OpenFeature's words.
import type { Attributes, Decision, Flagstone } from "./flagstone.js";
import { failure, plain } from "./flags.js";
import type { Evaluated, State } from "./flags.js";

/** Names of a plan's open stage and of a unit's cohort. */
interface Names {
  stage?: string;
  cohort?: string;
}

export class InForce {
  /** End of the lease, unix seconds. */
  lease: number | undefined;
  /** The pulse that was taken last. */
  pulse: Uint8Array | undefined;
  /** The trust statement in force refuses it: no pulse opens anything in it. */
  refused = false;
  readonly #metadata = new Map<number, Record<string, boolean | number | string>>();
  readonly #names = new Map<number, Names>();

  constructor(readonly flags: Flagstone, readonly file: Uint8Array) {}

  /** Decides; never throws. */
  evaluate(attributes: Attributes, key: string, now: number, state: State): Evaluated {
    const index = this.flags.find(key);
    if (index === undefined) return { key, reason: "ERROR", errorCode: "FLAG_NOT_FOUND", errorDetails: `flag \`${key}\` was not found`, metadata: {} };
    let decision: Decision;
    try {
      decision = this.flags.decideOnce(attributes, index, now);
    } catch (error) {
      return { key, reason: "ERROR", errorCode: "INVALID_CONTEXT", errorDetails: failure(error).message, metadata: {} };
    }
    const { value, variant, reason, errorCode, detail, stage, cohort } = decision;
    const metadata: Evaluated["metadata"] = { ...this.#metadataOf(index, key, now), "flagstone.state": state };
    if (detail) metadata["flagstone.detail"] = detail;
    if (stage !== undefined || cohort !== undefined) {
      const names = this.#namesOf(index, decision, attributes, key, now);
      if (names.stage !== undefined) metadata["flagstone.stage"] = names.stage;
      if (names.cohort !== undefined) metadata["flagstone.cohort"] = names.cohort;
    }
    const evaluated: Evaluated = { key, reason, metadata };
    if (variant !== undefined) Object.assign(evaluated, { value, variant });
    if (errorCode) Object.assign(evaluated, { errorCode, errorDetails: `flag \`${key}\` cannot be evaluated` });
    return evaluated;
  }

  /** A flag's own plain values, which hold as long as the snapshot does. */
  #metadataOf(index: number, key: string, now: number): Record<string, boolean | number | string> {
    let known = this.#metadata.get(index);
    if (!known) this.#metadata.set(index, (known = plain(JSON.parse(this.flags.decision({}, key, now)).metadata)));
    return known;
  }

  /** Names that belong to the positions in a decision; asked once for each pair of them. */
  #namesOf(index: number, { stage, cohort }: Decision, attributes: Attributes, key: string, now: number): Names {
    const place = index * 0x10000 + (stage ?? 0xff) * 0x100 + (cohort ?? 0xff);
    let names = this.#names.get(place);
    if (!names) {
      const told = JSON.parse(this.flags.decision(attributes, key, now));
      this.#names.set(place, (names = { stage: told.stage?.name, cohort: told.cohort?.name }));
    }
    return names;
  }
}

/** The lines of a pulse that decisions depend on. */
export function stages(pulse: Uint8Array | undefined): string {
  return pulse ? (new TextDecoder().decode(pulse).match(/^(stage|halt) .*$/gm) ?? []).join("\n") : "";
}
