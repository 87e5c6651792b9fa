"""Decisions: what the engine's packed number means, made readable once for each different number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Optional

from ._instance import Mark

REASONS = ("STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED", "STALE", "ERROR")
ERRORS = (None, "FLAG_NOT_FOUND", "PARSE_ERROR", "TYPE_MISMATCH", "GENERAL")
NO_VARIANT = 0xFFFF
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Part:
    """A stage or cohort of a plan, by number and name."""

    index: int
    name: str


@dataclass(frozen=True)
class Decision:
    """What was decided for one flag. Without a variant the caller's own default is meant (`value_or`)."""

    flag: str
    #: Name of the variant, None when there is none.
    variant: Optional[str]
    #: OpenFeature's word for why.
    reason: str
    #: OpenFeature's error code, None when all went well.
    error_code: Optional[str] = None
    #: A sentence for people, with an error.
    error_message: Optional[str] = None
    #: Why in more detail (docs/engine.md): `stage`, `halt`, `holdout`, `expired` …
    detail: Optional[str] = None
    #: `treatment`, `control`, or None outside a plan's comparison.
    arm: Optional[str] = None
    #: The plan's open stage.
    stage: Optional[Part] = None
    #: The stage that took the unit in.
    cohort: Optional[Part] = None
    #: What to put under the flag's key in the next context's `remembered`; None: nothing.
    remember: Optional[str] = None
    #: The flag's and its set's own metadata.
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    #: The snapshot that decided; None when none is in force.
    snapshot: Optional[Mark] = None
    _json: str = field(default="null", repr=False)
    _plain: Any = field(default=None, repr=False)

    @property
    def value(self) -> Any:
        """The variant's value; lists and objects are the caller's own. None without a variant."""
        return json.loads(self._json) if self._plain is None else self._plain

    def value_or(self, default: Any) -> Any:
        """The variant's value, or the caller's own default without a variant."""
        return default if self.variant is None else self.value


def read(text: str, snapshot: Mark) -> Decision:
    """A decision from the engine's canonical text."""
    said = json.loads(text)
    value = said["value"]
    return Decision(
        flag=said["flag"],
        variant=said["variant"],
        reason=said["reason"],
        error_code=said["errorCode"],
        error_message=None if said["errorCode"] is None else f"flag `{said['flag']}` could not be decided",
        detail=said["detail"],
        arm=said["arm"],
        stage=_part(said["stage"]),
        cohort=_part(said["cohort"]),
        remember=said.get("remember"),
        metadata=MappingProxyType(said["metadata"]) if said["metadata"] else _NOTHING,
        snapshot=snapshot,
        _json=json.dumps(value),
        _plain=None if isinstance(value, (dict, list)) else value,
    )


def failed(flag: str, code: str, message: str, snapshot: Optional[Mark] = None) -> Decision:
    """A decision that could not be made."""
    return Decision(flag, None, "ERROR", code, message, snapshot=snapshot)


def agrees(packed: int, decision: Decision) -> bool:
    """Whether a readable decision can be what a packed number says: made from another moment, it may not be."""
    return (
        REASONS[packed >> 16 & 0xFF] == decision.reason
        and (packed & NO_VARIANT == NO_VARIANT) == (decision.variant is None)
        and _index(packed >> 48 & 0xFF) == (decision.stage.index if decision.stage else None)
        and _index(packed >> 56 & 0xFF) == (decision.cohort.index if decision.cohort else None)
    )


def _index(number: int) -> Optional[int]:
    return None if number == 0xFF else number


def _part(said: Any) -> Optional[Part]:
    return None if said is None else Part(said["index"], said["name"])
