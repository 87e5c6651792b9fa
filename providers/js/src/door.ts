// OFREP for servers at the edge that speak `Request` and `Response`: workers, Deno, Bun. The doors of docs/host.md that need no disk:
// one flag, all flags, the configuration, and exposures by token.
import type { Attributes } from "./flagstone.js";
import { failure } from "./flags.js";
import type { Evaluated } from "./flags.js";
import type { Live } from "./live.js";
import { exposure } from "./report.js";
import type { Reporter } from "./report.js";
import { TokenError } from "./tokens.js";
import type { Tokens } from "./tokens.js";

export interface DoorOptions {
  live: Live;
  /** Without them no exposure token is given or taken. */
  tokens?: Tokens;
  /** Where exposures go. */
  reporter?: Reporter;
  /** Seconds after which it makes sense to ask again; default 10. */
  poll?: number;
  /** Unix seconds; default: this machine's clock. */
  now?: () => number;
}

/** Largest body taken, bytes (docs/host.md). */
const MAX_BODY = 144 * 1024;
const EVALUATE = "/ofrep/v1/evaluate/flags";

/** Answers a request to one of the doors; undefined for any other address, which is then yours to answer. */
export type Door = (request: Request) => Promise<Response | undefined>;

export function door(options: DoorOptions): Door {
  const now = options.now ?? (() => Date.now() / 1000);
  return async (request) => {
    const { pathname } = new URL(request.url);
    const is = (method: string, path: string) => request.method === method && pathname === path;
    if (is("GET", "/ofrep/v1/configuration")) return configuration(request, options.poll ?? 10);
    if (is("POST", "/v1/exposures")) return redeem(request, options, now());
    if (is("POST", EVALUATE)) return bulk(request, options, now());
    if (request.method === "POST" && pathname.startsWith(`${EVALUATE}/`)) {
      return one(request, decodeURIComponent(pathname.slice(EVALUATE.length + 1)), options, now());
    }
    return undefined;
  };
}

interface Asked {
  context: Attributes;
  apply: boolean;
  token: boolean;
}

/** Reads a body; a text is OpenFeature's error code. */
async function asked(request: Request): Promise<Asked | [code: string, details: string]> {
  let body: unknown;
  try {
    const text = await limited(request);
    if (text === undefined) return ["INVALID_CONTEXT", `the body has more than ${MAX_BODY} bytes`];
    body = JSON.parse(text);
  } catch (error) {
    return ["PARSE_ERROR", failure(error).message];
  }
  const { context, apply, exposureToken } = (body ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries({ apply, exposureToken })) {
    if (value !== undefined && typeof value !== "boolean") return ["PARSE_ERROR", `\`${name}\` must be true or false`];
  }
  if (context === null || typeof context !== "object" || Array.isArray(context)) return ["INVALID_CONTEXT", "`context` must be an object"];
  const header = request.headers.get("flagstone-exposure-token");
  const token = (exposureToken as boolean | undefined) ?? (header === "yes" || header === "true");
  return { context: context as Attributes, apply: (apply as boolean | undefined) ?? !token, token };
}

async function one(request: Request, key: string, options: DoorOptions, now: number): Promise<Response> {
  const read = await asked(request);
  if (Array.isArray(read)) return json(400, { key, errorCode: read[0], errorDetails: read[1] });
  const evaluated = options.live.evaluate(read.context, key);
  if (read.apply) expose(options, read.context, key, now);
  const token = read.token ? await tokenOf(options, read.context, key, now) : undefined;
  const [status, body] = answer(evaluated, token);
  return json(status, body);
}

