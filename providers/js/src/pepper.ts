// The secret of pseudonyms, and the ids that follow from content (docs/events.md), by the runtime's own cryptography.

const utf8 = new TextEncoder();

/** HMAC-SHA-256 under a secret of 32 bytes. */
export class Pepper {
  readonly #key: Promise<CryptoKey>;

  /** `secret`: 64 hexadecimal digits, the same as the hosts'. */
  constructor(secret: string) {
    if (!/^[0-9a-fA-F]{64}$/.test(secret)) throw new TypeError("a pepper is 64 hexadecimal digits");
    this.#key = hmac(fromHex(secret));
  }

  /** What a unit is called in one stream: 32 hexadecimal digits. */
  async pseudonym(stream: string, unit: string): Promise<string> {
    return toHex((await this.#mac(join([utf8.encode(stream), Uint8Array.of(0), utf8.encode(unit)]))).slice(0, 16));
  }

  /** An id of these parts, each preceded by its length. */
  async tag(parts: Uint8Array[]): Promise<string> {
    return toHex((await this.#mac(framed(parts))).slice(0, 16));
  }

  /** A key for one purpose. */
  derive(label: string): Promise<Uint8Array> {
    return this.#mac(framed([utf8.encode(label)]));
  }

  async #mac(bytes: Uint8Array): Promise<Uint8Array> {
    return mac(await this.#key, bytes);
  }
}

export function hmac(key: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key.slice(), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

export async function mac(key: CryptoKey, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes.slice()));
}

export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice()));
}

/** Each part after its length, 8 bytes big-endian. */
export function framed(parts: Uint8Array[]): Uint8Array {
  return join(parts.flatMap((part) => [big(part.length), part]));
}

/** 8 bytes, big-endian. */
export function big(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

export function join(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
