"""One snapshot, held open by as many instances as threads decide at once.

An instance of the engine serves one call at a time and holds one snapshot for life. A `Generation` is a snapshot with its
pool of instances; a newer snapshot is another generation, and calls that began in the old one end there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Optional, TypeVar

from ._context import Layout
from ._decision import Decision
from ._errors import EngineTrap, FlagstoneError
from ._instance import Instance, Opening, PulseInfo, SnapshotInfo
from ._runtime import CALL_SECONDS, OPEN_SECONDS

_Answer = TypeVar("_Answer")

#: A pulse's note, the time it was accepted at (unix seconds), and what it said.
Note = tuple[bytes, int, PulseInfo]


class _Pooled:
    """An instance and the last pulse it has taken in."""

    __slots__ = ("instance", "number", "version")

    def __init__(self, instance: Instance) -> None:
        self.instance, self.number, self.version = instance, -1, 0


class Generation:
    """A snapshot in force. All methods are for any thread."""

    def __init__(
        self, make: Callable[[], Instance], opening: Opening, size: int, seconds: float = CALL_SECONDS
    ) -> None:
        """Opens the snapshot in a first instance; raises FlagstoneError when it is refused. `size` is the most instances, `seconds`
        how long one call may take."""
        self._make, self._size, self._seconds = make, max(1, size), seconds
        first = make()
        self.info: SnapshotInfo = first.open(opening)
        # Instances that come later open the same file as of the same time, whatever the clock says by then.
        self.opening = replace(opening, mark=None)
        self.flags = tuple(first.flags())
        self.index = {flag.key: index for index, flag in enumerate(self.flags)}
        self.layout = Layout(first.attributes())
        #: Readable decisions by flag and packed number; whoever decides fills it.
        self.known: dict[tuple[int, int], Decision] = {}
        self._idle: deque[_Pooled] = deque([_Pooled(first)])
        self._room = threading.Condition()
        self._waiting = 0
        self._made = 1
        self._version = 0
        self._notes: tuple[Note, ...] = ()
        self._halted: frozenset[str] = frozenset()
        self.traps = 0

    @property
    def pulses(self) -> tuple[Note, ...]:
        """The pulses that an instance needs, to stand where the others do."""
        return self._notes

    @property
    def instances(self) -> int:
        """How many instances there are."""
        return self._made

    def run(self, call: Callable[[Instance], _Answer]) -> _Answer:
        """Runs a call with an instance of its own. An instance that traps is discarded."""
        pooled = self._take()
        try:
            pooled.instance.limit(self._seconds)
            answer = call(pooled.instance)
        except EngineTrap:
            self._discard()
            raise
        except BaseException:
            self._give(pooled)
            raise
        self._give(pooled)
        return answer

    def pulse(self, note: bytes, now: int) -> PulseInfo:
        """Verifies a pulse and has all instances take it in, each before its next call. Raises FlagstoneError when it is
        refused; then nothing changes."""
        pooled = self._take()
        try:
            pooled.instance.limit(OPEN_SECONDS)
            info = pooled.instance.pulse(note, now)
        except EngineTrap:
            self._discard()
            raise
        except BaseException:
            self._give(pooled)
            raise
        pooled.number = info.number
        self.accept((note, now, info))
        self._give(pooled)
        return info

    def accept(self, note: Note) -> None:
        """Has all instances take in a pulse that the engine has accepted in one of them."""
        halts = halted_by(note[0])
        with self._room:
            if note[2].snapshot == self.info.mark:
                # It says everything that is true here; what came before is over.
                self._notes, self._halted = (note,), halts
            elif halts - self._halted:
                # It is about another snapshot and can only halt here, beside what is halted already.
                self._notes, self._halted = (*self._notes, note), self._halted | halts
            self._version += 1

    def _take(self) -> _Pooled:
        try:
            pooled = self._idle.pop()
        except IndexError:
            pooled = self._make_or_wait()
        if pooled.version != self._version:
            self._catch_up(pooled)
        return pooled

    def _give(self, pooled: _Pooled) -> None:
        self._idle.append(pooled)
        if self._waiting:
            with self._room:
                self._room.notify()

    def _discard(self) -> None:
        with self._room:
            self._made -= 1
            self.traps += 1
            self._room.notify()

    def _make_or_wait(self) -> _Pooled:
        with self._room:
            self._waiting += 1
            try:
                while True:
                    if self._idle:
                        try:
                            return self._idle.pop()
                        except IndexError:
                            continue  # another thread took it, without this lock
                    if self._made < self._size:
                        self._made += 1
                        break
                    # Instances come back without this lock, so a wake-up can be missed: look again soon.
                    self._room.wait(0.01)
            finally:
                self._waiting -= 1
        try:
            instance = self._make()
            instance.open(self.opening)
        except BaseException:
            self._discard()
            raise
        return _Pooled(instance)

    def _catch_up(self, pooled: _Pooled) -> None:
        with self._room:
            version, notes = self._version, self._notes
        try:
            pooled.instance.limit(OPEN_SECONDS)
            for note, accepted, info in notes:
                if info.number > pooled.number:
                    pooled.instance.pulse(note, accepted)
                    pooled.number = info.number
        except FlagstoneError:
            self._discard()
            raise
        pooled.version = version


def halted_by(note: bytes) -> frozenset[str]:
    """The flags that a pulse halts."""
    return frozenset(value for word, value in statement(note) if word == "halt")


def statement(note: bytes) -> list[tuple[str, str]]:
    """The lines of a note's statement, as word and value. Says nothing of whether it is signed."""
    text = note.decode("utf-8", "replace").split("\n\n", 1)[0]
    lines = []
    for line in text.split("\n"):
        word, _, value = line.partition(" ")
        lines.append((word, value))
    return lines


def stages_of(note: bytes) -> dict[str, Optional[str]]:
    """What a pulse says of each flag that it names, for comparison with another pulse."""
    said: dict[str, Optional[str]] = {}
    for word, value in statement(note):
        if word == "stage":
            parts = value.split(" ", 2)
            if len(parts) == 3:
                said[parts[2]] = f"{parts[0]} {parts[1]}"
        elif word == "halt":
            said[value] = f"halt {said.get(value)}"
    return said
