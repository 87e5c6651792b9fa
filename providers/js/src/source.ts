// Where sealed files and pulses come from. Nothing here is believed: the engine verifies every byte.

import { pushed } from "./push.js";

/** Something that gives sealed files and, where rollouts move, pulses. */
export interface Source {
  /** The pulse, undefined when it is the one given last. Without this member plans stay closed. */
  pulse?(): Promise<Uint8Array | undefined>;
  /** The sealed file with this digest of its statement (64 hexadecimal digits), or the current one; undefined as above. */
  snapshot(digest?: string): Promise<Uint8Array | undefined>;
  /**
   * The newest trust statement, undefined when it is the one given last or there is none; or the one of a version, for readers that missed
   * rotations. Without this member the pinned statement is all there is.
   */
  trust?(version?: number): Promise<Uint8Array | undefined>;
  /** Pulses as they are pushed, until the stream ends; an Error with the code `no-stream` where there is none. */
  pulses?(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** What a source may be told. */
export interface SourceOptions {
  /** Instead of the runtime's own. */
  fetch?: typeof fetch;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Largest answer taken, bytes; default 4 MiB. */
  maxBytes?: number;
  /** Milliseconds for one request; default 10 000. */
  timeout?: number;
  /** Where sealed files are kept by their digest: a `Cache` of the runtime, for browsers and workers. */
  cache?: Pick<Cache, "match" | "put">;
}

/** A control plane: `ADDRESS/v1/environments/ENVIRONMENT/…` (docs/host.md). */
export function controlPlane(address: string, environment: string, options: SourceOptions = {}): Source {
  const base = `${address.replace(/\/$/, "")}/v1/environments/${encodeURIComponent(environment)}`;
  const pulse = conditional(`${base}/pulse`, options);
  const trust = absent(conditional(`${base}/trust`, options));
  return {
    pulse,
    trust: (version) => (version === undefined ? trust() : absent(conditional(`${base}/trust/${version}`, options))()),
    pulses: (signal) => pushed(`${base}/pulse/live`, options, signal),
    snapshot(digest) {
      if (digest === undefined) throw new Error("a control plane gives sealed files by their digest");
      // What has a digest for its name never changes.
      return cached(`${base}/snapshots/${digest}`, options);
    },
  };
}

/** One sealed file at an address, and a pulse at another if there is one. */
export function file(address: string | URL, options: SourceOptions & { pulse?: string | URL } = {}): Source {
  const snapshot = conditional(String(address), options);
  if (options.pulse === undefined) return { snapshot: () => snapshot() };
  const pulse = conditional(String(options.pulse), options);
  let last: Uint8Array | undefined;
  return {
    pulse,
    async snapshot() { return (last = (await snapshot()) ?? last); },
  };
}

/**
 * A folder on disk with the names of a published one: `pulse`, `snapshots/DIGEST`, `trust`, `trust.VERSION`. For Node, Deno and Bun, beside somebody who copies a control
 * plane there.
 */
export function folder(path: string): Source {
  let last = "";
  const read = async (name: string) => {
    const files: { readFile(path: string): Promise<Uint8Array> } = await import(DISK);
    return new Uint8Array(await files.readFile(`${path.replace(/\/$/, "")}/${name}`));
  };
  return {
    async pulse() {
      const pulse = await read("pulse");
      const text = new TextDecoder().decode(pulse);
      if (text === last) return undefined;
      last = text;
      return pulse;
    },
    trust: (version) => absent(() => read(version === undefined ? "trust" : `trust.${version}`))(),
    snapshot(digest) {
      if (digest === undefined) throw new Error("a folder gives sealed files by their digest");
      return read(`snapshots/${digest}`);
    },
  };
}

/** A name that neither bundlers for pages nor the compiler follow. */
const DISK: string = "node:fs/promises";

/** What is not there is nothing, instead of a failure. */
function absent(ask: () => Promise<Uint8Array | undefined>): () => Promise<Uint8Array | undefined> {
  return () => ask().catch((error: unknown) => {
    const { status, code } = error as { status?: unknown; code?: unknown };
    if (status === 404 || code === "ENOENT") return undefined;
    throw error;
  });
}

/** Asks with the entity tag of the last answer. */
function conditional(address: string, options: SourceOptions): () => Promise<Uint8Array | undefined> {
  let tag: string | null = null;
  return async () => {
    const answer = await get(address, options, tag ? { "if-none-match": tag } : {});
    if (answer.status === 304) return undefined;
    const bytes = await body(answer, address, options);
    tag = answer.headers.get("etag");
    return bytes;
  };
}

async function cached(address: string, options: SourceOptions): Promise<Uint8Array> {
  const known = await options.cache?.match(address);
  if (known) return body(known, address, options);
  const bytes = await body(await get(address, options, {}), address, options);
  const headers = { "content-type": "application/octet-stream", "cache-control": "public, max-age=31536000, immutable" };
  await options.cache?.put(address, new Response(bytes.slice(), { headers }));
  return bytes;
}

function get(address: string, options: SourceOptions, headers: Record<string, string>): Promise<Response> {
  const ask = options.fetch ?? fetch;
  const signal = AbortSignal.timeout(options.timeout ?? 10_000);
  return ask(address, { headers: { ...options.headers, ...headers }, redirect: "manual", signal });
}

/** The bytes of a good answer, counted while they come. */
async function body(answer: Response, address: string, options: SourceOptions): Promise<Uint8Array> {
  if (!answer.ok) throw Object.assign(new Error(`${address} answered HTTP ${answer.status}`), { code: "http", status: answer.status });
  const limit = options.maxBytes ?? 4 * 1024 * 1024;
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    length += part.value.length;
    if (length > limit) {
      await reader?.cancel();
      throw Object.assign(new Error(`${address} gave more than ${limit} bytes`), { code: "too-large" });
    }
    parts.push(part.value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The digest of the snapshot that a pulse names, 64 hexadecimal digits: only to know what to fetch, nothing is verified here. */
export function named(pulse: Uint8Array): string | undefined {
  const line = /^snapshot \d+ \d+ ([A-Za-z0-9+/]{43}=)$/m.exec(new TextDecoder().decode(pulse));
  if (!line?.[1]) return undefined;
  return Array.from(atob(line[1]), (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
