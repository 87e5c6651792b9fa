// The trust root: the pinned statement, moved on by every one that followed it. The engine says whether one may follow another (the
// next version, signed by the old root keys and the new); this remembers, and fetches what was missed.
import { advance } from "./flagstone.js";
import type { TrustInfo } from "./flagstone.js";
import { failure } from "./flags.js";
import type { Source } from "./source.js";

/** Statements followed in one look; a chain that is longer goes on at the next. */
const STEPS = 64;
/** Refusals that the statements in between may cure. */
const MISSED = new Set(["trust-version", "threshold", "wrong-role"]);
/** Refusals of pulses and sealed files that a newer trust statement may cure. */
const CURED = new Set(["threshold", "wrong-role", "no-role", "revoked-key", "epoch-ahead", "trust-expired"]);

/** Whether what was refused may be good under a trust statement that has not been seen yet. */
export function cured(error: unknown): boolean {
  return CURED.has(failure(error).code ?? "");
}

export class Trust {
  /** The statement in force, and what it says of itself. */
  text: string;
  info: TrustInfo;
  /** Those that followed the pinned one, oldest first. */
  readonly steps: string[] = [];
  /** The newest that the source gave: it is not given again. */
  #offered: string | undefined;

  /** Throws for a pinned statement that is none. */
  constructor(pinned: string, now: number) {
    this.text = pinned;
    this.info = advance(pinned, "", now);
  }

  /** Moves on to the next statement. False when it is the one in force, perhaps with signatures added. Throws what refuses it. */
  next(text: string, now: number): boolean {
    if (statement(text) === statement(this.text)) return false;
    this.info = advance(this.text, text, now);
    this.text = text;
    this.steps.push(text);
    return true;
  }

  /** Takes up statements that were accepted in an earlier run, as far as they follow. */
  resume(steps: readonly string[], now: number): void {
    // The pin may have been moved on past the oldest of them.
    for (const text of steps) if (version(text) > this.info.version) this.next(text, now);
  }

  /** Looks for a newer statement, and walks to it step by step where some were missed. Throws what stands in the way: then it is as far as it got. */
  async follow(source: Source, now: () => number): Promise<void> {
    const fetched = await source.trust?.();
    this.#offered = fetched ? decoded(fetched) : this.#offered;
    const newest = this.#offered;
    if (newest === undefined) return; // none published: the pin is all there is
    for (let step = 0; step < STEPS; step += 1) {
      try {
        this.next(newest, now());
        return;
      } catch (error) {
        if (!MISSED.has(failure(error).code ?? "")) throw error;
      }
      const following = this.info.version + 1;
      const missed = await source.trust?.(following);
      if (!missed) {
        const message = `the trust statement offered does not follow version ${this.info.version}, and ${following} is missing`;
        throw Object.assign(new Error(message), { code: "trust-version" });
      }
      this.next(decoded(missed), now());
    }
  }
}

const decoded = (note: Uint8Array): string => new TextDecoder().decode(note);

/** What is signed, without the signatures. */
const statement = (note: string): string => note.split("\n\n", 1)[0] ?? "";

/** What a statement says that its version is; nothing is verified here. */
const version = (note: string): number => Number(/^version (\d{1,15})$/m.exec(statement(note))?.[1] ?? 0);
