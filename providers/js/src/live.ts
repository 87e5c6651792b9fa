// The newest verified snapshot, kept in force: looks for pulses and sealed files, verifies, swaps as a whole, and keeps what it has
// when something better cannot be had. Decisions never wait for any of it.
import { Flagstone, load } from "./flagstone.js";
import type { Attributes, Mark, PulseInfo, Source as EngineSource } from "./flagstone.js";
import { failure } from "./flags.js";
import type { Evaluated, FlagEvents, Flags, State } from "./flags.js";
import { InForce, stages } from "./in-force.js";
import { Listeners } from "./listeners.js";
import { pause } from "./pace.js";
import { exposure, outcome } from "./report.js";
import type { Reporter } from "./report.js";
import { named } from "./source.js";
import type { Source } from "./source.js";
import type { Store } from "./store.js";
import { Trust, cured } from "./trust.js";

export * from "./source.js";
export * from "./store.js";
export type { Evaluated, FlagEvents, Flags, State } from "./flags.js";

export interface LiveOptions {
  /** The pinned trust statement, text. Statements that follow it are taken from the source; a newer pin spares them. */
  trust: string;
  /** E.g. `acme.example/assistant#browser`. */
  audience: string;
  /** E.g. `production`. */
  environment: string;
  source: Source;
  /** Seconds between looks; default 10. 0: only `refresh` and `look` look, for runtimes without timers between requests. */
  poll?: number;
  /** Seconds between looks for a newer trust statement; default 300. What cannot be verified makes it look at once. */
  trustPoll?: number;
  /**
   * Whether pulses are to be pushed, where the source can: a halt then arrives at once. It holds a connection open, so it is for servers, and
   * keeps a program alive until `close`. Default false.
   */
  push?: boolean;
  /** Milliseconds for which `start` waits for a first snapshot; default 2 000. */
  startTimeout?: number;
  /** Largest payload in bytes; default 524288. */
  maxPayload?: number;
  /** The engine, where it does not lie beside the package's JavaScript. */
  engine?: EngineSource | Promise<EngineSource>;
  /** Where the last good file stays for the next start, e.g. `cacheStore(…)`. */
  store?: Store;
  reporter?: Reporter;
  /** Unix seconds; default: this machine's clock. */
  now?: () => number;
}

/** Milliseconds until a source that has no stream is asked again. */
const NO_STREAM = 300_000;
/** Seconds between looks while pulses are pushed. */
const PUSHED_POLL = 60;

export class Live implements Flags {
  readonly #options: LiveOptions;
  readonly #listeners = new Listeners<FlagEvents>();
  readonly #now: () => number;
  #trust: Trust | undefined;
  #trustAt = -Infinity;
  #inForce: InForce | undefined;
  #mark: Mark | undefined;
  /** Of the newest pulse taken: no lower one is. */
  #number = 0;
  #last: State = "empty";
  #looking: Promise<void> | undefined;
  #lookedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** A pulse whose file could not be had: the source will not give it again. */
  #wanted: Uint8Array | undefined;
  /** While pulses are pushed, looks are a floor only. */
  #pushing = false;
  readonly #stop = new AbortController();
  /** Looks that failed in a row. */
  #failures = 0;
  /** When the newest statement that was accepted was issued: time never runs behind it. */
  #newest = 0;
  /** Ends the wait of `start`. */
  #giveUp: (() => void) | undefined;
  /** Digests of files that verify and could not be used. */
  #refused = new Set<string>();

  constructor(options: LiveOptions) {
    this.#options = options;
    const clock = options.now ?? (() => Date.now() / 1000);
    this.#now = () => Math.max(clock(), this.#newest);
  }

