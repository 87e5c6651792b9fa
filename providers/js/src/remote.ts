// Decisions that a host made: no engine, no sealed file and no rules in the page. One bulk request of OFREP for one unit at a time; the
// answers stay until better ones come.
import type { Attributes } from "./flagstone.js";
import { failure, plain } from "./flags.js";
import type { Evaluated, FlagEvents, Flags, State } from "./flags.js";
import { Listeners } from "./listeners.js";
import { pause } from "./pace.js";
import type { Reporter } from "./report.js";

export type { Evaluated, FlagEvents, Flags, State } from "./flags.js";

export interface RemoteOptions {
  /** The host, before `/ofrep/v1/…`. */
  address: string | URL;
  /** Seconds between questions; default 30. 0: only when the unit changes and on `refresh`. */
  poll?: number;
  /** Seconds without a good answer after which decisions count as stale; default 300. */
  staleAfter?: number;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Instead of the runtime's own. */
  fetch?: typeof fetch;
  /** Milliseconds for one request; default 10 000. */
  timeout?: number;
  /** Gets the exposure tokens; without it none are asked for. */
  reporter?: Reporter;
  /** Unix seconds; default: this machine's clock. */
  now?: () => number;
}

interface Answer {
  evaluated: Evaluated;
  token?: string;
}

export class Remote implements Flags {
  readonly #options: RemoteOptions;
  readonly #listeners = new Listeners<FlagEvents>();
  readonly #now: () => number;
  #context: Attributes = {};
  #answers: Map<string, Answer> | undefined;
  #tag: string | null = null;
  #answeredAt = 0;
  #asked = 0;
  #last: State = "empty";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Questions that failed in a row. */
  #failures = 0;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => Date.now() / 1000);
  }

  get state(): State {
    if (!this.#answers) return "empty";
    return this.#now() - this.#answeredAt >= (this.#options.staleAfter ?? 300) ? "stale" : "fresh";
  }

  on<Name extends keyof FlagEvents>(name: Name, handler: (about: FlagEvents[Name]) => void): () => void {
    return this.#listeners.on(name, handler);
  }

  /** Asks for everything about the first unit. */
  async start(context: Attributes = {}): Promise<void> {
    this.#context = context;
    await this.refresh();
    this.#schedule();
  }

  /** Asks for everything about another unit. Until the answer is there, what was decided for the unit before is not given. */
  async context(context: Attributes): Promise<void> {
    this.#context = context;
    this.#tag = null;
    this.#answers = undefined;
    await this.refresh();
  }

  /** Asks again. Never rejects: failures are told as `error`. */
  async refresh(): Promise<void> {
    const number = (this.#asked += 1);
    try {
      await this.#ask(number);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (number === this.#asked) this.#listeners.tell("error", failure(error));
    }
    this.#tellState();
  }

  /** The decision that was made for the unit in force; `attributes` were sent with the question. */
  evaluate(_attributes: Attributes, key: string): Evaluated {
    if (!this.#answers) {
      return { key, reason: "ERROR", errorCode: "PROVIDER_NOT_READY", errorDetails: "no answer has come yet", metadata: {} };
    }
    const known = this.#answers.get(key)?.evaluated;
    return known ?? { key, reason: "ERROR", errorCode: "FLAG_NOT_FOUND", errorDetails: `flag \`${key}\` was not found`, metadata: {} };
  }

  expose(_attributes: Attributes, { key }: Evaluated): void {
    const token = this.#answers?.get(key)?.token;
    if (token !== undefined) this.#options.reporter?.report({ type: "token", token });
  }

  /** A page has no pepper: outcomes are for servers, or for a reporter of one's own. */
  outcome(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#options.reporter?.flush?.();
  }

  async #ask(number: number): Promise<void> {
    const { address, headers, timeout, reporter } = this.#options;
    const ask = this.#options.fetch ?? fetch;
    const answer = await ask(`${String(address).replace(/\/$/, "")}/ofrep/v1/evaluate/flags`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...(this.#tag ? { "if-none-match": this.#tag } : {}) },
      body: JSON.stringify({ context: this.#context, ...(reporter ? { exposureToken: true } : {}) }),
      signal: AbortSignal.timeout(timeout ?? 10_000),
    });
    if (answer.status !== 304 && !answer.ok) {
      const told = await answer.json().catch(() => ({})) as { errorCode?: string; errorDetails?: string };
      throw Object.assign(new Error(told.errorDetails ?? `the host answered HTTP ${answer.status}`), { code: told.errorCode ?? "http" });
    }
    const body = answer.status === 304 ? undefined : await answer.json() as { flags?: unknown };
    // The unit, or a newer question, may have overtaken this one.
    if (number !== this.#asked || this.#closed) return;
    this.#answeredAt = this.#now();
    if (!body) return;
    if (!Array.isArray(body.flags)) throw new Error("the answer is none of OFREP's: it has no list of flags");
    const before = this.#answers;
    this.#answers = new Map(body.flags.map((flag) => [String(flag.key), read(flag)]));
    this.#tag = answer.headers.get("etag");
    if (!before && this.#last === "empty") this.#listeners.tell("ready", undefined);
    else this.#listeners.tell("changed", { flags: different(before, this.#answers) });
  }

  #tellState(): void {
    const [before, state] = [this.#last, this.state];
    if (state === "empty") return;
    this.#last = state;
    if (state === "stale" && before !== "stale") this.#listeners.tell("stale", { message: "the host has not answered for long" });
    if (state === "fresh" && before === "stale") this.#listeners.tell("fresh", undefined);
  }

  #schedule(): void {
    const period = this.#options.poll ?? 30;
    if (this.#closed || period <= 0) return;
    this.#timer = setTimeout(() => void this.refresh().finally(() => this.#schedule()), pause(period, this.#failures));
    (this.#timer as { unref?: () => void }).unref?.();
  }
}

/** One flag of a bulk answer. */
function read(flag: Record<string, unknown>): Answer {
  const { "flagstone.exposureToken": token, ...metadata } = plain(flag["metadata"]);
  const key = String(flag["key"]);
  if (typeof flag["errorCode"] === "string") {
    const errorDetails = typeof flag["errorDetails"] === "string" ? flag["errorDetails"] : undefined;
    return { evaluated: { key, reason: "ERROR", errorCode: flag["errorCode"], errorDetails, metadata } };
  }
  const evaluated: Evaluated = { key, reason: String(flag["reason"] ?? "UNKNOWN"), metadata };
  if (typeof flag["variant"] === "string") Object.assign(evaluated, { variant: flag["variant"], value: flag["value"] });
  return { evaluated, ...(typeof token === "string" ? { token } : {}) };
}

/** Keys of flags that are decided otherwise than before. */
function different(before: Map<string, Answer> | undefined, after: Map<string, Answer>): string[] {
  const text = (answer: Answer | undefined) => answer && JSON.stringify(answer.evaluated);
  const keys = new Set([...(before?.keys() ?? []), ...after.keys()]);
  return [...keys].filter((key) => text(before?.get(key)) !== text(after.get(key)));
}
