"""A control plane over HTTP: conditional requests, bounded in bytes and time. No redirects, no proxies of the environment."""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import quote, urlsplit

from ._errors import FetchError, FlagstoneError
from ._sources import Body, Fetched, Missing, NotModified

if TYPE_CHECKING:
    from ._push import Stream

#: From the first byte of a request to the last of its answer, seconds.
REQUEST_TIME = 10.0
#: A wait that a receiver asks for is obeyed up to this, seconds.
RETRY_AFTER_CAP = 900.0
_CHUNK = 64 << 10


class Answer(NamedTuple):
    """An answer to a request."""

    status: int
    body: bytes
    tag: Optional[str]
    retry_after: Optional[float]


class Client:
    """Requests to one address, one at a time. `ca` is a file of further root certificates in PEM."""

    def __init__(self, address: str, ca: Optional[str] = None, request_time: float = REQUEST_TIME) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise FlagstoneError("bad-address", f"`{address}` is not of the form https://host or http://host:port")
        self.base = parts.path.rstrip("/")
        self._host, self._port, self._time = parts.hostname, parts.port, request_time
        self._tls: Optional[ssl.SSLContext] = None
        if parts.scheme == "https":
            self._tls = ssl.create_default_context()
            if ca is not None:
                self._tls.load_verify_locations(ca)

    def request(
        self, method: str, path: str, headers: dict[str, str], body: Optional[bytes], largest: int
    ) -> Answer:
        """Sends a request and reads its answer, `largest` bytes at most. Raises FetchError."""
        until = time.monotonic() + self._time
        connection, answer = self.connection(self._time), None
        try:
            connection.request(method, self.base + path, body, {"accept-encoding": "identity", **headers})
            _left(connection, until)
            answer = connection.getresponse()
            content = bytearray()
            while len(content) <= largest:
                _left(connection, until)
                piece = answer.read1(min(_CHUNK, largest + 1 - len(content)))
                if not piece:
                    break
                content += piece
            if len(content) > largest:
                raise FetchError(f"{method} {path}: the answer is longer than {largest} bytes")
            wait = _retry_after(answer.getheader("retry-after"), answer.getheader("date"))
            return Answer(answer.status, bytes(content), answer.getheader("etag"), wait)
        except (OSError, http.client.HTTPException) as problem:
            raise FetchError(f"{method} {path}: {problem or type(problem).__name__}") from None
        finally:
            if answer is not None:
                answer.close()
            connection.close()

    def connection(self, patience: float) -> http.client.HTTPConnection:
        """A connection that is not open yet; `patience` is for each wait, seconds."""
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=patience, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=patience)


class HttpSource:
    """`/v1/environments/{environment}/…` below an address."""

    def __init__(self, address: str, environment: str, ca: Optional[str] = None) -> None:
        self._client = Client(address, ca)
        self._below = f"/v1/environments/{quote(environment, safe='')}/"
        self._stream: Optional[Stream] = None

    def has_pulse(self) -> bool:
        return True

    def fetch(self, item: str, known: Optional[str], largest: int) -> Fetched:
        headers = {} if known is None else {"if-none-match": known}
        answer = self._client.request("GET", self._below + item, headers, None, largest)
        if answer.status == 200:
            return Body(answer.body, answer.tag)
        if answer.status == 304 and known is not None:
            return NotModified()
        if answer.status == 404:
            return Missing()
        raise FetchError(f"GET {self._below}{item}: status {answer.status}", answer.retry_after)

    def pulses(self) -> Iterator[bytes]:
        """The pulses that the control plane pushes, until the stream ends. Raises NoStream, FetchError."""
        from ._push import Stream

        self._stream = Stream(self._client, self._below + "pulse/live")
        return self._stream.pulses()

    def hang_up(self) -> None:
        """Ends the stream of pulses, from another thread."""
        if self._stream is not None:
            self._stream.hang_up()


def _left(connection: http.client.HTTPConnection, until: float) -> None:
    """Lets the next wait for bytes last as long as there is time for the whole."""
    left = until - time.monotonic()
    if left <= 0:
        raise socket.timeout("it took too long")
    if connection.sock is not None:
        connection.sock.settimeout(left)


def _retry_after(text: Optional[str], date: Optional[str]) -> Optional[float]:
    """A `Retry-After` in seconds: a number, or a date that is measured against the answer's own."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(text)
            since = email.utils.parsedate_to_datetime(date or "")
            seconds = (until - since).total_seconds()
        except (TypeError, ValueError, IndexError):
            return None
    return min(seconds, RETRY_AFTER_CAP) if seconds >= 0 else None
