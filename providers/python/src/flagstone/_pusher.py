"""Holds a source's stream of pulses open, one at a time, in a thread of its own: a halt is then in force at once.

Nothing here touches the state or the count of failed looks: looks go on beside it, as a floor.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from ._errors import FlagstoneError
from ._push import NoStream
from ._sources import PushSource

_log = logging.getLogger("flagstone")

#: Seconds until a source that has no stream is asked again.
ABSENT = 300.0
#: Seconds that a stream must have lived for the next one to be opened without a longer wait.
SETTLED = 60.0
#: The longest wait between two streams, seconds.
LONGEST = 300.0


class Pusher:
    """Gives every pulse to `take`, which says whether it was accepted; a stream that brings another is given up. `ended` is called when
    a stream is over."""

    def __init__(self, source: PushSource, take: Callable[[bytes], bool], ended: Callable[[], None]) -> None:
        self._source, self._take, self._ended = source, take, ended
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flagstone-push", daemon=True)
        self._thread.start()

    def stop(self, wait: float = 10.0) -> None:
        """Ends the stream, and waits so many seconds for the thread at most."""
        self._stopping.set()
        until = time.monotonic() + wait
        while True:
            self._source.hang_up()  # again, should the stream have been about to open
            left = until - time.monotonic()
            if left <= 0 or self._thread is threading.current_thread():
                return
            self._thread.join(min(left, 0.05))
            if not self._thread.is_alive():
                return

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began, absent = time.monotonic(), False
            try:
                self._follow()
            except NoStream as problem:
                absent = True
                _log.info("pulses are not pushed: %s", problem)
            except FlagstoneError as problem:
                _log.info("the stream of pulses is over: %s", problem)
            except Exception:  # of a source of somebody's own: looks go on
                _log.exception("the stream of pulses failed")
            self._ended()
            failures = 1 if time.monotonic() - began >= SETTLED else failures + 1
            self._stopping.wait(ABSENT if absent else random.uniform(0, min(2.0 ** min(failures - 1, 20), LONGEST)))

    def _follow(self) -> None:
        stream = self._source.pulses()
        try:
            for note in stream:
                if self._stopping.is_set() or not self._take(note):
                    return
        finally:
            close = getattr(stream, "close", None)  # generators have one
            if close is not None:
                close()
