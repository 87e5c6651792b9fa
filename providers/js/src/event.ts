// Facts as events of docs/events.md: the unit's key becomes a pseudonym, ids follow from content.
import { Pepper, big, fromHex, sha256, toHex } from "./pepper.js";
import type { ExposureFact, OutcomeFact } from "./report.js";

export type Stream = "production" | "evaluation" | "training";

/** An event without its sequence number, in the order of the wire. */
export type EventBody = { type: string; id: string } & Record<string, unknown>;

const utf8 = new TextEncoder();
const MAX_UNIT_BYTES = 4_096;
const MAX_NAME_BYTES = 256;
const MAX_OUTCOME_TEXT_BYTES = 6_000;

/** The event of an exposure; `windowMs`: within it one unit's repeated exposures count as one. Undefined when it breaks a cap. */
export async function exposureEvent(pepper: Pepper, stream: Stream, fact: ExposureFact, windowMs: number): Promise<EventBody | undefined> {
  const { flag, variant, arm, stage, cohort, probability, snapshot, reason, atMs } = fact;
  if (!unitFits(fact.unit) || ![flag, variant, reason].every(nameFits)) return undefined;
  const unit = await pepper.pseudonym(stream, fact.unit);
  const id = await pepper.tag([
    utf8.encode("exposure"),
    fromHex(unit),
    utf8.encode(flag),
    utf8.encode(variant),
    big(snapshot.epoch),
    big(snapshot.sequence),
    stage === null ? Uint8Array.of(1, 0) : Uint8Array.of(0, stage),
    big(Math.floor(atMs / windowMs)),
  ]);
  const { epoch, sequence, digest } = snapshot;
  return {
    type: "exposure", id, stream, flag, variant, arm, stage, cohort, probability, unit,
    snapshot: { epoch, sequence, digest }, reason, at_ms: atMs,
  };
}

/** The event of an outcome. Undefined when it breaks a cap, or names no unit. */
export async function outcomeEvent(pepper: Pepper, stream: Stream, fact: OutcomeFact): Promise<EventBody | undefined> {
  const { name, request, booleans, slices, atMs } = fact;
  if (fact.unit === undefined || !unitFits(fact.unit) || !nameFits(name)) return undefined;
  const measures: Record<string, number> = {};
  for (const [key, value] of Object.entries(fact.measures)) {
    const millionths = Math.round(value * 1e6);
    if (!Number.isSafeInteger(millionths)) return undefined;
    measures[key] = millionths;
  }
  const sliceFits = (text: string) => nameFits(text) && utf8.encode(text).length <= 64;
  if (![measures, booleans, slices].every((members) => Object.keys(members).length <= 32 && Object.keys(members).every(nameFits))) return undefined;
  if (!Object.values(slices).every(sliceFits)) return undefined;
  const texts = [...Object.keys(measures), ...Object.keys(booleans), ...Object.entries(slices).flat()];
  if (texts.reduce((size, text) => size + utf8.encode(text).length, 0) > MAX_OUTCOME_TEXT_BYTES) return undefined;
  const unit = await pepper.pseudonym(stream, fact.unit);
  const id = await pepper.tag([utf8.encode("outcome"), fromHex(unit), utf8.encode(name), utf8.encode(request)]);
  return { type: "outcome", id, stream, name, unit, measures, booleans, slices, at_ms: atMs };
}

/** A batch as the receiver takes it; its id is the hash of its content. */
export async function batch(
  instance: string, previous: string | null, dropped: Record<string, number>, first: number, bodies: EventBody[],
): Promise<{ id: string; text: string }> {
  const events = bodies.map((body, place) => ({ sequence: first + place, ...body }));
  const covered = { version: 1, instance, first_sequence: first, count: events.length, previous, events };
  const id = toHex(await sha256(utf8.encode(canonical(covered))));
  return { id, text: JSON.stringify({ ...covered, id, dropped }) };
}

/** Canonical JSON (RFC 8785) for what events hold: whole numbers, and members by the UTF-16 units of their names. */
export function canonical(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

function unitFits(unit: string): boolean {
  return unit !== "" && utf8.encode(unit).length <= MAX_UNIT_BYTES;
}

function nameFits(name: string): boolean {
  return name !== "" && utf8.encode(name).length <= MAX_NAME_BYTES && !/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u.test(name);
}
