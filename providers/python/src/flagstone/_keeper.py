"""What is in force and what may follow it: trust root, snapshot, pulse, marks. The engine verifies; this remembers.

Everything that fails leaves what was there. Called from one thread at a time; `generation` may be read by any.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Optional

from ._errors import EngineTrap, FetchError, FlagstoneError
from ._instance import Instance, Mark, Opening, PulseInfo, TrustInfo
from ._pool import Generation, statement
from ._runtime import CALL_SECONDS
from ._state import Kept

_log = logging.getLogger("flagstone")

#: Refusals of the envelope (docs/sealed-files.md): of bytes that anybody could have sent, or that may be right later. Any other
#: refusal is of a snapshot that the release keys have signed, and will not change.
ENVELOPE = frozenset(
    "bad-magic truncated trailing-bytes note-too-long payload-too-long bad-note bad-signature-line too-many-signatures "
    "duplicate-signature bad-signature threshold wrong-role revoked-key no-role wrong-kind bad-statement wrong-audience "
    "wrong-environment epoch-ahead rollback below-floor equivocation issued-in-future expired bad-lifetime "
    "revoked-statement payload-length payload-digest bad-key weak-key ambiguous-key shared-key bad-role trust-expired "
    "trust-version trust-epoch too-many-steps not-newer other-snapshot pulse-refused".split()
)
_QUARANTINED = 64


class Keeper:
    """Holds the trust root and everything accepted under it. `make` gives a new instance of the engine."""

    def __init__(
        self, make: Callable[[], Instance], pinned: str, audience: str, environment: str, instances: int,
        kept: Kept, now: int, seconds: float = CALL_SECONDS,
    ) -> None:
        self._make, self._instances, self._seconds = make, instances, seconds
        self.audience, self.environment = audience, environment
        #: The trust note in force, and what it says of itself. Raises FlagstoneError when the pinned one is none.
        self.trust = pinned
        self.trust_info: TrustInfo = make().advance(pinned, pinned, now)
        self.kept = kept
        self.generation: Optional[Generation] = None
        self.quarantined: dict[str, str] = {}
        steps, kept.trust = kept.trust, []
        for note in steps:
            try:
                if (_field(note, "version") or 0) > self.trust_info.version:  # else the pin has been moved on past it
                    self.advance(note.decode("utf-8"), now)
            except (FlagstoneError, UnicodeDecodeError) as problem:
                _log.warning("a trust note kept on disk is not used: %s", problem)
                break

    @property
    def current(self) -> Optional[Mark]:
        """The snapshot in force."""
        generation = self.generation
        return None if generation is None else generation.info.mark

    def advance(self, note: str, now: int) -> bool:
        """Moves to the next trust root. False when the note is the one in force. Raises FlagstoneError."""
        engine = self._make()
        if _statement_of(note) == _statement_of(self.trust):
            if note != self.trust:
                engine.advance(note, note, now)
            return False  # the one in force, perhaps with signatures added
        following = engine.advance(self.trust, note, now)
        if following.epoch > self.trust_info.epoch:
            # A stolen pulse key's huge number must not outlive the key. Snapshots order by epoch by themselves.
            self.kept.pulse_number = self.kept.pulse = None
        self.trust, self.trust_info = note, following
        self.kept.trust.append(note.encode("utf-8"))
        self._saw(following.issued)
        return True

    def reopen(self, now: int) -> None:
        """Opens what is in force again under a new trust root. When the new root refuses it, the old instances stay, but no
        pulse under the new root opens anything in them. Raises FlagstoneError then."""
        old = self.generation
        if old is None:
            return
        generation = self.open_kept(old.opening.file, now)
        for note, accepted, _ in old.pulses:
            try:
                generation.pulse(note, accepted)
            except FlagstoneError:  # its key may be gone
                break
        self._put_in_force(generation, old.opening.file)

    def open(self, file: bytes, now: int, wanted: Optional[Mark] = None) -> Generation:
        """Opens a sealed file and tries it, and does not put it in force. `wanted`: what it must be. Raises FlagstoneError."""
        opening = Opening(self.trust, file, self.audience, self.environment, now, self.kept.mark)
        generation = Generation(self._make, opening, self._instances, self._seconds)
        if wanted is not None and generation.info.mark != wanted:
            raise FlagstoneError("other-snapshot", f"asked for snapshot `{wanted.digest}`, got another one")
        return generation

    def open_kept(self, file: bytes, now: int) -> Generation:
        """A file that was accepted when it was young, or came with the program: its age alone does not keep it out. An old
        one is opened as of its last valid second."""
        now = min(now, self.trust_info.expires - 1)
        try:
            return self.open(file, now)
        except FlagstoneError as problem:
            expires = _expires(file)
            if problem.code != "expired" or expires is None:
                raise
            return self.open(file, expires - 1)

    def put_in_force(self, generation: Generation, file: bytes, now: int) -> None:
        """Tries every flag twice and then swaps, as a whole. Raises FlagstoneError; what was in force then stays."""
        self.probe(generation, now)
        self._put_in_force(generation, file)

    def _put_in_force(self, generation: Generation, file: bytes) -> None:
        self.generation = generation
        self.kept.snapshot, self.kept.mark = file, generation.info.mark
        self._saw(generation.info.issued)

    def probe(self, generation: Generation, now: int) -> None:
        """Decides every flag twice for nobody."""
        nobody = generation.layout.pack({})
        first = generation.run(lambda engine: engine.decide_all(nobody, now))
        again = generation.run(lambda engine: engine.decide_all(nobody, now))
        if len(first) != len(generation.flags) or first != again:
            raise FlagstoneError("probe", "the snapshot's flags cannot be decided")

    def pulse(self, note: bytes, now: int) -> PulseInfo:
        """Verifies a pulse in what is in force, which takes it in. Raises FlagstoneError, also when nothing is in force."""
        generation = self.generation
        if generation is None:
            raise FlagstoneError("not-open", "no snapshot is in force that could verify the pulse")
        if generation.opening.trust != self.trust:
            raise FlagstoneError("old-trust", "the snapshot in force is refused by the newest trust root")
        self._rising(_number(note))
        info = generation.pulse(note, now)
        self.keep_pulse(note, info)
        return info

    def pulse_in(self, generation: Generation, note: bytes, now: int) -> PulseInfo:
        """Verifies a pulse in a generation that is not in force yet; nothing is remembered."""
        self._rising(_number(note))
        return generation.pulse(note, now)

    def keep_pulse(self, note: bytes, info: PulseInfo) -> None:
        """Remembers a pulse that what is in force has taken in."""
        self.kept.pulse, self.kept.pulse_number = note, info.number
        self._saw(info.issued)

    def quarantine(self, mark: Mark, problem: FlagstoneError) -> None:
        """Remembers that a snapshot which the release keys have signed cannot be used."""
        if problem.code in ENVELOPE or isinstance(problem, (EngineTrap, FetchError)):
            return
        self.quarantined[mark.digest] = problem.code
        while len(self.quarantined) > _QUARANTINED:
            del self.quarantined[next(iter(self.quarantined))]

    def _rising(self, number: Optional[int]) -> None:
        last = self.kept.pulse_number
        if number is not None and last is not None and number < last:
            raise FlagstoneError("rollback", f"pulse {number} is older than {last}, which was accepted before")

    def _saw(self, issued: int) -> None:
        self.kept.latest_issued = max(self.kept.latest_issued, issued)


def named_by(note: bytes) -> Optional[Mark]:
    """The snapshot that a pulse names. Says nothing of whether the pulse is signed."""
    for word, value in statement(note):
        parts = value.split(" ")
        if word == "snapshot" and len(parts) == 3 and parts[0].isdecimal() and parts[1].isdecimal():
            try:
                digest = base64.b64decode(parts[2], validate=True)
            except (binascii.Error, ValueError):
                return None
            return Mark(int(parts[0]), int(parts[1]), digest.hex()) if len(digest) == 32 else None
    return None


def _statement_of(note: str) -> str:
    return note.split("\n\n", 1)[0]


def _number(note: bytes) -> Optional[int]:
    return _field(note, "pulse")


def _expires(file: bytes) -> Optional[int]:
    """When a sealed file says that it expires. Says nothing of whether it is signed."""
    length = int.from_bytes(file[8:12], "big")
    return _field(file[20 : 20 + length], "expires")


def _field(note: bytes, name: str) -> Optional[int]:
    for word, value in statement(note):
        if word == name and value.isdecimal() and len(value) <= 19:
            return int(value)
    return None
