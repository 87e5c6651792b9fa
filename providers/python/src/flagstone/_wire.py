"""Events as they travel (docs/events.md): pseudonyms, ids and batches that are those of every other host."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .reporting import Exposure, Outcome

#: Whole numbers are at most this in size, so that every language computes the same hashes.
LARGEST_INTEGER = (1 << 53) - 1
NAME_BYTES, UNIT_BYTES, SLICE_BYTES, FIELDS, TEXT_BYTES = 256, 4_096, 64, 32, 6_000
STREAMS = ("production", "evaluation", "training")


class Unfit(ValueError):
    """An event that breaks a cap of the format."""


class Pepper:
    """The secret of pseudonyms: 32 bytes, 64 hexadecimal digits as text. Its text shows nothing."""

    def __init__(self, secret: str) -> None:
        key = bytes.fromhex(secret.strip())
        if len(key) != 32:
            raise ValueError("a pepper is 64 hexadecimal digits")
        self._key = key

    def __repr__(self) -> str:
        return "Pepper(secret)"

    def pseudonym(self, stream: str, unit: str) -> str:
        """Who, within a stream: 32 hexadecimal digits."""
        text = unit.encode("utf-8")
        if not 0 < len(text) <= UNIT_BYTES:
            raise Unfit("targeting key")
        return self._tag(stream.encode() + b"\0" + text)

    def id(self, *parts: bytes) -> str:
        """An event's id over some parts, each with its length before it."""
        return self._tag(b"".join(len(part).to_bytes(8, "big") + part for part in parts))

    def _tag(self, content: bytes) -> str:
        return hmac.new(self._key, content, hashlib.sha256).digest()[:16].hex()


def exposure(pepper: Pepper, stream: str, event: Exposure, window_ms: int) -> dict[str, Any]:
    """An exposure without its sequence number. Raises Unfit."""
    unit = pepper.pseudonym(stream, event.unit)
    mark, stage = event.snapshot, event.stage
    identity = pepper.id(
        b"exposure", bytes.fromhex(unit), _name("flag", event.flag).encode(), _name("variant", event.variant).encode(),
        mark.epoch.to_bytes(8, "big"), mark.sequence.to_bytes(8, "big"),
        bytes((1, 0)) if stage is None else bytes((0, stage)), (event.at_ms // window_ms).to_bytes(8, "big"),
    )
    return {
        "type": "exposure", "id": identity, "stream": stream, "flag": event.flag, "variant": event.variant,
        "arm": event.arm, "stage": stage, "cohort": event.cohort, "probability": event.probability, "unit": unit,
        "snapshot": {"epoch": mark.epoch, "sequence": mark.sequence, "digest": mark.digest},
        "reason": _name("reason", event.reason), "at_ms": _time(event.at_ms),
    }


def outcome(pepper: Pepper, stream: str, event: Outcome) -> dict[str, Any]:
    """An outcome without its sequence number. Raises Unfit."""
    unit = pepper.pseudonym(stream, event.unit)
    fields: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("measure", event.measures), ("boolean", event.booleans), ("slice", event.slices),
    )
    size = 0
    for what, members in fields:
        if len(members) > FIELDS:
            raise Unfit(f"more than {FIELDS} of {what}")
        size += sum(len(_name(what, name).encode()) for name in members)
    for value in event.slices.values():
        size += len(_name("slice value", value, SLICE_BYTES).encode())
    if size > TEXT_BYTES:
        raise Unfit("names and slice values")
    return {
        "type": "outcome",
        "id": pepper.id(b"outcome", bytes.fromhex(unit), _name("outcome", event.name).encode(), event.request.encode()),
        "stream": stream, "name": event.name, "unit": unit,
        "measures": {name: _micros(value) for name, value in event.measures.items()},
        "booleans": {name: bool(value) for name, value in event.booleans.items()},
        "slices": dict(event.slices), "at_ms": _time(event.at_ms),
    }


def batch(
    instance: str, events: Sequence[Mapping[str, Any]], previous: Optional[str], dropped: Mapping[str, int]
) -> dict[str, Any]:
    """A batch of at least one event with its sequence numbers in them. `id` covers all but `dropped`."""
    content = {
        "version": 1, "instance": instance, "first_sequence": events[0]["sequence"], "count": len(events),
        "previous": previous, "events": list(events),
    }
    identity = hashlib.sha256(canonical(content).encode("utf-8")).hexdigest()
    return {**content, "id": identity, "dropped": dict(dropped)}


def canonical(value: Any) -> str:
    """Canonical JSON (RFC 8785) of texts, whole numbers, booleans, null, lists and objects."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(element) for element in value) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _name(what: str, text: str, largest: int = NAME_BYTES) -> str:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise Unfit(what) from None
    if not 0 < size <= largest or any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 for one in text):
        raise Unfit(what)
    return text


def _time(at_ms: int) -> int:
    if not 0 <= at_ms <= LARGEST_INTEGER:
        raise Unfit("at_ms")
    return at_ms


def _micros(number: float) -> int:
    """Millionths, halves away from zero as in every other host."""
    scaled = float(number) * 1_000_000.0
    if not math.isfinite(scaled):
        raise Unfit("measure")
    size = abs(scaled)
    whole = math.floor(size)
    whole += size - whole >= 0.5
    rounded = -whole if scaled < 0 else whole
    if abs(rounded) > LARGEST_INTEGER:
        raise Unfit("measure")
    return rounded
