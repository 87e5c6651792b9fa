"""The engine by its flat core ABI (docs/engine.md, The core module): the fast door, used for everything unless said."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Optional, Union

import wasmtime

from . import _artefact, _calls, _runtime
from ._errors import FlagstoneError
from ._instance import (
    ARMS, KINDS, Assignment, FlagInfo, Mark, Opening, PulseInfo, SnapshotInfo, TrustInfo,
)

_EVALUATOR = "flagstone:flags/evaluator@0.1.0#"
_COHORTS = "flagstone:flags/cohorts@0.1.0#"
_REALLOC = "cabi_realloc"
#: Function, parameters, result, whether its result is given back to be freed.
_FUNCTIONS = {
    "open": (_EVALUATOR, "iiiiiiiilillii", "i", True),
    "advance": (_EVALUATOR, "iiiil", "i", True),
    "pulse": (_EVALUATOR, "iil", "i", True),
    "flags": (_EVALUATOR, "", "i", True),
    "attributes": (_EVALUATOR, "", "i", True),
    "context-attributes": (_EVALUATOR, "ii", "i", True),
    "drop-context": (_EVALUATOR, "i", "", False),
    "evaluate": (_EVALUATOR, "iil", "l", False),
    "decide-attributes": (_EVALUATOR, "iiil", "l", False),
    "evaluate-all": (_EVALUATOR, "il", "i", True),
    "decision": (_EVALUATOR, "iiiil", "i", True),
    "explain": (_EVALUATOR, "iiiil", "i", True),
    "assign": (_COHORTS, "iil", "i", False),
}
_SIGNATURES: dict[str, _calls.Signature] = {_REALLOC: ("iiii", "i")}
for _name, (_prefix, _parameters, _result, _freed) in _FUNCTIONS.items():
    _SIGNATURES[_prefix + _name] = (_parameters, _result)
    if _freed:
        _SIGNATURES[f"cabi_post_{_prefix}{_name}"] = ("i", "")

_PAIR = struct.Struct("<II")
_FLAG = struct.Struct("<IIBBBxBxxxIIBxxxI")
_MASK = (1 << 64) - 1
_checked: set[int] = set()


def module(cache: Optional[Path]) -> wasmtime.Module:
    """The core module of the component in this package, compiled, with the functions that are expected of it."""
    made = _runtime.module(_artefact.core(), cache)
    if id(made) not in _checked:
        _calls.check(made, _SIGNATURES)
        _checked.add(id(made))  # modules live as long as the process
    return made


class CoreInstance:
    """One instance of the core module."""

    def __init__(self, module: wasmtime.Module, memory: int = _runtime.MEMORY_BYTES) -> None:
        self._store = _runtime.store(memory)
        self._calls = _calls.instantiate(self._store, module, _SIGNATURES)
        functions = self._calls.functions
        self._of = {name: functions[prefix + name] for name, (prefix, *_) in _FUNCTIONS.items()}
        self._post = {
            name: functions[f"cabi_post_{prefix}{name}"]
            for name, (prefix, _, _, freed) in _FUNCTIONS.items() if freed
        }
        self._realloc = functions[_REALLOC]
        self._read, self._write = self._calls.read, self._calls.write
        self._decide = self._of["decide-attributes"]

    def limit(self, seconds: float) -> None:
        _runtime.limit(self._store, seconds)

    def open(self, opening: Opening) -> SnapshotInfo:
        mark = opening.mark
        known = (0, 0, 0, 0, 0) if mark is None else (
            1, mark.epoch, mark.sequence, *self._put(bytes.fromhex(mark.digest)),
        )
        at = self._of["open"](
            *self._put(opening.trust), *self._put(opening.file), *self._put(opening.audience),
            *self._put(opening.environment), opening.now, *known,
        )
        try:
            payload = self._result(at, 8, 60)
            epoch, sequence = struct.unpack_from("<QQ", payload, 0)
            issued, expires, flags = struct.unpack_from("<QQI", payload, 32)
            digest, flag_set, signers = payload[16:24], payload[24:32], payload[52:60]
            names = (self._text(pair) for pair in self._elements(signers, 8))
            named = Mark(epoch, sequence, self._bytes(digest).hex())
            return SnapshotInfo(named, self._text(flag_set), issued, expires, flags, tuple(names))
        finally:
            self._post["open"](at)

    def advance(self, trust: str, following: str, now: int) -> TrustInfo:
        at = self._of["advance"](*self._put(trust), *self._put(following), now)
        try:
            return TrustInfo(*struct.unpack("<QQQQ", self._result(at, 8, 32)))
        finally:
            self._post["advance"](at)

    def pulse(self, note: bytes, now: int) -> PulseInfo:
        at = self._of["pulse"](*self._put(note), now)
        try:
            payload = self._result(at, 8, 48)
            number, issued, expires, epoch, sequence = struct.unpack_from("<5Q", payload, 0)
            return PulseInfo(number, issued, expires, Mark(epoch, sequence, self._bytes(payload[40:48]).hex()))
        finally:
            self._post["pulse"](at)

    def flags(self) -> Sequence[FlagInfo]:
        at = self._of["flags"]()
        try:
            return [self._flag(entry) for entry in self._elements(self._read(at, 8), 32)]
        finally:
            self._post["flags"](at)

    def _flag(self, entry: bytes) -> FlagInfo:
        key, length, kind, client, planned, unit, unit_at, unit_length, sticky, version = _FLAG.unpack(entry)
        return FlagInfo(
            self._read(key, length).decode(), KINDS[kind], bool(client), bool(planned),
            self._read(unit_at, unit_length).decode() if unit else None, version if sticky else None,
        )

    def attributes(self) -> Sequence[str]:
        at = self._of["attributes"]()
        try:
            return [self._text(pair) for pair in self._elements(self._read(at, 8), 8)]
        finally:
            self._post["attributes"](at)

    def decide(self, attributes: bytes, flag: int, now: int) -> int:
        length = len(attributes)
        place = self._realloc(0, 0, 1, length)
        self._write(place, attributes)
        return self._decide(place, length, flag, now) & _MASK

    def decide_all(self, attributes: bytes, now: int) -> Sequence[int]:
        context = self._context(attributes)
        if context is None:
            return []
        at = self._of["evaluate-all"](context, now)
        packed = self._bytes(self._read(at, 8))
        self._post["evaluate-all"](at)
        self._of["drop-context"](context)
        return struct.unpack(f"<{len(packed) // 8}Q", packed)

    def decide_assign(self, attributes: bytes, flag: int, now: int) -> tuple[int, Optional[Assignment]]:
        context = self._context(attributes)
        if context is None:
            return self.decide(attributes, flag, now), None
        packed = self._of["evaluate"](context, flag, now) & _MASK
        place = self._read(self._of["assign"](context, flag, now), 20)
        self._of["drop-context"](context)
        if not place[0]:
            return packed, None
        probability, = struct.unpack_from("<I", place, 12)
        variant, = struct.unpack_from("<H", place, 18)
        return packed, Assignment(
            ARMS[place[4]], place[6] if place[5] else None, place[8] if place[7] else None, probability,
            variant if place[16] else None,
        )

    def decision(self, context: str, flag: str, now: int) -> str:
        return self._readable("decision", context, flag, now)

    def explain(self, context: str, flag: str, now: int) -> str:
        return self._readable("explain", context, flag, now)

    def memory_bytes(self) -> int:
        """Bytes of the instance's linear memory."""
        return self._calls.size()

    def _readable(self, name: str, context: str, flag: str, now: int) -> str:
        at = self._of[name](*self._put(context), *self._put(flag), now)
        text = self._text(self._read(at, 8))
        self._post[name](at)
        return text

    def _context(self, attributes: bytes) -> Optional[int]:
        at = self._of["context-attributes"](*self._put(attributes))
        refused, handle = struct.unpack("<B3xI", self._read(at, 8))
        self._post["context-attributes"](at)
        return None if refused else int(handle)

    def _put(self, value: Union[str, bytes]) -> tuple[int, int]:
        """An argument's bytes in the engine's memory, the engine's from then on."""
        data = value.encode("utf-8") if isinstance(value, str) else value
        at = self._realloc(0, 0, 1, len(data))
        self._write(at, data)
        return at, len(data)

    def _result(self, at: int, offset: int, length: int) -> bytes:
        """The payload of a `result`; raises what it holds when it is an error."""
        if self._read(at, 1)[0] == 0:
            return self._read(at + offset, length)
        pairs = self._read(at + offset, 16)
        raise FlagstoneError(self._text(pairs[:8]), self._text(pairs[8:]))

    def _bytes(self, pair: bytes) -> bytes:
        at, length = _PAIR.unpack(pair)
        return self._read(at, length)

    def _text(self, pair: bytes) -> str:
        return self._bytes(pair).decode("utf-8")

    def _elements(self, pair: bytes, size: int) -> list[bytes]:
        at, count = _PAIR.unpack(pair)
        whole = self._read(at, count * size)
        return [whole[start : start + size] for start in range(0, len(whole), size)]
