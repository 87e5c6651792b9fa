"""The engine that came with this package, and its core module.

The wheel holds the component alone. A component without imports is a wrapper around one core module, which has the same
functions under a flat ABI and is much cheaper to call from Python; so it is taken out of the component here.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from importlib import resources
from pathlib import Path

from ._errors import FlagstoneError

_PREAMBLE = b"\0asm\x0d\0\x01\0"
_CORE_MODULE = 1


@lru_cache(maxsize=1)
def component() -> bytes:
    """The component: the file that `FLAGSTONE_COMPONENT` names, else the one in the package."""
    named = os.environ.get("FLAGSTONE_COMPONENT")
    if named:
        return Path(named).read_bytes()
    return (resources.files("flagstone") / "flagstone.component.wasm").read_bytes()


@lru_cache(maxsize=1)
def core() -> bytes:
    """The core module inside the component."""
    return core_of(component())


def digest(wasm: bytes) -> str:
    """SHA-256 of an artefact, 64 hexadecimal digits."""
    return hashlib.sha256(wasm).hexdigest()


def core_of(wasm: bytes) -> bytes:
    """The one core module of a component. Raises FlagstoneError when there is none, or more than one."""
    if not wasm.startswith(_PREAMBLE):
        raise FlagstoneError("bad-component", "the engine's file is not a WebAssembly component")
    found, at = [], len(_PREAMBLE)
    while at < len(wasm):
        kind = wasm[at]
        length, start = _number(wasm, at + 1)
        if start + length > len(wasm):
            raise FlagstoneError("bad-component", "the engine's file ends inside a section")
        if kind == _CORE_MODULE:
            found.append(wasm[start : start + length])
        at = start + length
    if len(found) != 1:
        raise FlagstoneError("bad-component", f"the engine's component holds {len(found)} core modules, not one")
    return found[0]


def _number(wasm: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number of at most 32 bits, and where it ends."""
    value = shift = 0
    while at < len(wasm) and shift <= 28:
        byte = wasm[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise FlagstoneError("bad-component", "the engine's file has a section without a length")
