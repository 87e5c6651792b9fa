"""Reports to a control plane: `POST /v1/environments/{environment}/events`, as a native host does (docs/events.md).

Events wait in memory in a bounded queue, and every one that is made is delivered, waiting or counted as lost. What waits is
lost with the process: an application that cannot have that reports through a native host, which has a spool on disk.
"""

from __future__ import annotations

import atexit
import json
import logging
import random
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Optional
from urllib.parse import quote

from . import _wire
from ._errors import FetchError
from ._http import Client
from .reporting import Exposure, Outcome

_log = logging.getLogger("flagstone")
BATCH_EVENTS, BATCH_BYTES, ANSWER_BYTES = 500, 900_000, 16 << 10
SEEN_IDS = 65_536
#: Seconds between attempts while somebody waits for the last events.
HURRIED = 0.2
#: Answers after which the same batch is tried again; every other 4xx sets it aside for good.
AGAIN = frozenset((401, 403, 404, 405, 408, 421, 423, 425, 429))


class EventsReporter:
    """Delivers exposures and outcomes in batches, from a thread of its own.

    `address` and `environment` are the control plane's, `pepper` the secret of the pseudonyms (64 hexadecimal digits, the same
    on all hosts of the environment), `token` its `Authorization: Bearer …`. `queue` is the most events that wait; `linger` how
    long a part-filled batch does, seconds; `window_ms` within which repeated exposures of a unit count as one.
    """

    def __init__(
        self, address: str, *, environment: str, pepper: str, stream: str = "production", token: Optional[str] = None,
        ca: Optional[str] = None, queue: int = 8_192, linger: float = 1.0, window_ms: int = 86_400_000,
    ) -> None:
        if stream not in _wire.STREAMS:
            raise ValueError(f"`{stream}` is no stream; there are {', '.join(_wire.STREAMS)}")
        self._client = Client(address, ca)
        self._path = f"/v1/environments/{quote(environment, safe='')}/events"
        self._headers = {"content-type": "application/json"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"
        self._pepper, self._stream, self._window_ms = _wire.Pepper(pepper), stream, max(1, window_ms)
        self._queue, self._linger = queue, linger
        self.instance = secrets.token_hex(16)
        self._lock = threading.Condition()
        self._events: deque[dict[str, Any]] = deque()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._sequence, self._previous = 0, None
        self._dropped: dict[str, int] = {}
        self._made = self._repeated = self._delivered = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="flagstone-report", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # what waits when the program ends is delivered, or counted

    _previous: Optional[str]

    def exposure(self, exposure: Exposure) -> None:
        self._take(lambda: _wire.exposure(self._pepper, self._stream, exposure, self._window_ms), True)

    def outcome(self, outcome: Outcome) -> None:
        self._take(lambda: _wire.outcome(self._pepper, self._stream, outcome), False)

    def reduced(self, reason: str) -> None:
        with self._lock:
            self._made += 1
            self._drop(reason, 1)

    def counts(self) -> dict[str, Any]:
        """At rest `made` = `repeated` + `delivered` + `pending` + the sum of `dropped`."""
        with self._lock:
            return {
                "made": self._made, "repeated": self._repeated, "delivered": self._delivered,
                "pending": len(self._events), "dropped": dict(self._dropped),
            }

    def flush(self, wait: float) -> bool:
        """Waits until nothing is left to deliver; False when that takes longer than `wait` seconds."""
        with self._lock:
            self._lock.notify_all()
            self._hurry = True
            done = self._lock.wait_for(lambda: not self._events, wait)
            self._hurry = False
            return done

    def close(self, wait: float = 5.0) -> bool:
        """Delivers what is left, within `wait` seconds, and stops. What is left then counts as lost (`shutdown`). The end of the
        program does it by itself."""
        atexit.unregister(self.close)
        done = self.flush(wait)
        with self._lock:
            self._closing = True
            self._drop("shutdown", len(self._events))
            self._events.clear()
            self._lock.notify_all()
        return done

    _hurry = False

    def _take(self, make: Callable[[], dict[str, Any]], repeatable: bool) -> None:
        try:
            event: Optional[dict[str, Any]] = make()
        except (_wire.Unfit, ValueError, OverflowError) as problem:
            _log.warning("an event cannot be reported: %s", problem)
            event = None
        with self._lock:
            self._made += 1
            if event is None:
                self._drop("invalid", 1)
            elif self._closing:
                self._drop("shutdown", 1)
            elif repeatable and event["id"] in self._seen:
                self._repeated += 1
            elif len(self._events) >= self._queue:
                self._drop("queue-full", 1)
            else:
                if repeatable:
                    self._seen[event["id"]] = None
                    if len(self._seen) > SEEN_IDS:
                        self._seen.popitem(last=False)
                self._sequence += 1
                self._events.append({"sequence": self._sequence, **event})
                if len(self._events) in (1, BATCH_EVENTS):
                    self._lock.notify_all()

    def _drop(self, reason: str, count: int) -> None:
        if count:
            self._dropped[reason] = self._dropped.get(reason, 0) + count

    def _run(self) -> None:
        failures = 0
        while True:
            with self._lock:
                self._lock.wait_for(lambda: bool(self._events) or self._closing)
                if self._closing:
                    return
                full = lambda: len(self._events) >= BATCH_EVENTS or self._closing or self._hurry  # noqa: E731
                self._lock.wait_for(full, self._linger)
                batch = self._batch()
            if batch is None:
                continue
            wait = self._send(batch)
            failures = 0 if wait is None else failures + 1
            if wait is not None:
                pause = max(wait, random.uniform(0, min(2.0 ** min(failures - 1, 20), 300.0)))
                until = time.monotonic() + pause
                with self._lock:
                    self._lock.wait_for(lambda: self._closing or self._hurry, max(0.0, until - time.monotonic()))
                    if self._hurry:  # somebody waits: again soon, and not in a rush
                        self._lock.wait_for(lambda: self._closing, HURRIED)

    def _batch(self) -> Optional[dict[str, Any]]:
        """The next batch: the oldest events, which stay in the queue until they are delivered."""
        size = 0
        chosen: list[dict[str, Any]] = []
        for event in self._events:
            size += len(json.dumps(event))
            if chosen and (size > BATCH_BYTES or len(chosen) >= BATCH_EVENTS):
                break
            chosen.append(event)
        return _wire.batch(self.instance, chosen, self._previous, self._dropped) if chosen else None

    def _send(self, batch: dict[str, Any]) -> Optional[float]:
        """Sends a batch. None: it is dealt with. Otherwise it is to be tried again after at least so many seconds."""
        try:
            body = json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            answer = self._client.request("POST", self._path, self._headers, body, ANSWER_BYTES)
        except FetchError as problem:
            _log.info("events wait: %s", problem)
            return 0.0
        if 200 <= answer.status < 300 and _receipt(answer.body) == batch["id"]:
            self._done(batch, None)
            return None
        if 400 <= answer.status < 500 and answer.status not in AGAIN:
            _log.error("the receiver refused %d events for good: status %d", batch["count"], answer.status)
            self._done(batch, "poison")
            return None
        _log.info("events wait: status %d, no receipt of ours", answer.status)
        return answer.retry_after or 0.0

    def _done(self, batch: dict[str, Any], lost: Optional[str]) -> None:
        last = batch["events"][-1]["sequence"]
        with self._lock:
            count = 0
            while self._events and self._events[0]["sequence"] <= last:
                self._events.popleft()
                count += 1
            if lost is None:
                self._delivered += count
                self._previous = batch["id"]
            else:
                self._drop(lost, count)
            self._lock.notify_all()


def _receipt(body: bytes) -> Optional[str]:
    """The batch that an answer names: portals and proxies answer 200 to anything."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    named = answer.get("batch") if isinstance(answer, dict) else None
    return named if isinstance(named, str) else None
