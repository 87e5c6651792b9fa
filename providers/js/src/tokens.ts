// Exposure tokens (docs/events.md): what a page is handed with a decision, to say later that it was really shown. Byte for byte those of
// the native host, so that any host or worker with the pepper takes them.
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { exposureEvent } from "./event.js";
import type { EventBody, Stream } from "./event.js";
import { Pepper, big, framed, fromHex, hmac, join, mac, sha256, toHex } from "./pepper.js";
import type { ExposureFact } from "./report.js";

const VERSION = 1;
const NONCE_BYTES = 24;
const MAX_TOKEN_BYTES = 2_048;
const STREAMS: Stream[] = ["production", "evaluation", "training"];
const ARMS = ["none", "treatment", "control"];
const utf8 = new TextEncoder();

export interface TokenOptions {
  /** 64 hexadecimal digits, the same as the hosts'. */
  pepper: string;
  audience: string;
  environment: string;
  stream?: Stream;
  /** As in `BatchOptions`. */
  window?: number;
  /** Milliseconds; default an hour. */
  lifetime?: number;
}

/** Why a token is refused; `code` is of docs/events.md. */
export class TokenError extends Error {
  readonly code: "token-malformed" | "token-version" | "token-forged" | "token-other-audience" | "token-expired";

  constructor(code: TokenError["code"]) {
    super(`the exposure token is refused: ${code}`);
    this.code = code;
  }
}

/** Seals and opens the tokens of one pepper, audience and environment. */
export class Tokens {
  readonly #options: TokenOptions;
  readonly #pepper: Pepper;
  #keys: Promise<{ seal: Uint8Array; nonce: CryptoKey; audience: Uint8Array }> | undefined;

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#pepper = new Pepper(options.pepper);
  }

  /** The token of an exposure; undefined when its event would break a cap. */
  async seal(fact: ExposureFact, expiresMs = fact.atMs + this.lifetime): Promise<string | undefined> {
    const { stream = "production", window = 86_400_000 } = this.#options;
    const event = await exposureEvent(this.#pepper, stream, fact, window);
    if (!event) return undefined;
    const { seal, nonce: nonceKey, audience } = await this.#derived();
    const names = [fact.flag, fact.variant, fact.reason].flatMap((name) => {
      const bytes = utf8.encode(name);
      return [Uint8Array.of(bytes.length >> 8, bytes.length), bytes];
    });
    const place = (index: number | null) => (index === null ? Uint8Array.of(1, 0) : Uint8Array.of(0, index));
    const text = join([
      audience, big(expiresMs), fromHex(event.id), fromHex(event["unit"] as string), big(fact.atMs),
      word(fact.probability), word(1_000_000_000), big(fact.snapshot.epoch), big(fact.snapshot.sequence), fromHex(fact.snapshot.digest),
      Uint8Array.of(STREAMS.indexOf(stream), ARMS.indexOf(fact.arm)), place(fact.stage), place(fact.cohort), ...names,
    ]);
    const nonce = (await mac(nonceKey, text)).slice(0, NONCE_BYTES);
    const sealed = xchacha20poly1305(seal, nonce, Uint8Array.of(VERSION)).encrypt(text);
    return base64(join([Uint8Array.of(VERSION), nonce, sealed]));
  }

  /** The event in a token, as it was sealed. Throws `TokenError`. */
  async open(token: string, nowMs = Date.now()): Promise<EventBody> {
    const bytes = token.length <= MAX_TOKEN_BYTES ? unbase64(token) : undefined;
    if (!bytes || bytes.length === 0) throw new TokenError("token-malformed");
    if (bytes[0] !== VERSION) throw new TokenError("token-version");
    if (bytes.length < 1 + NONCE_BYTES) throw new TokenError("token-malformed");
    const { seal, nonce: nonceKey, audience } = await this.#derived();
    const nonce = bytes.slice(1, 1 + NONCE_BYTES);
    let text: Uint8Array;
    try {
      text = xchacha20poly1305(seal, nonce, Uint8Array.of(VERSION)).decrypt(bytes.slice(1 + NONCE_BYTES));
    } catch {
      throw new TokenError("token-forged");
    }
    if (toHex((await mac(nonceKey, text)).slice(0, NONCE_BYTES)) !== toHex(nonce)) throw new TokenError("token-forged");
    const read = new Reader(text);
    if (toHex(read.bytes(16)) !== toHex(audience)) throw new TokenError("token-other-audience");
    if (read.number() <= nowMs) throw new TokenError("token-expired");
    return read.event();
  }

  /** A fingerprint that only holders of the pepper can make, for entity tags: a plain hash of a context could be found by trying. */
  fingerprint(parts: string[]): Promise<string> {
    return this.#pepper.tag([utf8.encode("fingerprint"), ...parts.map((part) => utf8.encode(part))]);
  }

  /** Milliseconds for which a token is good. */
  get lifetime(): number { return this.#options.lifetime ?? 3_600_000; }

  #derived() {
    this.#keys ??= (async () => {
      const { audience, environment } = this.#options;
      const [seal, nonce, named] = await Promise.all([
        this.#pepper.derive("flagstone exposure token: seal"),
        this.#pepper.derive("flagstone exposure token: nonce"),
        sha256(framed([utf8.encode(audience), utf8.encode(environment)])),
      ]);
      return { seal, nonce: await hmac(nonce), audience: named.slice(0, 16) };
    })();
    return this.#keys;
  }
}

/** Reads what was sealed; it has been authenticated by then. */
class Reader {
  readonly #text: Uint8Array;
  #at = 0;

  constructor(text: Uint8Array) {
    this.#text = text;
  }

  bytes(count: number): Uint8Array {
    const part = this.#text.slice(this.#at, (this.#at += count));
    if (part.length !== count) throw new TokenError("token-malformed");
    return part;
  }

  number(): number {
    return Number(new DataView(this.bytes(8).buffer).getBigUint64(0));
  }

  event(): EventBody {
    const [id, unit] = [toHex(this.bytes(16)), toHex(this.bytes(16))];
    const at_ms = this.number();
    const parts = () => new DataView(this.bytes(4).buffer).getUint32(0);
    const [probability, inclusion] = [parts(), parts()];
    const snapshot = { epoch: this.number(), sequence: this.number(), digest: toHex(this.bytes(32)) };
    const [stream, arm] = Array.from(this.bytes(2), Number);
    const place = () => {
      const [absent, index] = Array.from(this.bytes(2));
      return absent ? null : index;
    };
    const [stage, cohort] = [place(), place()];
    const name = () => {
      const [high = 0, low = 0] = Array.from(this.bytes(2));
      return new TextDecoder().decode(this.bytes(high * 256 + low));
    };
    const [flag, variant, reason] = [name(), name(), name()];
    const event: EventBody = {
      type: "exposure", id, stream: STREAMS[stream ?? 0], flag, variant, arm: ARMS[arm ?? 0], stage, cohort, probability,
      unit, snapshot, reason, at_ms,
    };
    if (inclusion !== 1_000_000_000) event["inclusion"] = inclusion;
    return event;
  }
}

function word(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** The URL alphabet without padding. */
function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function unbase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  return base64(bytes) === text ? bytes : undefined; // one text for the same bytes
}
