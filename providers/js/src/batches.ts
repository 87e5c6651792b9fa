// A reporter for servers and workers: pseudonyms, batches with contiguous numbers, bounded, and an account of what was lost.
import { batch, exposureEvent, outcomeEvent } from "./event.js";
import type { EventBody, Stream } from "./event.js";
import { failure } from "./flags.js";
import { Pepper } from "./pepper.js";
import type { Fact, Reporter } from "./report.js";

export type { Stream } from "./event.js";

export interface BatchOptions {
  /** Where batches go: `CONTROL-PLANE/v1/environments/ENVIRONMENT/events`. */
  address: string;
  /** 64 hexadecimal digits; every reporter of an environment has the same one. */
  pepper: string;
  /** What the events may be used for; default `production`. */
  stream?: Stream;
  /** `stated` (default): a context that says nothing of consent is reported. `required`: only what grants `analytics` is. */
  consent?: "stated" | "required";
  /** Sent as `Authorization: Bearer …`. */
  token?: string;
  /** Keeps a worker alive until a batch is away; without it, `flush` is for the caller to wait for. */
  waitUntil?: (work: Promise<unknown>) => void;
  /** Milliseconds for which facts are gathered before they are sent; default 1 000. 0: only `flush` sends. */
  linger?: number;
  /** Facts that wait at most; default 8 192. More are dropped and counted. */
  queue?: number;
  /** Events of one batch, at most 1 000; default 500. */
  batch?: number;
  /** Milliseconds within which one unit's repeated exposures count as one; default a day. All reporters must agree. */
  window?: number;
  /** Instead of the runtime's own. */
  fetch?: typeof fetch;
  /** Told of batches that did not go out; they are tried again. */
  onError?: (error: { message: string; code?: string }) => void;
}

/** Ids that are remembered, so that repetitions cost nothing on the wire. */
const REMEMBERED = 20_000;
/** Answers after which a batch is tried again; any other 4xx is for good (docs/host.md). */
const AGAIN = new Set([401, 403, 404, 405, 408, 421, 423, 425, 429]);

/** A batch on its way: sent again as it is until it is acknowledged or refused for good. */
interface Sending {
  id: string;
  text: string;
  count: number;
}

export class Batches implements Reporter {
  readonly #options: BatchOptions;
  readonly #pepper: Pepper;
  /** This process: its numbers begin at 1. */
  readonly #instance = `js-${crypto.randomUUID()}`;
  readonly #seen = new Set<string>();
  readonly #dropped: Record<string, number> = {};
  #queue: Fact[] = [];
  #sending: Sending | undefined;
  #next = 1;
  #previous: string | null = null;
  #working: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Facts taken, repetitions, and events acknowledged. */
  readonly counts = { made: 0, repeated: 0, delivered: 0 };

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#pepper = new Pepper(options.pepper);
  }

  /** Losses by reason (docs/events.md). */
  get dropped(): Readonly<Record<string, number>> { return this.#dropped; }

  report(fact: Fact): void {
    if (fact.type === "token") return; // for those who have no pepper
    this.counts.made += 1;
    // What a token holds was asked for consent when it was made.
    const granted = fact.type === "event" || (fact.analytics ?? this.#options.consent !== "required");
    if (!granted) return this.#drop("no-consent");
    if (this.#queue.length >= (this.#options.queue ?? 8_192)) return this.#drop("queue-full");
    this.#queue.push(fact);
    const linger = this.#options.linger ?? 1_000;
    if (linger <= 0 || this.#timer !== undefined) return;
    let done: () => void;
    const gone = new Promise<void>((resolve) => { done = resolve; });
    this.#timer = setTimeout(() => void this.flush().finally(done), linger);
    (this.#timer as { unref?: () => void }).unref?.();
    this.#options.waitUntil?.(gone);
  }

  /** Sends what waits. Never rejects; what could not be delivered waits for the next time. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#working && !this.#sending && this.#queue.length === 0) return Promise.resolve();
    this.#working ??= this.#work();
    return this.#working;
  }

  async #work(): Promise<void> {
    try {
      while (this.#sending || this.#queue.length > 0) {
        this.#sending ??= await this.#prepare();
        if (this.#sending) await this.#send(this.#sending);
      }
    } catch (error) {
      this.#options.onError?.(failure(error));
    } finally {
      // At once after the last look at the queue: what is reported from here on is for the next flush.
      this.#working = undefined;
    }
  }

  /** The next batch, undefined when what waited came to nothing. */
  async #prepare(): Promise<Sending | undefined> {
    const facts = this.#queue.splice(0, Math.min(this.#options.batch ?? 500, 1_000));
    const bodies: EventBody[] = [];
    for (const fact of facts) {
      const body = await this.#event(fact);
      if (!body) this.#drop("invalid");
      else if (body.type === "exposure" && this.#repeated(body.id)) this.counts.repeated += 1;
      else bodies.push(body);
    }
    if (bodies.length === 0) return undefined;
    const made = await batch(this.#instance, this.#previous, { ...this.#dropped }, this.#next, bodies);
    this.#next += bodies.length;
    return { ...made, count: bodies.length };
  }

  #event(fact: Fact): Promise<EventBody | undefined> {
    const stream = this.#options.stream ?? "production";
    if (fact.type === "exposure") return exposureEvent(this.#pepper, stream, fact, this.#options.window ?? 86_400_000);
    if (fact.type === "outcome") return outcomeEvent(this.#pepper, stream, fact);
    return Promise.resolve(fact.type === "event" ? fact.event : undefined);
  }

  #repeated(id: string): boolean {
    if (this.#seen.has(id)) return true;
    if (this.#seen.size >= REMEMBERED) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.add(id);
    return false;
  }

  async #send(sending: Sending): Promise<void> {
    const { address, token } = this.#options;
    const ask = this.#options.fetch ?? fetch;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token) headers["authorization"] = `Bearer ${token}`;
    const answer = await ask(address, {
      method: "POST", body: sending.text, headers, redirect: "manual", signal: AbortSignal.timeout(10_000),
    });
    if (answer.ok) {
      // Portals answer 200 to anything: only an answer that names the batch is one.
      const told: unknown = await answer.json().catch(() => undefined);
      if ((told as { batch?: unknown } | undefined)?.batch !== sending.id) throw new Error(`${address} did not acknowledge the batch`);
      this.counts.delivered += sending.count;
      this.#previous = sending.id;
    } else {
      await answer.body?.cancel();
      const { status } = answer;
      if (status < 400 || status >= 500 || AGAIN.has(status)) throw new Error(`${address} answered HTTP ${status}`);
      this.#drop("poison", sending.count);
    }
    this.#sending = undefined;
  }

  #drop(reason: string, count = 1): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + count;
  }
}
