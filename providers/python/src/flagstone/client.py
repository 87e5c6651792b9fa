"""The application's hold on its flags: decides in this process, keeps the newest verified snapshot in force."""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _core, _decision, _runtime, _state, _status
from ._context import unit_at
from ._decision import Decision, failed
from ._errors import ContextError, EngineTrap, FetchError, FlagstoneError
from ._instance import Assignment, FlagInfo, Instance
from ._keeper import Keeper
from ._pool import Generation
from ._sources import PushSource, Source, source as source_at
from ._status import Status
from ._sync import Syncer
from .reporting import STATED, Exposure, Outcome, Reporter, consents

if TYPE_CHECKING:
    from ._pusher import Pusher

_log = logging.getLogger("flagstone")
_NOBODY: Mapping[str, Any] = {}
#: Waits after failures: evenly between 0 and `BACKOFF_FIRST` x 2^(n-1), at most `BACKOFF_CAP`; seconds.
BACKOFF_FIRST, BACKOFF_CAP = 1.0, 300.0
#: Seconds between looks while pulses are pushed, at most.
POLL_PUSHED = 60.0
#: Different answers that are kept readable for one snapshot.
_KNOWN = 16_384

#: Told `ready`, `stale`, `changed` or `error`, the flags concerned (`changed` only) and a sentence.
Listener = Callable[[str, frozenset[str], str], None]