  /** The opened snapshot in force. It is freed when the next one comes: do not keep it. */
  get current(): Flagstone | undefined { return this.#inForce?.flags; }

  /** Version of the trust statement in force; 0 before the start. */
  get trustVersion(): number { return this.#trust?.info.version ?? 0; }

  get state(): State {
    const { flags, lease } = this.#inForce ?? {};
    if (!flags) return "empty";
    const now = this.#now();
    if (now >= flags.info.expires) return "expired";
    return this.#options.source.pulse && now >= (lease ?? 0) ? "stale" : "fresh";
  }

  on<Name extends keyof FlagEvents>(name: Name, handler: (about: FlagEvents[Name]) => void): () => void {
    return this.#listeners.on(name, handler);
  }

  /**
   * Loads the engine, takes what the store has, and looks once. Resolves with a snapshot in force, or after the time for that. Rejects only
   * for what time does not heal: no engine, or a trust statement that is refused (an Error with `fatal`).
   */
  async start(): Promise<void> {
    await load(this.#options.engine as EngineSource);
    this.#pin();
    await this.#restore();
    const looked = this.refresh().finally(() => this.#schedule());
    if (this.#options.push && this.#options.source.pulses) void this.#listen();
    if (this.#inForce) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waited = new Promise<void>((resolve) => {
      this.#giveUp = resolve;
      timer = setTimeout(resolve, this.#options.startTimeout ?? 2_000);
    });
    await Promise.race([looked, waited]).finally(() => clearTimeout(timer));
  }

  /** One look for news; a second call joins the first. Never rejects: failures are told as `error`. */
  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => { this.#looking = undefined; });
    return this.#looking;
  }

  /**
   * For runtimes without timers between requests: looks when the last look is older than `period` seconds. Waits for it only while
   * nothing is in force; otherwise the look goes to `waitUntil`.
   */
  async look(period: number, waitUntil?: (work: Promise<unknown>) => void): Promise<void> {
    if (this.#inForce && this.#now() - this.#lookedAt < period) return;
    await load(this.#options.engine as EngineSource);
    if (!this.#inForce) await this.#restore();
    const looked = this.refresh();
    if (!this.#inForce) await looked;
    else if (waitUntil) waitUntil(looked);
  }

  evaluate(attributes: Attributes, key: string): Evaluated {
    const inForce = this.#inForce;
    if (!inForce) {
      return { key, reason: "ERROR", errorCode: "PROVIDER_NOT_READY", errorDetails: "no snapshot has been accepted yet", metadata: {} };
    }
    return inForce.evaluate(attributes, key, this.#now(), this.state);
  }

  expose(attributes: Attributes, { key, variant }: Evaluated): void {
    const { reporter } = this.#options;
    const flags = this.#inForce?.flags;
    if (!reporter || !flags || variant === undefined) return;
    const fact = exposure(flags, attributes, key, this.#now());
    if (fact) reporter.report(fact);
  }

  outcome(attributes: Attributes, name: string, details: Record<string, unknown>): void {
    this.#options.reporter?.report(outcome(attributes, name, details, this.#now()));
  }

  /** Stops looking, hands over what is still to be reported, and frees the snapshot. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stop.abort();
    this.#giveUp?.();
    await this.#options.reporter?.flush?.();
    this.#inForce?.flags.free();
    this.#inForce = undefined;
  }

  /** Takes the pinned statement in, which must be one. */
  #pin(): Trust {
    try {
      return (this.#trust ??= new Trust(this.#options.trust, this.#now()));
    } catch (error) {
      const { code } = failure(error);
      const message = `the pinned trust statement is refused: ${code}\nhint: ship the current one with the program`;
      throw Object.assign(new Error(message), { code, fatal: true });
    }
  }

  async #look(): Promise<void> {
    this.#lookedAt = this.#now();
    let unrotated: unknown;
    try {
      const { source } = this.#options;
      if (this.#now() - this.#trustAt >= (this.#options.trustPoll ?? 300)) {
        // What is wrong with a trust statement keeps no pulse and no halt away.
        await this.#rotate().catch((error: unknown) => { unrotated = error; });
      }
      const pulse = (await source.pulse?.()) ?? this.#wanted;
      this.#wanted = undefined;
      if (!source.pulse) await this.#take(await source.snapshot());
      else if (pulse) await this.#follow(pulse);
      this.#failures = 0;
      if (unrotated) this.#listeners.tell("error", failure(unrotated));
    } catch (error) {
      this.#failures += 1;
      this.#listeners.tell("error", failure(error));
    }
    this.#tellState();
  }

  /** Walks to the newest trust statement, as far as it can. False: it is where it was. Rejects when something stood in the way. */
  async #rotate(): Promise<boolean> {
    const trust = this.#pin();
    const { version, epoch } = trust.info;
    this.#trustAt = this.#now();
    try {
      await trust.follow(this.#options.source, this.#now);
      return trust.info.version !== version;
    } finally {
      if (trust.info.version !== version) this.#rotated(trust, epoch);
    }
  }

  #rotated(trust: Trust, epoch: number): void {
    this.#newest = Math.max(this.#newest, trust.info.issued);
    // A stolen pulse key's huge number must not outlive the key. Snapshots order by epoch by themselves.
    if (trust.info.epoch > epoch) this.#number = 0;
    if (this.#inForce) this.#reopen(this.#inForce, trust);
  }

  /** Opens what is in force again under a new trust statement. Where that refuses it, decisions go on, and no pulse opens anything any more. */
  #reopen(before: InForce, trust: Trust): void {
    const { audience, environment, maxPayload } = this.#options;
    // It was accepted when it was young: its age alone does not keep it out.
    const now = Math.min(this.#now(), trust.info.expires - 1, before.flags.info.expires - 1);
    let next: InForce;
    try {
      next = new InForce(new Flagstone(trust.text, before.file, { audience, environment, now, mark: this.#mark, maxPayload }), before.file);
    } catch (error) {
      before.refused = true;
      this.#listeners.tell("error", failure(error));
      return void this.#save(before);
    }
    this.#inForce = next;
    before.flags.free();
    try {
      if (before.pulse) this.#pulse(next, before.pulse);
    } catch {
      // Its key may be gone: closed until the next pulse comes.
    }
    void this.#save(next);
    this.#listeners.tell("changed", {});
  }

  /** As `#obey`; what cannot be verified may be signed by keys of a newer trust statement. */
  async #follow(pulse: Uint8Array): Promise<void> {
    try {
      await this.#obey(pulse);
    } catch (error) {
      if (!cured(error)) throw error;
      this.#wanted = pulse;
      if (!(await this.#rotate().catch(() => false))) throw error;
      this.#wanted = undefined;
      await this.#obey(pulse);
    }
  }

  /** A pulse says what is current: that file first, then the pulse with it. Its halts count even when the file cannot be had. */
  async #obey(pulse: Uint8Array): Promise<void> {
    const digest = named(pulse);
    const inForce = this.#inForce;
    if (inForce && (digest === inForce.flags.info.mark.digest || digest === undefined)) return this.#pulse(inForce, pulse);
    try {
      if (digest && this.#refused.has(digest)) {
        throw Object.assign(new Error(`the snapshot ${digest.slice(0, 12)}… was refused before`), { code: "refused" });
      }
      await this.#take(await this.#options.source.snapshot(digest), pulse);
    } catch (error) {
      const { code } = failure(error);
      // A file that verifies and is no good stays refused. Anything else may be the network's doing, or that of somebody in it, and may pass.
      if (digest && code?.startsWith("snapshot-")) this.#refused.add(digest);
      else if (code !== "rollback" && code !== "refused") this.#wanted = pulse;
      if (inForce && code !== "rollback") this.#pulse(inForce, pulse);
      throw error;
    }
  }

  #pulse(inForce: InForce, pulse: Uint8Array): void {
    if (inForce.refused) throw Object.assign(new Error("the snapshot in force is refused by the trust statement in force"), { code: "old-trust" });
    const before = inForce.pulse;
    const told = this.#newer(inForce.flags.pulse(pulse, this.#now()));
    inForce.pulse = pulse;
    // A lease belongs to the snapshot that the pulse names; another's brings halts only.
    if (told.snapshot.digest === inForce.flags.info.mark.digest) inForce.lease = told.expires;
    void this.#save(inForce);
    if (stages(before) !== stages(pulse)) this.#listeners.tell("changed", {});
  }

  /** An engine knows the pulses it was given; this knows those before it. */
  #newer(told: PulseInfo): PulseInfo {
    if (told.number < this.#number) throw Object.assign(new Error(`pulse ${told.number} comes after pulse ${this.#number}`), { code: "rollback" });
    this.#number = told.number;
    this.#newest = Math.max(this.#newest, told.issued);
    return told;
  }

  /** Opens a file, gives it its pulse, and puts both in force. */
  async #take(file: Uint8Array | undefined, pulse?: Uint8Array): Promise<void> {
    if (!file || this.#closed) return;
    const { audience, environment, maxPayload } = this.#options;
    const now = this.#now();
    const flags = new Flagstone(this.#pin().text, file, { audience, environment, now, mark: this.#mark, maxPayload });
    const before = this.#inForce;
    if (before?.flags.info.mark.digest === flags.info.mark.digest) {
      flags.free();
      if (pulse) throw otherSnapshot();
      return;
    }
    const next = new InForce(flags, file);
    try {
      if (pulse) {
        const told = flags.pulse(pulse, now);
        if (told.snapshot.digest !== flags.info.mark.digest) throw otherSnapshot();
        next.lease = this.#newer(told).expires;
        next.pulse = pulse;
      }
    } catch (error) {
      flags.free();
      throw error;
    }
    this.#mark = flags.info.mark;
    this.#newest = Math.max(this.#newest, flags.info.issued);
    this.#inForce = next;
    before?.flags.free();
    await this.#save(next);
    if (!before) this.#listeners.tell("ready", undefined);
    else this.#listeners.tell("changed", { flags: flags.flags.map(({ key }) => key) });
  }

  async #restore(): Promise<void> {
    try {
      const trust = this.#pin();
      const saved = this.#inForce ? undefined : await this.#options.store?.read();
      if (!saved) return;
      trust.resume(saved.trust ?? [], this.#now());
      this.#newest = Math.max(this.#newest, trust.info.issued);
      this.#mark = saved.mark;
      await this.#take(saved.file, undefined);
      if (saved.pulse && this.#inForce) this.#pulse(this.#inForce, saved.pulse);
    } catch (error) {
      this.#listeners.tell("error", failure(error)); // an old pulse, most often: the file alone is good
    }
    this.#tellState();
  }

  async #save({ file, pulse, flags }: InForce): Promise<void> {
    const steps = this.#trust?.steps ?? [];
    try {
      await this.#options.store?.write({ file, pulse, mark: flags.info.mark, ...(steps.length > 0 ? { trust: steps } : {}) });
    } catch (error) {
      this.#listeners.tell("error", failure(error));
    }
  }

  /** Holds the stream of pulses open, one at a time. What goes wrong with it is no failed look. */
  async #listen(): Promise<void> {
    let failures = 0;
    while (!this.#closed) {
      let absent = false;
      try {
        for await (const pulse of this.#options.source.pulses?.(this.#stop.signal) ?? []) {
          await this.#pushed(pulse);
          this.#pushing = true;
          failures = 0;
        }
      } catch (error) {
        absent = failure(error).code === "no-stream";
      }
      if (this.#closed) return;
      this.#pushing = false;
      clearTimeout(this.#timer);
      this.#schedule();
      failures += 1;
      await this.#sleep(absent ? NO_STREAM : pause(1, failures));
    }
  }

  /** A pulse that was pushed: between the looks, never beside one. Throws what refuses it, so that the stream is given up. */
  async #pushed(pulse: Uint8Array): Promise<void> {
    while (this.#looking) await this.#looking;
    if (this.#closed) return;
    let failed: unknown;
    this.#looking = this.#follow(pulse).catch((error: unknown) => {
      failed = error;
      this.#listeners.tell("error", failure(error));
    }).finally(() => { this.#looking = undefined; });
    await this.#looking;
    this.#tellState();
    if (failed) throw failed;
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#stop;
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener("abort", end);
    });
  }

  #tellState(): void {
    const [before, state] = [this.#last, this.state];
    this.#last = state;
    if (state === before) return;
    if (state === "fresh" && before !== "empty") this.#listeners.tell("fresh", undefined);
    if (state === "stale") this.#listeners.tell("stale", { message: "the lease of the last pulse is over" });
    if (state === "expired") this.#listeners.tell("stale", { message: "the snapshot has expired" });
  }

  #schedule(): void {
    let period = this.#options.poll ?? 10;
    if (this.#closed || period <= 0) return;
    // Half of what is left of the lease, so that a stream that died unseen costs no staleness.
    if (this.#pushing) period = Math.max(period, Math.min(PUSHED_POLL, ((this.#inForce?.lease ?? 0) - this.#now()) / 2));
    this.#timer = setTimeout(() => void this.refresh().finally(() => this.#schedule()), pause(period, this.#failures));
    // Node, Bun and Deno: looking for news keeps no program alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }
}

function otherSnapshot(): Error {
  return Object.assign(new Error("the source gave another snapshot than the pulse names"), { code: "other-snapshot" });
}
