"""How good what is served is, by the same rule as a native host (docs/host.md, States)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from ._instance import PulseInfo, SnapshotInfo

EMPTY, FRESH, STALE, EXPIRED = "empty", "fresh", "stale", "expired"
#: After a lease had run out, this many looks in a row must go well before the state is fresh again.
SETTLING_LOOKS = 2


@dataclass
class Status:
    """What sync knows about itself. Times are unix seconds."""

    #: `empty`, `fresh`, `stale` or `expired`.
    state: str = EMPTY
    snapshot: Optional[SnapshotInfo] = None
    pulse: Optional[PulseInfo] = None
    trust_version: int = 0
    attempts: int = 0
    #: Snapshots put in force.
    swaps: int = 0
    #: Failures in a row, and since the start.
    failures: int = 0
    failures_total: int = 0
    last_error: Optional[str] = None
    #: Whether pulses are pushed: a stream lives that has brought one. And how many came by a stream.
    pushing: bool = False
    pushed: int = 0
    #: Good looks still awaited after a fall.
    settling: int = 0
    #: Snapshots that verified and cannot be used, with the engine's code.
    quarantined: dict[str, str] = field(default_factory=dict)
    #: Instances of the engine that stopped in the middle of a call, of the snapshot in force.
    traps: int = 0

    def at(self, now: int, has_pulse: bool) -> str:
        """The state at a time. It becomes worse at the very second at which the engine changes what it serves."""
        if self.snapshot is None:
            return EMPTY
        if self.snapshot.expires <= now:
            return EXPIRED
        if has_pulse and (self.pulse is None or self.settling or self.pulse.expires <= now):
            return STALE
        return FRESH

    def next_change(self, now: int, has_pulse: bool) -> Optional[int]:
        """When the state becomes worse by itself."""
        if self.snapshot is None:
            return None
        ends = [self.snapshot.expires]
        if has_pulse and self.pulse is not None:
            ends.append(self.pulse.expires)
        return min((end for end in ends if end > now), default=None)

    def replaced_at(self, now: int) -> None:
        """A new lease or snapshot is about to replace what was there: when that had run out, it takes more than one good
        look to be fresh again. What never was in force has not fallen."""
        if self.pulse is not None and self.pulse.expires <= now:
            self.settling = SETTLING_LOOKS

    def went_well(self) -> None:
        """A look went well."""
        self.failures = 0
        self.settling = max(0, self.settling - 1)

    def went_wrong(self, problem: str) -> None:
        """A look failed."""
        self.failures += 1
        self.failures_total += 1
        self.last_error = problem
        if self.settling:
            self.settling = SETTLING_LOOKS
