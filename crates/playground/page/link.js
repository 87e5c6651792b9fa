// A case in the address: JSON, deflated, as base64url behind `#1.`. What stands behind `#` is never sent to a server.

const VERSION = "1.";
/** Bytes of a case once inflated; a link that says more is refused. */
const LARGEST = 4 << 20;

/** The fragment for a case, without `#`. */
export async function write(state) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(state)));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return VERSION + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The case in a fragment; undefined when there is none. Throws when it cannot be read. */
export async function read(fragment) {
  const text = fragment.replace(/^#/, "");
  if (text === "") return undefined;
  if (!text.startsWith(VERSION)) throw new Error("it is of another version");
  const binary = atob(text.slice(VERSION.length).replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = await through(new DecompressionStream("deflate-raw"), Uint8Array.from(binary, (one) => one.charCodeAt(0)));
  return checked(JSON.parse(new TextDecoder().decode(bytes)));
}

/** Only what a case has, each of its kind: a link may have been written by anybody. */
function checked(state) {
  const text = (value, other) => (typeof value === "string" ? value : other);
  const whole = (value, other) => (Number.isSafeInteger(value) && value >= 0 ? value : other);
  const list = (value) => (Array.isArray(value) ? value : []);
  if (typeof state?.definition !== "string") throw new Error("it holds no definition");
  return {
    definition: state.definition,
    context: text(state.context, "{}"),
    flag: text(state.flag, ""),
    now: whole(state.now, 0),
    strict: state.strict === true,
    browser: state.browser === true,
    fresh: state.fresh !== false,
    stages: list(state.stages).filter((one) => typeof one?.flag === "string" && Number.isInteger(one.stage) && one.stage >= 0 && one.stage < 255)
      .map(({ flag, stage, since }) => ({ flag, stage, since: whole(since, 0) })),
    halts: list(state.halts).filter((key) => typeof key === "string"),
  };
}

async function through(transform, bytes) {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > LARGEST) {
      await reader.cancel();
      throw new Error("it is too large");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
