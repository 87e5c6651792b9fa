// A small signed world for tests: the fixed keys of host-tests/src/fixture.rs. The seeds are public and worthless; nothing outside
// tests trusts them.
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { bytes } from "./help.mjs";

export const [AUDIENCE, ENVIRONMENT, ISSUED] = ["flagstone.example/tests", "test", 1_800_000_000];
const DAY = 86_400;
const sha256 = (content) => createHash("sha256").update(content).digest();
/** What stands before a seed in PKCS #8. */
const PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** A signer by its name and the byte that its seed repeats. */
export function key(name, seed) {
  const secret = createPrivateKey({ key: Buffer.concat([PREFIX, Buffer.alloc(32, seed)]), format: "der", type: "pkcs8" });
  const held = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32);
  const full = `flagstone.example/${name}`;
  const typed = Buffer.concat([Buffer.of(1), held]);
  const id = sha256(Buffer.concat([Buffer.from(`${full}\n`), typed])).subarray(0, 4);
  const line = (statement) => `— ${full} ${Buffer.concat([id, sign(null, Buffer.from(statement), secret)]).toString("base64")}\n`;
  return { text: `${full}+${id.toString("hex")}+${typed.toString("base64")}`, line };
}

export const [ROOT, RELEASE, PULSE] = [key("root", 1), key("release", 2), key("pulse", 3)];

const signed = (statement, ...keys) => `${statement}\n${keys.map((one) => one.line(statement)).join("")}`;

/** A trust statement; it is signed by its own root and by `signers`. */
export function trust({ version = 1, epoch = 1, root = ROOT, release = RELEASE, pulse = PULSE, signers = [], issued = ISSUED } = {}) {
  const roles = [`root 1 ${root.text}`, `release:${ENVIRONMENT} 1 ${release.text}`, `pulse:${ENVIRONMENT} 1 ${pulse.text}`];
  const statement = `flagstone/trust@v1\nversion ${version}\nepoch ${epoch}\nissued ${issued}\nexpires ${issued + 300 * DAY}\n${roles.map((role) => `role ${role}\n`).join("")}`;
  return signed(statement, ...new Set([root, ...signers]));
}

/** The payload of a sealed file of the fixtures. */
export function payload(path) {
  const file = Buffer.from(bytes(path));
  return file.subarray(20 + file.readUInt32BE(8));
}

/** A payload sealed, with what names it; `pulse(number, …)` is a pulse for it. */
export function seal(content, { sequence = 1, epoch = 1, issued = ISSUED, release = RELEASE } = {}) {
  const reader = `audience ${AUDIENCE}\nenvironment ${ENVIRONMENT}\n`;
  const statement = `flagstone/snapshot@v1\n${reader}epoch ${epoch}\nsequence ${sequence}\nissued ${issued}\nexpires ${issued + 14 * DAY}\n`
    + `parent ${Buffer.alloc(32).toString("base64")}\npayload-type application/vnd.flagstone.snapshot.v1\npayload-length ${content.length}\n`
    + `payload-sha256 ${sha256(content).toString("base64")}\n`;
  const note = Buffer.from(signed(statement, release));
  const head = Buffer.alloc(20);
  head.write("FLAGS\0\0\x01", "latin1");
  head.writeUInt32BE(note.length, 8);
  head.writeBigUInt64BE(BigInt(content.length), 12);
  const digest = sha256(statement);
  const pulse = (number, { halts = [], issued: at = issued, signer = PULSE } = {}) => new Uint8Array(Buffer.from(signed(
    `flagstone/pulse@v1\n${reader}pulse ${number}\nissued ${at}\nexpires ${at + 300}\nsnapshot ${epoch} ${sequence} ${digest.toString("base64")}\n`
      + halts.map((flag) => `halt ${flag}\n`).join(""),
    signer,
  )));
  return { digest: digest.toString("hex"), file: new Uint8Array(Buffer.concat([head, note, content])), pulse };
}

/** A control plane in memory: what is published can be changed at any time. `asked` has what was asked for. */
export function published() {
  const held = { trust: [], pulse: undefined, files: new Map(), asked: [], missing: new Set() };
  const note = (text) => text && new TextEncoder().encode(text);
  held.put = (pulse, ...sealed) => {
    held.pulse = pulse;
    for (const one of sealed) held.files.set(one.digest, one.file);
  };
  held.source = {
    async trust(version) {
      held.asked.push(version ?? "trust");
      if (held.missing.has(version)) return undefined;
      return note(version === undefined ? held.trust.at(-1) : held.trust.find((text) => text.includes(`\nversion ${version}\n`)));
    },
    async pulse() { return held.pulse; },
    async snapshot(digest) {
      const file = held.files.get(digest);
      if (!file) throw new Error("there is no such snapshot");
      return file;
    },
  };
  return held;
}
