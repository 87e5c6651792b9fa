"""Where snapshots come from: a native host's data folder, a published folder, one sealed file, HTTP, bytes.

A source hands out bytes and decides nothing: everything is verified by the engine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional, Protocol, Union, runtime_checkable

from ._errors import FetchError

#: Bytes at most: of a trust note, a pulse, a sealed file (header, note, payload for servers).
TRUST_BYTES, PULSE_BYTES, FILE_BYTES = 65_536, 262_144, 20 + 8_192 + (4 << 20)


class Body(NamedTuple):
    """What was asked for, with a tag by which to ask whether it has changed."""

    content: bytes
    tag: Optional[str]


class NotModified(NamedTuple):
    """It is as it was."""


class Missing(NamedTuple):
    """The source has no such thing."""


Fetched = Union[Body, NotModified, Missing]


class Source(Protocol):
    """Something that has trust notes, a pulse and snapshots. Called from one thread at a time; may block."""

    def has_pulse(self) -> bool:
        """False for a single file: plans then stay closed."""

    def fetch(self, item: str, known: Optional[str], largest: int) -> Fetched:
        """`item` is `trust`, `trust/VERSION`, `pulse`, `snapshots/DIGEST` or, without a pulse, `file`. `known` is the tag of
        what the caller has. Raises FetchError."""


@runtime_checkable
class PushSource(Source, Protocol):
    """A source that can also push pulses, the moment they are signed."""

    def pulses(self) -> Iterator[bytes]:
        """Pulses as they come, until the stream ends; read by one thread, and nothing else waits for it. Raises FetchError, `NoStream`
        where there is no stream."""

    def hang_up(self) -> None:
        """Ends the stream that is being read, from another thread."""


class BytesSource:
    """One sealed file that came with the program."""

    def __init__(self, sealed: bytes) -> None:
        self._sealed = sealed

    def has_pulse(self) -> bool:
        return False

    def fetch(self, item: str, known: Optional[str], largest: int) -> Fetched:
        return NotModified() if known else Body(self._sealed, "embedded")


class FileSource:
    """One sealed file on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has_pulse(self) -> bool:
        return False

    def fetch(self, item: str, known: Optional[str], largest: int) -> Fetched:
        return _read(self._path, known, largest)


class FolderSource:
    """A folder: the data folder of a native host (it has a `manifest.json`), or one laid out like the paths over HTTP."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has_pulse(self) -> bool:
        manifest = self._manifest()
        return manifest is None or manifest.get("pulse") is not None

    def fetch(self, item: str, known: Optional[str], largest: int) -> Fetched:
        manifest = self._manifest()
        if manifest is None:
            kind, _, rest = item.partition("/")
            return _read(self._path / (f"trust.{rest}" if kind == "trust" and rest else item), known, largest)
        name = _object(manifest, item)
        if name is None:
            return Missing()
        if name == known:
            return NotModified()
        fetched = _read(self._path / "objects" / name, None, largest)
        if isinstance(fetched, Body) and fetched.tag != name:
            raise FetchError(f"`{self._path / 'objects' / name}` is damaged")
        return fetched

    def _manifest(self) -> Optional[dict[str, Any]]:
        path = self._path / "manifest.json"
        fetched = _read(path, None, 1 << 20)
        if not isinstance(fetched, Body):
            return None
        try:
            manifest = json.loads(fetched.content)
            if manifest["version"] != 1:
                raise FetchError(f"`{path}` is of version {manifest['version']}, this reads 1")
            return dict(manifest)
        except (ValueError, KeyError, TypeError):
            raise FetchError(f"`{path}` is no manifest of a host") from None


def _object(manifest: dict[str, Any], item: str) -> Optional[str]:
    """The name of the object that a host's manifest has for an item."""
    try:
        if item in ("pulse", "file"):
            name = manifest["pulse" if item == "pulse" else "snapshot"]
        elif item == "trust":
            name = manifest["trust"][-1]["object"] if manifest["trust"] else None
        elif item.startswith("trust/"):
            versions = {str(step["version"]): step["object"] for step in manifest["trust"]}
            name = versions.get(item[6:])
        else:
            same = manifest["mark"] is not None and manifest["mark"]["digest"] == item[len("snapshots/") :]
            name = manifest["snapshot"] if same else None
    except (KeyError, TypeError, IndexError):
        raise FetchError("the host's manifest is not of the form that this reads") from None
    if name is not None and not (isinstance(name, str) and len(name) == 64 and name.isalnum()):
        raise FetchError("the host's manifest names something that is no object")
    return name


def _read(path: Path, known: Optional[str], largest: int) -> Fetched:
    try:
        with open(path, "rb") as file:
            # One more than allowed, to tell a file that is too long from one that just fits.
            content = file.read(largest + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Missing()
    except OSError as problem:
        raise FetchError(f"`{path}`: {problem.strerror or problem}") from None
    if len(content) > largest:
        raise FetchError(f"`{path}` is longer than {largest} bytes")
    tag = hashlib.sha256(content).hexdigest()
    return NotModified() if tag == known else Body(content, tag)


def source(place: Union[str, bytes, "os.PathLike[str]", Source], environment: str, ca: Optional[str] = None) -> Source:
    """The source at a place: `https://…`, `http://…`, `file:PATH` or a path (a folder or one sealed file), bytes of a sealed
    file, or a Source of one's own."""
    from ._http import HttpSource

    if isinstance(place, bytes):
        return BytesSource(place)
    if isinstance(place, (str, os.PathLike)):
        text = os.fspath(place)
        if text.startswith(("https://", "http://")):
            return HttpSource(text, environment, ca)
        path = Path(text[5:] if text.startswith("file:") else text)
        return FileSource(path) if path.is_file() else FolderSource(path)
    return place
