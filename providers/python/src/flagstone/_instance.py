"""What an instance of the engine can do, whichever door it is called through, and the data that comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Protocol


@dataclass(frozen=True, order=True)
class Mark:
    """Identity of a snapshot, ordered by epoch, then sequence."""

    epoch: int
    sequence: int
    #: SHA-256 of the signed statement's text, 64 hexadecimal digits.
    digest: str


@dataclass(frozen=True)
class SnapshotInfo:
    """What was opened. Times are unix seconds."""

    mark: Mark
    flag_set: str
    issued: int
    expires: int
    flags: int
    signers: tuple[str, ...]


@dataclass(frozen=True)
class PulseInfo:
    """What a pulse said. Times are unix seconds; `expires` ends the lease."""

    number: int
    issued: int
    expires: int
    snapshot: Mark


@dataclass(frozen=True)
class TrustInfo:
    """What a trust statement says of itself. Times are unix seconds."""

    version: int
    epoch: int
    issued: int
    expires: int


@dataclass(frozen=True)
class FlagInfo:
    """One flag of a snapshot."""

    key: str
    #: `boolean`, `string`, `number` or `object`.
    kind: str
    #: Whether it may reach a browser.
    client: bool
    #: Whether it has a rollout plan, so that its decisions depend on the pulse.
    planned: bool
    #: Path of the attribute that is the unit of its plan; None without a plan.
    unit: Optional[str]
    #: Version of its sticky assignment; None when it asks to remember nothing.
    sticky: Optional[int]


@dataclass(frozen=True)
class Assignment:
    """A unit's place in a plan."""

    #: `none`, `treatment` or `control`.
    arm: str
    stage: Optional[int]
    cohort: Optional[int]
    #: Probability of treatment within the cohort, parts of 1,000,000,000.
    probability: int
    variant: Optional[int]


KINDS = ("boolean", "string", "number", "object")
ARMS = ("none", "treatment", "control")


@dataclass(frozen=True)
class Opening:
    """What an instance is opened with. `now` is unix seconds."""

    trust: str
    file: bytes
    audience: str
    environment: str
    now: int
    mark: Optional[Mark] = None


class Instance(Protocol):
    """One instance. Not for two threads at once. Everything may raise EngineTrap; then it is to be dropped."""

    def limit(self, seconds: float) -> None:
        """From now on a call that is still running after so many seconds traps. A new instance has time to open something."""

    def open(self, opening: Opening) -> SnapshotInfo:
        """Verifies and keeps a snapshot, once. Raises FlagstoneError with the engine's code."""

    def advance(self, trust: str, following: str, now: int) -> TrustInfo:
        """Checks that a trust statement may follow another. Raises FlagstoneError."""

    def pulse(self, note: bytes, now: int) -> PulseInfo:
        """Takes a pulse in. Raises FlagstoneError; then nothing has changed."""

    def flags(self) -> Sequence[FlagInfo]:
        """All flags, in index order."""

    def attributes(self) -> Sequence[str]:
        """The attribute paths that rules read, by position."""

    def decide(self, attributes: bytes, flag: int, now: int) -> int:
        """One packed decision for attributes by position."""

    def decide_all(self, attributes: bytes, now: int) -> Sequence[int]:
        """All packed decisions in index order, none when the engine does not take the attributes."""

    def decide_assign(self, attributes: bytes, flag: int, now: int) -> tuple[int, Optional[Assignment]]:
        """One packed decision, and the unit's place in the flag's plan if it has one."""

    def decision(self, context: str, flag: str, now: int) -> str:
        """The canonical decision text for a context in JSON."""

    def explain(self, context: str, flag: str, now: int) -> str:
        """The decision text with a trace of why."""
