// Where the last good snapshot stays between starts, in pages and workers: one entry of the runtime's cache, written as a whole, so
// that what is read back is the old one or the new one. It is verified again like a copy from the network.
import type { Mark } from "./flagstone.js";

/** What is kept from one start to the next. */
export interface Saved {
  file: Uint8Array;
  pulse?: Uint8Array;
  mark: Mark;
  /** Trust statements accepted after the pinned one, oldest first. */
  trust?: string[];
}

/** Where it is kept. */
export interface Store {
  read(): Promise<Saved | undefined>;
  write(saved: Saved): Promise<void>;
}

/** Keeps it in a cache: `cacheStore(await caches.open("flagstone"))`. `address` tells several apart; it is never fetched. */
export function cacheStore(cache: Pick<Cache, "match" | "put">, address = "https://flagstone.invalid/last"): Store {
  return {
    async read() {
      const known = await cache.match(address);
      return known && unpacked(new Uint8Array(await known.arrayBuffer()));
    },
    async write(saved) {
      await cache.put(address, new Response(packed(saved), { headers: { "content-type": "application/octet-stream" } }));
    },
  };
}

/** For stores of one's own: mark, trust statements and lengths as a line of JSON, the pulse, the file. */
export function packed({ file, pulse, mark, trust = [] }: Saved): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode(`${JSON.stringify({ mark, trust, pulse: pulse?.length ?? 0 })}\n`);
  const whole = new Uint8Array(head.length + (pulse?.length ?? 0) + file.length);
  whole.set(head);
  if (pulse) whole.set(pulse, head.length);
  whole.set(file, whole.length - file.length);
  return whole;
}

/** Undefined for bytes that are none of `packed`'s. */
export function unpacked(bytes: Uint8Array): Saved | undefined {
  try {
    const end = bytes.indexOf(10) + 1;
    const { mark, trust, pulse } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    const file = bytes.slice(end + pulse);
    const saved: Saved = { file, mark, trust };
    if (pulse > 0) saved.pulse = bytes.slice(end, end + pulse);
    return saved;
  } catch {
    return undefined;
  }
}