class Flagstone:
    """Flags of one environment. Every method is for any thread.

    `source` is where sealed files come from: `https://…`, `file:FOLDER` (a native host's data folder, or a published one), the
    path of one sealed file, its bytes, or a `Source`. `trust` is the pinned trust note. `audience` and `environment` must be
    those the files are sealed for. `embedded` is a sealed file that came with the program, for a start without network;
    `state` a folder that remembers what was accepted for the next start (and that nothing older is accepted then).
    `reporter` is told of exposures and outcomes. `poll` and `trust_poll` are periods of sync in seconds. `door` is `core`, or
    `component` for wasmtime's component model (the same answers, slower). `cache` is the folder of compiled code, None for
    none. `instances` is the most that decide at once. `push` says whether pulses are taken as they are signed, where the source
    has a stream of them. `time_limit` is how many seconds one decision may take (at most 30) and `memory_limit` how many bytes one
    instance may use, before it is stopped and replaced. `clock` gives unix seconds.
    """

    def __init__(
        self, source: Union[str, bytes, "os.PathLike[str]", Source], *, trust: Union[str, bytes], audience: str,
        environment: str, embedded: Optional[bytes] = None, state: Union[None, str, "os.PathLike[str]"] = None,
        reporter: Optional[Reporter] = None, consent: str = STATED, poll: float = 10.0, trust_poll: float = 300.0,
        door: str = "core", cache: Union[None, str, "os.PathLike[str]"] = "", instances: int = 0,
        ca: Optional[str] = None, push: bool = True, time_limit: float = _runtime.CALL_SECONDS,
        memory_limit: int = _runtime.MEMORY_BYTES, clock: Callable[[], float] = time.time,
    ) -> None:
        folder = _runtime.default_cache() if cache == "" else None if cache is None else Path(cache)
        self._clock, self._poll, self._reporter, self._consent = clock, poll, reporter, consent
        self._embedded, self._state = embedded, None if state is None else Path(state)
        pinned = trust.decode("utf-8") if isinstance(trust, bytes) else trust
        kept = _state.Kept() if self._state is None else _state.load(self._state)
        self._kept = kept
        size = instances or min(8, os.cpu_count() or 1)
        now = self._seconds()
        make = _maker(door, folder, memory_limit)
        self._keeper = Keeper(make, pinned, audience, environment, size, kept, now, time_limit)
        self._source = source_at(source, environment, ca)
        self._status = Status(trust_version=self._keeper.trust_info.version)
        self._syncer = Syncer(self._source, self._keeper, self._status, self._seconds, self._changed, trust_poll)
        self._listeners: list[Listener] = []
        self._state_told = _status.EMPTY
        self._working = threading.Lock()
        self._wake = threading.Condition()
        self._ready, self._stopping = threading.Event(), False
        self._thread: Optional[threading.Thread] = None
        self._push, self._pusher, self._due = push, None, 0.0
        self._has_pulse = True

    _pusher: Optional[Pusher]

    # Life

    def start(self, wait: float = 2.0) -> bool:
        """Restores what is kept, starts syncing in a thread, waits at most `wait` seconds for a snapshot. False: none yet, and
        decisions answer with the callers' defaults until one comes."""
        self.restore()
        with self._wake:
            if self._thread is None:
                self._stopping = False
                if self._keeper.generation is None:
                    self._ready.clear()
                self._thread = threading.Thread(target=self._run, name="flagstone-sync", daemon=True)
                self._thread.start()
                self._listen()
        return self.wait(wait)

    def wait(self, seconds: float) -> bool:
        """Waits for a first snapshot. False: there is none yet."""
        self._ready.wait(seconds)
        return self._keeper.generation is not None

    async def start_async(self, wait: float = 2.0) -> bool:
        """`start` that does not hold up the event loop."""
        import asyncio  # its import costs more than ours; who calls this has it already

        return await asyncio.get_running_loop().run_in_executor(None, self.start, wait)

    async def run(self) -> None:
        """Syncs as a task of the event loop instead of a thread of its own, until it is cancelled. What may take long (requests,
        opening a snapshot) runs in the loop's executor."""
        import asyncio

        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.restore)
        self._listen()
        try:
            while True:
                self._due = time.monotonic() + await loop.run_in_executor(None, self._look_and_wait)
                while (left := self._due - time.monotonic()) > 0:  # it comes nearer when a stream ends
                    await asyncio.sleep(min(left, 1.0))
        finally:
            self._deafen(0.0)

    def close(self, wait: float = 5.0) -> None:
        """Stops syncing, and waits at most `wait` seconds until the reporter has handed over what it holds. Decisions go on with what
        is in force."""
        self._deafen()
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
            self._ready.set()  # whoever waits for a first snapshot need not any longer
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(30.0)
        flush = getattr(self._reporter, "flush", None)
        if callable(flush):
            flush(wait)

    async def close_async(self, wait: float = 5.0) -> None:
        """`close` that does not hold up the event loop."""
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, self.close, wait)

    def __enter__(self) -> Flagstone:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Flagstone:
        await self.start_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    # Decisions

    def decide(
        self, flag: str, context: Optional[Mapping[str, Any]] = None, *, expose: bool = True,
        accepts: Optional[Callable[[Any], bool]] = None, now: Optional[int] = None,
    ) -> Decision:
        """Decides a flag for a context. Never raises for what flags or contexts may be, never waits for network or disk. With
        a reporter the exposure is reported, unless `expose` is false, or `accepts` says of the value that the caller does not
        use it. `now` is unix seconds, the clock's unless given."""
        generation = self._keeper.generation
        if generation is None:
            return failed(flag, "PROVIDER_NOT_READY", "no snapshot has been accepted yet")
        index = generation.index.get(flag)
        if index is None:
            return failed(flag, "FLAG_NOT_FOUND", f"there is no flag `{flag}`", generation.info.mark)
        given = _NOBODY if context is None else context
        if not isinstance(given, Mapping):
            return failed(flag, "INVALID_CONTEXT", "a context is a mapping of attributes", generation.info.mark)
        at = self._seconds() if now is None else now
        exposing = expose and self._reporter is not None
        try:
            attributes = generation.layout.pack(given)

            def one(engine: Instance) -> tuple[Decision, Optional[Assignment]]:
                if exposing and generation.flags[index].planned:
                    packed, place = engine.decide_assign(attributes, index, at)
                else:
                    packed, place = engine.decide(attributes, index, at), None
                known = generation.known.get((index, packed))
                return known or self._read(generation, engine, index, packed, given, at), place

            decision, place = generation.run(one)
        except ContextError as problem:
            return failed(flag, "INVALID_CONTEXT", problem.message, generation.info.mark)
        except FlagstoneError as problem:
            _log.error("flag `%s` could not be decided: %s", flag, problem)
            return failed(flag, "GENERAL", problem.message, generation.info.mark)
        if exposing and (accepts is None or accepts(decision.value)):
            self._expose(generation.flags[index], given, decision, place)
        return decision

    def decide_all(self, context: Optional[Mapping[str, Any]] = None, *, now: Optional[int] = None) -> dict[str, Decision]:
        """Decides every flag for a context, all by one snapshot. Nothing is reported. Raises ContextError."""
        generation = self._keeper.generation
        if generation is None:
            return {}
        given = _NOBODY if context is None else context
        at = self._seconds() if now is None else now
        attributes = generation.layout.pack(given)

        def every(engine: Instance) -> dict[str, Decision]:
            decisions = {}
            for index, packed in enumerate(engine.decide_all(attributes, at)):
                known = generation.known.get((index, packed))
                key = generation.flags[index].key
                decisions[key] = known or self._read(generation, engine, index, packed, given, at)
            return decisions

        return generation.run(every)

    def explain(self, flag: str, context: Optional[Mapping[str, Any]] = None, *, now: Optional[int] = None) -> dict[str, Any]:
        """A decision with a trace of why (docs/engine.md). Empty while no snapshot is in force. Raises ContextError."""
        generation = self._keeper.generation
        if generation is None:
            return {}
        at = self._seconds() if now is None else now
        given = _NOBODY if context is None else context
        generation.layout.pack(given)  # raises for what the engine would not take
        text = json.dumps(generation.layout.plain(given))
        answer: dict[str, Any] = json.loads(generation.run(lambda engine: engine.explain(text, flag, at)))
        return answer

    def expose(self, flag: str, context: Mapping[str, Any]) -> Decision:
        """Reports that a unit is given now what a flag says, after `decide(..., expose=False)`. It is decided again."""
        return self.decide(flag, context)

    def outcome(self, outcome: Outcome, context: Optional[Mapping[str, Any]] = None) -> None:
        """Reports what came of a decision. A context says whether its unit consents."""
        if self._reporter is not None:
            if consents(_NOBODY if context is None else context, self._consent):
                self._reporter.outcome(outcome)
            else:
                self._reporter.reduced("no-consent")

    @property
    def flags(self) -> tuple[FlagInfo, ...]:
        """The flags of the snapshot in force."""
        generation = self._keeper.generation
        return () if generation is None else generation.flags

    # Sync

    def on(self, listener: Listener) -> None:
        """Tells a listener of every change of state from now on, on the thread that syncs. It must return soon, and not call
        `look` itself."""
        self._listeners.append(listener)

    def status(self) -> Status:
        """How it stands."""
        generation = self._keeper.generation
        return replace(
            self._status, state=self._status.at(self._seconds(), self._has_pulse),
            quarantined=dict(self._keeper.quarantined), traps=0 if generation is None else generation.traps,
        )

    def restore(self) -> None:
        """Puts in force the newer of what the state folder keeps and what came with the program; `start` does it."""
        with self._working:
            if self._keeper.generation is not None:
                return
            now, kept, found = self._seconds(), self._keeper.kept, []
            for name, file in (("kept", kept.snapshot), ("embedded", self._embedded)):
                if file is not None:
                    try:
                        found.append((self._keeper.open_kept(file, now), file))
                    except FlagstoneError as problem:
                        _log.info("the %s sealed file is not used: %s", name, problem)
            found.sort(key=lambda pair: pair[0].info.mark, reverse=True)
            for generation, file in found:
                try:
                    self._syncer.in_force(generation, file, None)
                    break
                except FlagstoneError as problem:
                    _log.warning("a snapshot from disk cannot be used: %s", problem)
            if found and kept.pulse is not None:
                self._syncer.restore_pulse(kept.pulse)
            self._tell()

    def look(self) -> bool:
        """One look at the source, now. False when something went wrong (`status().last_error`); what was in force stays."""
        with self._working:
            problem: Optional[FlagstoneError] = None
            try:
                self._status.last_error = None
                self._has_pulse = self._source.has_pulse()
                self._syncer.attempt()
                self._status.went_well()
            except FlagstoneError as one:
                problem = one
                self._status.went_wrong(str(one))
            except Exception as one:  # a source of somebody's own, say: sync goes on
                _log.exception("a look at the source failed")
                problem = FlagstoneError("unexpected", f"{type(one).__name__}: {one}")
                self._status.went_wrong(str(problem))
            self._keep()
            self._retry_after = problem.retry_after if isinstance(problem, FetchError) else None
            self._tell()
            if problem is not None:
                # The same trouble again is no news.
                level = logging.INFO if str(problem) == self._told_problem else logging.WARNING
                _log.log(level, "sync: %s", problem)
                if self._status.snapshot is None:
                    self._announce("error", frozenset(), str(problem))
            self._told_problem = None if problem is None else str(problem)
            return problem is None

    def _look_and_wait(self) -> float:
        """A look, and how long to wait for the next."""
        failures = 0 if self.look() else self._status.failures
        if failures:
            cap = min(BACKOFF_FIRST * 2.0 ** min(failures - 1, 20), BACKOFF_CAP)
            return max(random.uniform(0, cap), self._retry_after or 0.0)
        period, pulse = self._poll, self._status.pulse
        if self._status.pushing and pulse is not None:
            # Half of what is left of the lease, so that a stream that died unseen costs no staleness.
            period = max(period, min(POLL_PUSHED, (pulse.expires - self._seconds()) / 2))
        return period * random.uniform(0.9, 1.1)

    def _run(self) -> None:
        while not self._stopping:
            self._due = time.monotonic() + self._look_and_wait()
            while not self._stopping and (left := self._due - time.monotonic()) > 0:
                change = self._status.next_change(self._seconds(), self._has_pulse)
                if change is not None:
                    left = min(left, max(0.01, change - self._clock()))
                with self._wake:
                    if not self._stopping:
                        self._wake.wait(left)
                self.tick()

    def tick(self) -> None:
        """Tells listeners when time alone has changed the state; the thread does it at that very second."""
        with self._working:
            self._tell()

    # Inside

    def _listen(self) -> None:
        """Takes pulses as they come, where the source pushes them."""
        if self._push and self._pusher is None and isinstance(self._source, PushSource):
            from ._pusher import Pusher  # nobody else pays for the import of HTTP

            self._pusher = Pusher(self._source, self._pushed, self._unheard)

    def _deafen(self, wait: float = 10.0) -> None:
        pusher, self._pusher = self._pusher, None
        if pusher is not None:
            pusher.stop(wait)

    def _pushed(self, note: bytes) -> bool:
        """A pulse that came by itself, between the looks and never beside one."""
        with self._working:
            try:
                self._syncer.pushed(note)
                self._status.pushed += 1
                self._status.pushing = taken = True
            except FlagstoneError as problem:
                taken = False
                _log.warning("sync: of what was pushed: %s", problem)
            self._keep()
            self._tell()
            return taken

    def _unheard(self) -> None:
        """The stream is over: looks are what there is."""
        if self._status.pushing:
            self._status.pushing = False
            with self._wake:
                self._due = min(self._due, time.monotonic() + self._poll * random.uniform(0.9, 1.1))
                self._wake.notify_all()

    def _keep(self) -> None:
        if self._state is not None:
            try:
                _state.save(self._state, self._keeper.kept)
            except OSError as one:
                self._status.last_error = f"the state folder cannot be written: {one}"

    _retry_after: Optional[float] = None
    _told_problem: Optional[str] = None

    def _seconds(self) -> int:
        """The clock never runs behind the newest statement accepted."""
        return max(int(self._clock()), self._kept.latest_issued)

    def _read(
        self, generation: Generation, engine: Instance, index: int, packed: int, context: Mapping[str, Any], at: int
    ) -> Decision:
        """Makes a packed decision readable, from the text for the same question. Everything in a decision follows from the
        packed number, so this is done once for each."""
        key = generation.flags[index].key
        text = engine.decision(json.dumps(generation.layout.plain(context)), key, at)
        decision = _decision.read(text, generation.info.mark)
        if not _decision.agrees(packed, decision):
            return failed(key, "GENERAL", "the context is not one that the engine takes", generation.info.mark)
        if len(generation.known) >= _KNOWN:
            generation.known = {}
        generation.known[index, packed] = decision
        return decision

    def _expose(
        self, flag: FlagInfo, context: Mapping[str, Any], decision: Decision, place: Optional[Assignment]
    ) -> None:
        unit = unit_at(context, flag.unit or "targetingKey")
        reporter = self._reporter
        if reporter is None or decision.variant is None or decision.snapshot is None or unit is None:
            return
        if not consents(context, self._consent):
            reporter.reduced("no-consent")
            return
        cohort = None if decision.cohort is None else decision.cohort.index
        reporter.exposure(
            Exposure(
                decision.flag, decision.variant, decision.arm or "none",
                None if decision.stage is None else decision.stage.index, cohort,
                place.probability if place is not None and cohort is not None else 0, decision.reason,
                decision.snapshot, max(int(self._clock() * 1000), self._kept.latest_issued * 1000), unit,
            )
        )

    def _changed(self, flags: frozenset[str]) -> None:
        if self._state_told != _status.EMPTY:
            self._announce("changed", flags, "flags may be decided differently now")

    def _tell(self) -> None:
        state = self._status.at(self._seconds(), self._has_pulse)
        before, self._state_told = self._state_told, state
        if state == before:
            return
        if before == _status.EMPTY:
            self._ready.set()
        if state == _status.FRESH or before == _status.EMPTY:
            self._announce("ready", frozenset(), state)
        if state in (_status.STALE, _status.EXPIRED):
            self._announce("stale", frozenset(), state)

    def _announce(self, event: str, flags: frozenset[str], message: str) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event, flags, message)
            except Exception:  # a listener's own trouble must not stop sync
                _log.exception("a listener failed")


def _maker(door: str, cache: Optional[Path], memory: int) -> Callable[[], Instance]:
    if door == "component":
        from . import _component

        component = _component.component(cache)
        return lambda: _component.ComponentInstance(component, memory)
    if door != "core":
        raise FlagstoneError("bad-door", f"`{door}` is no door; there are `core` and `component`")
    module = _core.module(cache)
    return lambda: _core.CoreInstance(module, memory)
