"""What is reported of decisions: exposures and outcomes, handed to a reporter of the application's choice.

A reporter gets what it needs for an event and nothing else of a context. The unit (a targeting key) is given in the clear, in
memory, so that the reporter can give it the pseudonym that other hosts give it; it must not leave the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol

from ._instance import Mark

#: Both are ways of saying what it takes for events of a context to be kept; the decision is made either way.
STATED, REQUIRED = "stated", "required"


@dataclass(frozen=True)
class Exposure:
    """A unit was given a variant."""

    flag: str
    variant: str
    #: `treatment`, `control` or `none`.
    arm: str
    stage: Optional[int]
    cohort: Optional[int]
    #: Probability of treatment within the cohort, parts of 1,000,000,000.
    probability: int
    reason: str
    snapshot: Mark
    #: Milliseconds since 1970 (UTC).
    at_ms: int
    #: Who: never to leave the process.
    unit: str = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """Something came of it."""

    name: str
    #: The caller's id of the thing measured; it is not sent, only the event's id depends on it.
    request: str = field(repr=False)
    at_ms: int
    unit: str = field(repr=False)
    measures: Mapping[str, float] = field(default_factory=dict)
    booleans: Mapping[str, bool] = field(default_factory=dict)
    #: Coarse dimensions; values of 1 to 64 bytes.
    slices: Mapping[str, str] = field(default_factory=dict)


class Reporter(Protocol):
    """Takes events in. Called by any thread, in the middle of a decision: it must not wait and must not raise."""

    def exposure(self, exposure: Exposure) -> None:
        """A unit was given a variant. The same may come often; one of each window counts."""

    def outcome(self, outcome: Outcome) -> None:
        """Something came of it."""

    def reduced(self, reason: str) -> None:
        """There was an event of which nothing may be kept but its count: `no-consent`."""


def consents(context: Mapping[str, Any], mode: str) -> bool:
    """Whether events of a context may be kept. `stated`: a `consent` attribute must grant `analytics`, and a context without
    one says yes; `required`: it must be granted."""
    consent = context.get("consent")
    if consent is None:
        return mode == STATED
    if isinstance(consent, str):
        return consent == "analytics"
    if isinstance(consent, Mapping):
        return consent.get("analytics") is True
    if isinstance(consent, (list, tuple)):
        return "analytics" in [one for one in consent if isinstance(one, str)]
    return False
