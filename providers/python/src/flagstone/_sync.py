"""One look at the source: trust when due, then the pulse, then the snapshot it names (docs/host.md, Sync).

An attempt raises what went wrong and leaves what was in force. It blocks: it runs in a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Optional

from ._errors import FetchError, FlagstoneError
from ._instance import Mark
from ._keeper import Keeper, named_by
from ._pool import Generation, stages_of
from ._sources import FILE_BYTES, PULSE_BYTES, TRUST_BYTES, Body, Missing, Source
from ._status import Status

#: Trust notes fetched one after the other in one attempt.
TRUST_STEPS = 64
#: Refusals that a newer trust note may cure.
_STEP = ("trust-version", "threshold", "wrong-role")


class Syncer:
    """Looks at a source on behalf of a keeper. `changed` is told which flags may decide differently now."""

    def __init__(
        self, source: Source, keeper: Keeper, status: Status, now: Callable[[], int],
        changed: Callable[[frozenset[str]], None], trust_poll: float,
    ) -> None:
        self._source, self._keeper, self._status, self._now = source, keeper, status, now
        self._changed, self._trust_poll = changed, trust_poll
        self._trust_seen: Optional[float] = None
        self._trust_tag: Optional[str] = None
        self._pulse_tag: Optional[str] = None
        self._file_tag: Optional[str] = None
        self._wanted: Optional[Mark] = None

    def attempt(self) -> None:
        """One attempt. Raises FlagstoneError (FetchError among them)."""
        self._status.attempts += 1
        if not self._source.has_pulse():
            self._single_file()
            return
        if self._trust_seen is None or time.monotonic() - self._trust_seen >= self._trust_poll:
            self._trust()
        self._pulse()
        self._catch_up()

    def pushed(self, note: bytes) -> None:
        """A pulse that came by itself: taken like one that was fetched. Raises FlagstoneError."""
        self._take_pulse(note)
        self._catch_up()

    def in_force(self, generation: Generation, file: bytes, pulse: Optional[bytes]) -> None:
        """Puts an opened snapshot in force, with a pulse if there is one that it takes."""
        now = self._now()
        info = None
        if pulse is not None:
            info = self._keeper.pulse_in(generation, pulse, now)
        old = self._keeper.generation
        self._keeper.put_in_force(generation, file, now)
        status = self._status
        status.replaced_at(now)
        if info is not None and pulse is not None:
            self._keeper.keep_pulse(pulse, info)
            status.pulse = info
        status.snapshot = generation.info
        status.swaps += 1
        self._changed(frozenset(generation.index) | frozenset(old.index if old else ()))

    def restore_pulse(self, note: bytes) -> None:
        """Takes in the pulse that was kept on disk, if its lease still runs."""
        self._try_pulse(note)

    def _trust(self) -> None:
        fetched = self._source.fetch("trust", self._trust_tag, TRUST_BYTES)
        self._trust_seen = time.monotonic()
        if not isinstance(fetched, Body):
            return  # none published: the pin is all there is
        before = self._keeper.trust_info.version
        try:
            self._walk(fetched)
        finally:
            if self._keeper.trust_info.version != before:
                self._rotated()

    def _walk(self, fetched: Body) -> None:
        """Moves to the trust note offered, step by step where rotations were missed; as far as it goes."""
        keeper = self._keeper
        for _ in range(TRUST_STEPS):
            try:
                keeper.advance(_text(fetched.content), self._now())
                self._trust_tag = fetched.tag
                return
            except FlagstoneError as problem:
                following = keeper.trust_info.version + 1
                if problem.code not in _STEP:
                    raise _refused("trust note", problem) from None
            step = self._source.fetch(f"trust/{following}", None, TRUST_BYTES)
            if not isinstance(step, Body):
                have = keeper.trust_info.version
                raise FetchError(f"the trust note offered does not follow version {have}, and {following} is missing")
            try:
                keeper.advance(_text(step.content), self._now())
            except FlagstoneError as problem:
                raise _refused(f"trust note {following}", problem) from None

    def _rotated(self) -> None:
        self._status.trust_version = self._keeper.trust_info.version
        self._pulse_tag = None  # the next pulse is to be read again, under the new root
        try:
            self._keeper.reopen(self._now())
        except FlagstoneError as problem:
            self._status.last_error = f"the snapshot in force is refused by the new trust root: {problem}"

    def _catch_up(self) -> None:
        """Fetches what the last pulse named, where that is not in force."""
        if self._wanted is not None and self._wanted != self._keeper.current:
            self._snapshot(self._wanted, self._keeper.kept.pulse, verified=True)

    def _pulse(self) -> None:
        fetched = self._source.fetch("pulse", self._pulse_tag, PULSE_BYTES)
        if isinstance(fetched, Missing):
            raise FetchError("the source has no pulse")
        if isinstance(fetched, Body):
            self._take_pulse(fetched.content)
            self._pulse_tag = fetched.tag

    def _take_pulse(self, note: bytes) -> None:
        named = named_by(note)
        first = self._try_pulse(note)
        if first is not None and first.code != "not-open":
            self._trust()  # perhaps its key is newer than our trust root
            first = self._try_pulse(note) and first
        if first is not None:
            # What is in force cannot verify it: nothing is in force, or only something under an older trust root. The snapshot
            # that it names can, once its own signatures have been verified.
            if named is None or named == self._keeper.current:
                raise _refused("pulse", first)
            self._snapshot(named, note, verified=False)
        self._wanted = named

    def _try_pulse(self, note: bytes) -> Optional[FlagstoneError]:
        """Gives a pulse to what is in force; its halts count at once, whatever snapshot it names."""
        keeper, status = self._keeper, self._status
        before = keeper.kept.pulse
        try:
            info = keeper.pulse(note, self._now())
        except FlagstoneError as problem:
            return problem
        status.replaced_at(self._now())
        status.pulse = info
        old, new = stages_of(before or b""), stages_of(note)
        touched = frozenset(key for key in {*old, *new} if old.get(key) != new.get(key))
        generation = keeper.generation
        if generation is not None and touched & frozenset(generation.index):
            self._changed(touched & frozenset(generation.index))
        return None

    def _snapshot(self, wanted: Mark, pulse: Optional[bytes], verified: bool) -> None:
        """Fetches the snapshot that a pulse names and puts it in force with it."""
        keeper = self._keeper
        if wanted.digest in keeper.quarantined:
            self._status.last_error = f"snapshot `{wanted.digest}` was refused by the engine and is not tried again"
            return
        mark = keeper.kept.mark
        if mark is not None and (wanted.epoch, wanted.sequence) < (mark.epoch, mark.sequence):
            raise FlagstoneError(
                "rollback", f"the pulse names snapshot {wanted.sequence}, older than {mark.sequence}, which was accepted before"
            )
        fetched = self._source.fetch(f"snapshots/{wanted.digest}", None, FILE_BYTES)
        if not isinstance(fetched, Body):
            raise FetchError(f"the source does not have snapshot `{wanted.digest}`, which the pulse names")
        try:
            generation = keeper.open(fetched.content, self._now(), wanted)
        except FlagstoneError as problem:
            keeper.quarantine(wanted, problem)
            raise _refused("snapshot", problem) from None
        try:
            self.in_force(generation, fetched.content, pulse)
        except FlagstoneError as problem:
            if verified:
                keeper.quarantine(wanted, problem)
            raise _refused("snapshot" if problem.code == "probe" else "pulse", problem) from None

    def _single_file(self) -> None:
        fetched = self._source.fetch("file", self._file_tag, FILE_BYTES)
        if isinstance(fetched, Missing):
            raise FetchError("the sealed file is not there")
        if not isinstance(fetched, Body):
            return
        try:
            generation = self._keeper.open(fetched.content, self._now())
            if generation.info.mark != self._keeper.current:
                self.in_force(generation, fetched.content, None)
        except FlagstoneError as problem:
            raise _refused("snapshot", problem) from None
        self._file_tag = fetched.tag


def _refused(what: str, problem: FlagstoneError) -> FlagstoneError:
    return FlagstoneError(problem.code, f"{what} refused: {problem.message}")


def _text(note: bytes) -> str:
    try:
        return note.decode("utf-8")
    except UnicodeDecodeError:
        raise FlagstoneError("bad-note", "the trust note is not UTF-8 text") from None
