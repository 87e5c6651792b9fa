"""The engine as a component, through wasmtime's component model: the door for people who want exactly the component.

The answers are those of the core module, which is its inside. It is slower where bytes cross (each is a Python object on
the way), so nothing uses it unless it is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import wasmtime
import wasmtime.component as model

from . import _artefact, _runtime
from ._errors import EngineTrap, FlagstoneError
from ._instance import Assignment, FlagInfo, Mark, Opening, PulseInfo, SnapshotInfo, TrustInfo

_MASK = (1 << 64) - 1
_KINDS = {"boolean": "boolean", "text": "string", "number": "number", "object": "object"}


def component(cache: Optional[Path]) -> model.Component:
    """The component in this package, compiled."""
    return _runtime.component(_artefact.component(), cache)


class ComponentInstance:
    """One instance of the component."""

    def __init__(self, component: model.Component, memory: int = _runtime.MEMORY_BYTES) -> None:
        self._store = _runtime.store(memory)
        try:
            # The component imports nothing, so the linker stays empty.
            self._instance = model.Linker(_runtime.engine()).instantiate(self._store, component)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as problem:
            raise EngineTrap(str(problem)) from None
        self._functions: dict[str, Any] = {}

    def limit(self, seconds: float) -> None:
        _runtime.limit(self._store, seconds)

    def open(self, opening: Opening) -> SnapshotInfo:
        policy: Any = model.Record()
        policy.audience, policy.environment, policy.now = opening.audience, opening.environment, opening.now
        policy.mark = None
        if opening.mark is not None:
            mark: Any = model.Record()
            mark.epoch, mark.sequence = opening.mark.epoch, opening.mark.sequence
            mark.digest = bytes.fromhex(opening.mark.digest)
            policy.mark = mark
        info = self._tried("open", opening.trust, opening.file, policy)
        flag_set, signers = getattr(info, "flag-set"), tuple(info.signers)
        return SnapshotInfo(_mark(info.mark), flag_set, info.issued, info.expires, info.flags, signers)

    def advance(self, trust: str, following: str, now: int) -> TrustInfo:
        info = self._tried("advance", trust, following, now)
        return TrustInfo(info.version, info.epoch, info.issued, info.expires)

    def pulse(self, note: bytes, now: int) -> PulseInfo:
        info = self._tried("pulse", note, now)
        return PulseInfo(info.number, info.issued, info.expires, _mark(info.snapshot))

    def flags(self) -> Sequence[FlagInfo]:
        return [
            FlagInfo(one.key, _KINDS[one.kind], one.client, one.planned, one.unit, one.sticky)
            for one in self._call("flags")
        ]

    def attributes(self) -> Sequence[str]:
        return list(self._call("attributes"))

    def decide(self, attributes: bytes, flag: int, now: int) -> int:
        return int(self._call("decide-attributes", attributes, flag, now)) & _MASK

    def decide_all(self, attributes: bytes, now: int) -> Sequence[int]:
        context = self._context(attributes)
        if context is None:
            return []
        packed = bytes(self._call("evaluate-all", context, now))
        self._call("drop-context", context)
        return struct.unpack(f"<{len(packed) // 8}Q", packed)

    def decide_assign(self, attributes: bytes, flag: int, now: int) -> tuple[int, Optional[Assignment]]:
        context = self._context(attributes)
        if context is None:
            return self.decide(attributes, flag, now), None
        packed = int(self._call("evaluate", context, flag, now)) & _MASK
        place = self._call("assign", context, flag, now, interface="cohorts")
        self._call("drop-context", context)
        if place is None:
            return packed, None
        return packed, Assignment(place.arm, place.stage, place.cohort, place.probability, place.variant)

    def decision(self, context: str, flag: str, now: int) -> str:
        return str(self._call("decision", context, flag, now))

    def explain(self, context: str, flag: str, now: int) -> str:
        return str(self._call("explain", context, flag, now))

    def _context(self, attributes: bytes) -> Optional[int]:
        answer: Any = self._call("context-attributes", attributes)
        # A result whose two sides are of different Python types comes without its tag.
        return answer if isinstance(answer, int) else None

    def _tried(self, name: str, *arguments: Any) -> Any:
        answer = self._call(name, *arguments)
        if not isinstance(answer, model.Variant):
            return answer
        if answer.tag == "err":
            fault: Any = answer.payload
            raise FlagstoneError(fault.code, fault.message)
        return answer.payload

    def _call(self, name: str, *arguments: Any, interface: str = "evaluator") -> Any:
        try:
            function = self._functions.get(name) or self._find(name, interface)
            answer = function(self._store, *arguments)
            function.post_return(self._store)
            return answer
        except (wasmtime.Trap, wasmtime.WasmtimeError) as problem:
            raise EngineTrap(str(problem)) from None

    def _find(self, name: str, interface: str) -> Any:
        inside = self._instance.get_export_index(self._store, f"flagstone:flags/{interface}@0.1.0")
        index = self._instance.get_export_index(self._store, name, inside)
        function = None if index is None else self._instance.get_func(self._store, index)
        if function is None:
            raise FlagstoneError("bad-component", f"the engine has no `{name}`")
        self._functions[name] = function
        return function


def _mark(mark: Any) -> Mark:
    return Mark(mark.epoch, mark.sequence, bytes(mark.digest).hex())
