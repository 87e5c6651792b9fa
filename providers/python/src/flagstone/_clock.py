"""The clock that running calls are stopped by: one thread a process, which advances the runtime's epoch.

It sleeps while nobody calls. Time is what passes on the wall, so a limit must leave room for a machine that is busy.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable

#: Seconds between two ticks.
TICK = 0.1
#: Ticks without a call after which the thread sleeps: longer than any limit, so that whoever is running is still stopped.
QUIET = 600
#: The longest limit, seconds.
LONGEST = TICK * QUIET / 2


class Clock:
    """Calls `tick` every so many seconds while there are calls, and `quiet` times more."""

    def __init__(self, tick: Callable[[], None], every: float = TICK, quiet: int = QUIET) -> None:
        self._tick, self._every, self._quiet = tick, every, quiet
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)  # threads do not live on in the child

    def _reset(self) -> None:
        self._asleep, self._called, self._started = True, False, False
        self._wake, self._lock = threading.Event(), threading.Lock()

    def begin(self) -> None:
        """A call begins: ticks come from now on."""
        self._called = True
        if self._asleep:  # looked at after the line above, as the thread does it the other way round
            with self._lock:
                if not self._started:
                    self._started = True
                    threading.Thread(target=self._run, name="flagstone-clock", daemon=True).start()
            self._wake.set()

    def _run(self) -> None:
        quiet = 0
        self._asleep = False
        while True:
            time.sleep(self._every)
            self._tick()
            quiet = 0 if self._called else quiet + 1
            self._called = False
            if quiet >= self._quiet:
                self._wake.clear()
                self._asleep = True
                if not self._called:
                    self._wake.wait()
                self._asleep, quiet = False, 0


def ticks(seconds: float) -> int:
    """The ticks that a call of so many seconds may see, at least."""
    return math.ceil(min(max(seconds, 0.0), LONGEST) / TICK) + 1
