"""Contexts on their way into the engine: attributes by position, the cheapest form (docs/engine.md).

Only what the rules of a snapshot read is taken; the rest of a context is never looked at.
"""

from __future__ import annotations

import datetime
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._errors import ContextError

#: Levels of nesting that the engine takes.
MAX_DEPTH = 16
#: Bytes of a whole context that the engine takes.
MAX_BYTES = 64 << 10

_INTEGER = struct.Struct("<Bq").pack
_LARGE = struct.Struct("<BQ").pack
_NUMBER = struct.Struct("<Bd").pack
_LENGTH = struct.Struct("<I").pack
_POSITION = struct.Struct("<H").pack
_NULL, _FALSE, _TRUE = b"\x00", b"\x01", b"\x02"
_ABSENT = object()


class Layout:
    """Which attributes a snapshot reads, by position: `paths` as the engine's `attributes` lists them."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        split = [None if path == "" else path.split(".") for path in paths]
        self._plan = [(_POSITION(position), path) for position, path in enumerate(split)]
        self._whole = any(path is None for path in split)
        # Shorter ones first: what they name holds what the longer ones name.
        self._parts = sorted((path for path in split if path is not None), key=len)

    def pack(self, context: Mapping[str, Any]) -> bytes:
        """The attributes that the context has, in the engine's form. Raises ContextError for what it would not take."""
        out = [b""]
        for position, path in self._plan:
            value: Any
            if path is None:
                value = context
            elif len(path) == 1:
                value = context.get(path[0], _ABSENT)
            else:
                value = _at(context, path)
            if value is not _ABSENT:
                out.append(position)
                _value(value, out.append, 0)
        out[0] = _POSITION(len(out) // 2)
        packed = b"".join(out)
        if len(packed) > MAX_BYTES:
            raise ContextError(f"the context is larger than {MAX_BYTES} bytes")
        return packed

    def plain(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """What is read of a context that `pack` takes, as `json.dumps` takes it; read by the same paths it is the same."""
        if self._whole:
            return {key: _plain(value) for key, value in context.items()}
        found: dict[str, Any] = {}
        taken: set[tuple[str, ...]] = set()
        for path in self._parts:
            if any(tuple(path[:length]) in taken for length in range(1, len(path))):
                continue
            value = _at(context, path)
            if value is not _ABSENT:
                taken.add(tuple(path))
                here = found
                for part in path[:-1]:  # an element of a list is found by its number in an object too
                    here = here.setdefault(part, {})
                here[path[-1]] = _plain(value)
        return found


def unit_at(context: Mapping[str, Any], path: str) -> Optional[str]:
    """The unit at a dotted path: a text, or a whole number, which counts by its digits. None when there is none."""
    value = _at(context, path.split("."))
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _at(context: Any, path: Sequence[str]) -> Any:
    here = context
    for part in path:
        if isinstance(here, Mapping):
            here = here.get(part, _ABSENT)
        elif _is_list(here):
            if not (part.isascii() and part.isdigit()) or int(part) >= len(here):
                return _ABSENT
            here = here[int(part)]
        else:
            return _ABSENT
    return here


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _value(value: Any, put: Any, depth: int) -> None:
    """One value as one piece of bytes."""
    kind = type(value)
    if kind is str:
        data = _text(value)
        put(b"\x06" + _LENGTH(len(data)) + data)
    elif value is None:
        put(_NULL)
    elif kind is bool:
        put(_TRUE if value else _FALSE)
    elif kind is int:
        if -(1 << 63) <= value < 1 << 63:
            put(_INTEGER(3, value))
        elif 0 <= value < 1 << 64:
            put(_LARGE(4, value))
        else:
            put(_number(value))
    elif kind is float:
        put(_NUMBER(5, value) if math.isfinite(value) else _NULL)
    elif depth >= MAX_DEPTH:
        raise ContextError(f"the context is nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, Mapping):
        pairs = sorted(((_text(_key(key)), member) for key, member in value.items()), key=_name)
        entries = []
        for name, member in pairs:
            entry = [_LENGTH(len(name)), name]
            _value(member, entry.append, depth + 1)
            entries.append(b"".join(entry))
        put(b"\x08" + _sequence(entries))
    elif _is_list(value):
        elements: list[bytes] = []
        for element in value:
            _value(element, elements.append, depth + 1)
        put(b"\x07" + _sequence(elements))
    else:
        _value(_scalar(value), put, depth)


def _name(pair: tuple[bytes, Any]) -> bytes:
    return pair[0]


def _sequence(parts: list[bytes]) -> bytes:
    offsets, at = [_LENGTH(len(parts))], 0
    for part in parts:
        offsets.append(_LENGTH(at))
        at += len(part)
    return b"".join(offsets + parts)


def _number(value: int) -> bytes:
    try:
        return _NUMBER(5, float(value))
    except OverflowError:
        raise ContextError("the context has a number that is too large") from None


def _text(value: str) -> bytes:
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise ContextError("the context has a text that is not Unicode") from None


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    raise ContextError(f"the context has a name of type {type(key).__name__}; names are texts")


def _scalar(value: Any) -> Any:
    """Other scalars as the JSON value that stands for them."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    for kind in (bool, int, float, str):  # subclasses, such as enumerations
        if isinstance(value, kind):
            return kind(value.value) if hasattr(value, "value") and isinstance(value.value, kind) else kind(value)
    raise ContextError(f"the context has a value of type {type(value).__name__}, which has no JSON form")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value if type(value) in (bool, str, type(None)) else _scalar(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 64 else float(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(member) for key, member in value.items()}
    if _is_list(value):
        return [_plain(element) for element in value]
    return _scalar(value)
