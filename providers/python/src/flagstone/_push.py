"""Pulses as they are pushed: server-sent events of a control plane (docs/host.md, Push), bounded in memory, patience and flow."""

from __future__ import annotations

import codecs
import http.client
import re
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple, Optional

from ._errors import FetchError
from ._http import Client

#: Characters of one event at most: a pulse and a little.
EVENT_SIZE = 300_000
#: Seconds without a byte after which a stream is given up; the control plane gives a sign of life every 15 s.
SILENCE = 45.0
#: Bytes that a stream may send at once and per second on average, and what an event counts at least.
BURST, PER_SECOND, EVENT_COST = 1 << 20, 16 << 10, 4 << 10
#: Answers that mean that there is no stream here.
_NONE = frozenset((404, 405, 406, 501))


class NoStream(FetchError):
    """The source pushes nothing."""


class Event(NamedTuple):
    """One event of a stream."""

    name: str
    data: str


class Parser:
    """Events out of pieces of a stream (WHATWG HTML, 9.2.6)."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest, self._name, self._size = "", "", 0
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[Event]:
        """Takes in a piece and gives the events that it completes. Raises FetchError for one that is too long."""
        complete = []
        # A carriage return at the very end may be the first half of a line's end.
        *lines, self._rest = re.split(r"\r\n|\n|\r(?!$)", self._rest + self._decoder.decode(piece))
        for line in lines:
            if line:
                self._field(line)
            else:
                if self._data:
                    complete.append(Event(self._name or "message", "\n".join(self._data)))
                self._name, self._data, self._size = "", [], 0
        if self._size + len(self._rest) > EVENT_SIZE:
            raise FetchError("the stream of pulses sent an event without end")
        return complete

    def _field(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
            self._size += len(value) + 1


class Flow:
    """How much a stream may send."""

    def __init__(self, now: float) -> None:
        self._left, self._at = float(BURST), now

    def took(self, count: int, now: float) -> None:
        """So many bytes came. Raises FetchError when that was too much."""
        self._left = min(float(BURST), self._left + (now - self._at) * PER_SECOND) - count
        self._at = now
        if self._left < 0:
            raise FetchError("the stream of pulses sent more than anybody has to say")


class Stream:
    """One stream. `hang_up` ends it, from any thread, also before it is open."""

    def __init__(self, client: Client, path: str) -> None:
        self._client, self._path = client, path
        self._socket: Optional[socket.socket] = None
        self._hung_up = False

    def pulses(self) -> Iterator[bytes]:
        """The pulses that are pushed, until the stream ends. Raises NoStream, FetchError."""
        connection = self._client.connection(SILENCE)
        try:
            connection.connect()
            self._socket = connection.sock
            if self._hung_up:
                return
            headers = {"accept": "text/event-stream", "accept-encoding": "identity"}
            connection.request("GET", self._client.base + self._path, None, headers)
            answer = connection.getresponse()
            kind = (answer.getheader("content-type") or "").split(";")[0].strip()
            if answer.status != 200 or kind != "text/event-stream":
                problem = NoStream if answer.status in _NONE or answer.status == 200 else FetchError
                raise problem(f"GET {self._path}: no stream, status {answer.status}")
            yield from self._read(answer)
        except (OSError, http.client.HTTPException) as problem:
            if not self._hung_up:
                raise FetchError(f"GET {self._path}: {problem or type(problem).__name__}") from None
        finally:
            self._socket = None
            connection.close()

    def _read(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        parser, flow = Parser(), Flow(time.monotonic())
        while not self._hung_up:
            piece = answer.read1(16 << 10)
            if not piece:
                return
            events = parser.feed(piece)
            flow.took(max(len(piece), EVENT_COST * len(events)), time.monotonic())
            for event in events:
                if event.name == "pulse":
                    yield event.data.encode("utf-8")

    def hang_up(self) -> None:
        """Ends the stream that is being read."""
        self._hung_up = True
        held = self._socket
        if held is not None:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is over already
