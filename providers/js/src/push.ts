// Pulses as they are pushed: server-sent events of a control plane (docs/host.md, *Push*), with bounded memory and bounded patience.
import type { SourceOptions } from "./source.js";

/** Bytes of an event at most: a pulse and a little. */
const LARGEST = 300_000;
/** Milliseconds without a byte after which a stream is given up; the control plane gives a sign of life every 15 s. */
const SILENCE = 45_000;

/**
 * The pulses of the stream at an address, until it ends, is silent, or `signal` says so. Throws an Error with the code `no-stream` where there is
 * none.
 */
export async function* pushed(address: string, options: SourceOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const silence = new AbortController();
  const patience = () => {
    const timer = setTimeout(() => silence.abort(new Error(`${address} is silent`)), SILENCE);
    (timer as { unref?: () => void }).unref?.();
    return timer;
  };
  let timer = patience();
  try {
    const ask = options.fetch ?? fetch;
    const headers = { ...options.headers, accept: "text/event-stream" };
    const answer = await ask(address, { headers, redirect: "manual", signal: AbortSignal.any([signal, silence.signal]) });
    if (!answer.ok || !answer.body || !answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      await answer.body?.cancel();
      const none = [404, 405, 406, 501].includes(answer.status) || answer.ok;
      throw Object.assign(new Error(`${address} gave no stream: HTTP ${answer.status}`), { code: none ? "no-stream" : "http" });
    }
    const parser = new Parser();
    const reader = answer.body.getReader();
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        clearTimeout(timer);
        timer = patience();
        for (const { name, data } of parser.feed(part.value)) if (name === "pulse") yield new TextEncoder().encode(data);
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Events out of chunks (WHATWG HTML, 9.2.6). */
export class Parser {
  readonly #decoder = new TextDecoder();
  #rest = "";
  #name = "";
  #data: string[] = [];
  #size = 0;

  /** Takes in a chunk and gives the events that it completes; throws when one is too long. */
  feed(chunk: Uint8Array): { name: string; data: string }[] {
    const complete: { name: string; data: string }[] = [];
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    // A carriage return at the very end may be the first half of a line end.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") {
        this.#field(line);
        continue;
      }
      if (this.#data.length > 0) complete.push({ name: this.#name || "message", data: this.#data.join("\n") });
      this.#name = "";
      this.#data = [];
      this.#size = 0;
    }
    if (this.#size + this.#rest.length > LARGEST) throw Object.assign(new Error("an event without end"), { code: "too-large" });
    return complete;
  }

  #field(line: string): void {
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") this.#name = value;
    if (field !== "data") return;
    this.#data.push(value);
    this.#size += value.length + 1;
    if (this.#size > LARGEST) throw Object.assign(new Error("an event without end"), { code: "too-large" });
  }
}
