"""The WebAssembly runtime: one engine a process, compiled code kept in a folder that only this user can write.

Compiling takes half a second, reading compiled code a millisecond. Compiled code is run as it is, so a file that somebody
else could have written is never read: the folder and the file must belong to this user, nobody else may write to them, and
nobody but this user and root may write to any folder above.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import stat
import tempfile
import threading
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Optional, TypeVar, Union

import wasmtime

from ._artefact import digest
from ._clock import Clock, ticks
from ._errors import FlagstoneError

if TYPE_CHECKING:
    import wasmtime.component

_log = logging.getLogger("flagstone")
_lock = threading.Lock()
_engine: Optional[wasmtime.Engine] = None
_clock: Optional[Clock] = None
_compiled: dict[tuple[str, str], Union[wasmtime.Module, wasmtime.component.Component]] = {}
_Code = TypeVar("_Code", wasmtime.Module, "wasmtime.component.Component")

#: Linear memory of one instance, at most, unless said otherwise.
MEMORY_BYTES = 32 << 20
#: Seconds that one call may take, unless said otherwise: decisions, and what opens or verifies.
CALL_SECONDS, OPEN_SECONDS = 1.0, 30.0
#: Address space of one instance: enough for `MEMORY_BYTES`, and little enough for hundreds of them. More is moved when it grows.
_RESERVED_BYTES = 64 << 20


def engine() -> wasmtime.Engine:
    """The process's engine."""
    global _engine, _clock
    with _lock:
        if _engine is None:
            config = wasmtime.Config()
            config.epoch_interruption = True
            config.memory_reservation = _RESERVED_BYTES
            config.memory_guard_size = 1 << 16
            _engine = wasmtime.Engine(config)
            _clock = Clock(_engine.increment_epoch)
        return _engine


def store(memory: int = MEMORY_BYTES) -> wasmtime.Store:
    """Room for one instance, with its limits. What is called first may take as long as opening."""
    made = wasmtime.Store(engine())
    made.set_limits(memory_size=memory, instances=8, tables=8, memories=4)
    limit(made, OPEN_SECONDS)
    return made


def limit(store: wasmtime.Store, seconds: float) -> None:
    """What is called from now on in a store traps when it is still running after so many seconds."""
    clock = _clock
    if clock is not None:
        clock.begin()
    store.set_epoch_deadline(ticks(seconds))


def module(wasm: bytes, cache: Optional[Path]) -> wasmtime.Module:
    """A core module, compiled or read from the cache folder (None: no cache)."""
    return _code(wasmtime.Module, "core", wasm, cache)


def component(wasm: bytes, cache: Optional[Path]) -> wasmtime.component.Component:
    """A component, compiled or read from the cache folder."""
    from wasmtime.component import Component

    return _code(Component, "component", wasm, cache)


def default_cache() -> Optional[Path]:
    """`FLAGSTONE_CACHE` (empty: none), else `flagstone` in the user's cache folder; none where files have no owner."""
    named = os.environ.get("FLAGSTONE_CACHE")
    if named is not None:
        return Path(named) if named else None
    if not hasattr(os, "getuid"):
        return None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base and os.path.isabs(base) else Path.home() / ".cache") / "flagstone"
    except RuntimeError:  # nobody's home
        return None


def _code(kind: type[_Code], name: str, wasm: bytes, cache: Optional[Path]) -> _Code:
    known = (name, digest(wasm))
    with _lock:
        found = _compiled.get(known)
    if isinstance(found, kind):
        return found
    made = _read_or_compile(kind, f"{name}-{known[1]}", wasm, cache)
    with _lock:
        kept = _compiled.setdefault(known, made)
    return kept if isinstance(kept, kind) else made


def _read_or_compile(kind: type[_Code], name: str, wasm: bytes, cache: Optional[Path]) -> _Code:
    def compiled() -> _Code:
        return kind(engine(), wasm)

    if cache is None:
        return compiled()
    # Code is for one release of the runtime, one kind of machine and one configuration; the runtime checks that again.
    machine = f"{platform.system()}-{platform.machine()}".lower()
    path = cache / f"{name}-{metadata.version('wasmtime')}-{machine}-{_RESERVED_BYTES}-epochs.cwasm"
    code = _read(path)
    if code is not None:
        try:
            return kind.deserialize(engine(), code)
        except wasmtime.WasmtimeError as problem:
            _log.info("compiled code in the cache is not for this runtime: %s", problem)
    made = compiled()
    _write(path, bytes(made.serialize()))
    return made


def _read(path: Path) -> Optional[bytes]:
    """The code in a file of the cache; None when it is not there, damaged, or could be somebody else's."""
    try:
        check_private(path.parent)
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return None
    except (OSError, FlagstoneError) as problem:
        _log.warning("the cache of compiled code is not used: %s", problem)
        return None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
            _log.warning("compiled code that others could have written is not used: %s", path)
            return None
        content = file.read()
    check, code = content[:32], content[32:]
    if hashlib.sha256(code).digest() != check:
        _log.warning("damaged compiled code is not used: %s", path)
        return None
    return code


def _write(path: Path, code: bytes) -> None:
    """Keeps code for the next process, by one rename; a cache that cannot be written costs time and nothing else."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(path.parent)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(beside, path)
        except BaseException:
            os.unlink(beside)
            raise
    except (OSError, FlagstoneError) as problem:
        _log.info("compiled code is not kept: %s", problem)


def check_private(folder: Path) -> None:
    """Raises FlagstoneError when somebody but this user and root could put files into a folder, or another in its place."""
    if not hasattr(os, "getuid"):
        raise FlagstoneError("open-cache", "files have no owner on this system")
    here = Path(os.path.realpath(folder))
    for place in (here, *here.parents):
        about = place.stat()
        mine = about.st_uid == os.getuid()
        if place == here and not mine:
            raise FlagstoneError("open-cache", f"`{place}` belongs to somebody else")
        if not mine and about.st_uid != 0:
            raise FlagstoneError("open-cache", f"`{place}` belongs to neither this user nor root")
        # In a sticky folder others cannot rename what is ours.
        if about.st_mode & 0o022 and (place == here or not about.st_mode & stat.S_ISVTX):
            raise FlagstoneError("open-cache", f"others may write to `{place}`")


