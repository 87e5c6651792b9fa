// A reporter for pages: hands a host's exposure tokens back. `navigator.sendBeacon` outlives the page; where there is none, a fetch
// that is kept alive does.
import type { Fact, Reporter } from "./report.js";

/** The newest tokens that are remembered as handed back. */
const REMEMBERED = 1_000;

export class Beacon implements Reporter {
  readonly #address: string;
  readonly #handed = new Set<string>();
  readonly #waiting: Set<Promise<unknown>> = new Set();
  /** Facts that only a reporter with a pepper can report. */
  ignored = 0;

  /** `address`: the host's `/v1/exposures`. */
  constructor(address: string | URL) {
    this.#address = String(address);
  }

  report(fact: Fact): void {
    if (fact.type !== "token") {
      this.ignored += 1;
      return;
    }
    if (this.#handed.has(fact.token)) return;
    if (this.#handed.size >= REMEMBERED) this.#handed.clear();
    this.#handed.add(fact.token);
    const body = new Blob([JSON.stringify({ token: fact.token })], { type: "application/json" });
    if (globalThis.navigator?.sendBeacon?.(this.#address, body)) return;
    const sent = fetch(this.#address, { method: "POST", body, keepalive: true }).then(
      (answer) => answer.body?.cancel(),
      () => this.#handed.delete(fact.token), // it may be handed back when it comes again
    ).finally(() => this.#waiting.delete(sent));
    this.#waiting.add(sent);
  }

  async flush(): Promise<void> {
    await Promise.all(this.#waiting);
  }
}