async function bulk(request: Request, options: DoorOptions, now: number): Promise<Response> {
  const read = await asked(request);
  if (Array.isArray(read)) return json(400, { errorCode: read[0], errorDetails: read[1] });
  const { live } = options;
  if (!live.current) return json(503, { errorCode: "PROVIDER_NOT_READY", errorDetails: "no snapshot has been accepted yet" });
  const keys = live.current.flags.map(({ key }) => key);
  const evaluated = keys.map((key) => live.evaluate(read.context, key));
  const etag = await tag(read, evaluated, live.current.info.mark.digest, options, now);
  if (etag && request.headers.get("if-none-match")?.split(",").some((known) => known.trim().replace(/^W\//, "") === etag)) {
    return new Response(null, { status: 304, headers: { etag } });
  }
  const tokens = await Promise.all(keys.map((key) => (read.token ? tokenOf(options, read.context, key, now) : undefined)));
  return json(200, { flags: evaluated.map((each, place) => answer(each, tokens[place])[1]) }, etag ? { etag } : {});
}

/**
 * The entity tag: of the snapshot, the context and every answer, so that a pulse that changes nothing leaves it. Tokens are not in it, for they
 * are new each time; instead it changes in the middle of their life, so that nobody keeps dead ones.
 */
async function tag(read: Asked, evaluated: Evaluated[], digest: string, { tokens }: DoorOptions, now: number): Promise<string | undefined> {
  if (!tokens) return undefined;
  const age = read.token ? Math.floor((now * 1000) / (tokens.lifetime / 2)) : 0;
  const answers = evaluated.map((each) => answer(each)[1]);
  return `"${await tokens.fingerprint([digest, JSON.stringify(read.context), JSON.stringify(answers), String(age)])}"`;
}

/** The status and body of a decision as OFREP has them. */
function answer(evaluated: Evaluated, token?: string): [status: number, body: Record<string, unknown>] {
  const { key, reason, variant, value, errorCode, errorDetails, metadata } = evaluated;
  if (errorCode) {
    const status = { FLAG_NOT_FOUND: 404, INVALID_CONTEXT: 400, PARSE_ERROR: 400, PROVIDER_NOT_READY: 503 }[errorCode] ?? 500;
    return [status, { key, errorCode, errorDetails }];
  }
  const given = variant === undefined ? {} : { variant, value };
  const named = token === undefined ? metadata : { ...metadata, "flagstone.exposureToken": token };
  return [200, { key, reason, ...given, metadata: named }];
}

async function tokenOf({ live, tokens }: DoorOptions, context: Attributes, key: string, now: number): Promise<string | undefined> {
  const fact = live.current && tokens && exposure(live.current, context, key, now);
  // Without consent there is nothing to say later.
  return fact && fact.analytics !== false ? tokens.seal(fact) : undefined;
}

function expose({ live, reporter }: DoorOptions, context: Attributes, key: string, now: number): void {
  const fact = live.current && reporter && exposure(live.current, context, key, now);
  if (fact) reporter.report(fact);
}

async function redeem(request: Request, { tokens, reporter }: DoorOptions, now: number): Promise<Response> {
  let token: unknown;
  try {
    token = JSON.parse((await limited(request)) ?? "").token;
  } catch {
    token = undefined;
  }
  if (typeof token !== "string") return json(400, { error: "token-malformed", details: "the body is no `{\"token\": …}`" });
  if (!tokens || !reporter) return json(404, { error: "no-tokens", details: "this server takes no exposure tokens" });
  try {
    reporter.report({ type: "event", event: await tokens.open(token, now * 1000) });
    return json(200, { recorded: "yes" });
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    const status = { "token-expired": 410, "token-forged": 403, "token-other-audience": 403, "token-malformed": 400, "token-version": 400 }[error.code];
    return json(status, { error: error.code, details: error.message });
  }
}

function configuration(request: Request, poll: number): Response {
  const period = poll * 1000;
  const polling = { enabled: true, minPollingInterval: period, minPollingIntervalMs: period };
  const tag = `"poll-${period}"`;
  if (request.headers.get("if-none-match") === tag) return new Response(null, { status: 304, headers: { etag: tag } });
  const capabilities = { cacheInvalidation: { polling }, flagEvaluation: { unsupportedTypes: [] }, caching: { enabled: false } };
  return json(200, { name: "flagstone", capabilities }, { etag: tag });
}

/** The text of a body, undefined when it is too long. */
async function limited(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY) return undefined;
  const bytes = await request.arrayBuffer();
  return bytes.byteLength > MAX_BODY ? undefined : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status, headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}
