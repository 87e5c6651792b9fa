"""Calling a core module's functions, and its memory.

wasmtime's `Func.__call__` asks for the function's type and makes objects of every value, at each call: ten times the cost of
the call itself. The functions here have known types, which are compared once a module; so they are called by the C function
for exactly that (`wasmtime_func_call_unchecked`), where this wasmtime has it under the name we know. Otherwise, and with
`FLAGSTONE_CALLS=checked`, calls go through `Func`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import wasmtime

from ._errors import EngineTrap, FlagstoneError

#: Parameters and results of a function: `i` for 32 bits, `l` for 64.
Signature = tuple[str, str]
Function = Callable[..., int]


class Calls(Protocol):
    """One instance's functions by name, and its memory. Not for two threads at once."""

    @property
    def functions(self) -> Mapping[str, Function]:
        """By the name of the export."""

    def read(self, at: int, length: int) -> bytes:
        """Bytes of the memory."""

    def write(self, at: int, data: bytes) -> None:
        """Puts bytes into the memory."""

    def size(self) -> int:
        """Bytes of the memory."""


def check(module: wasmtime.Module, expected: Mapping[str, Signature]) -> None:
    """Raises FlagstoneError unless the module imports nothing and has these functions with these types."""
    if module.imports:
        raise FlagstoneError("bad-component", "the engine imports something; it must import nothing")
    letters = {"i32": "i", "i64": "l"}
    found: dict[str, Signature] = {}
    for export in module.exports:
        kind = export.type
        if isinstance(kind, wasmtime.FuncType):
            sides = [[letters.get(str(one), "?") for one in side] for side in (kind.params, kind.results)]
            found[export.name] = ("".join(sides[0]), "".join(sides[1]))
    for name, signature in expected.items():
        if found.get(name) != signature:
            raise FlagstoneError("bad-component", f"the engine's `{name}` is {found.get(name)}, not {signature}")


def instantiate(
    store: wasmtime.Store, module: wasmtime.Module, expected: Mapping[str, Signature]
) -> Calls:
    """A new instance of a module that `check` has passed. Raises EngineTrap when the store's limits do not let it be."""
    try:
        exports = wasmtime.Instance(store, module, []).exports(store)
    except (wasmtime.Trap, wasmtime.WasmtimeError) as problem:
        raise EngineTrap(str(problem)) from None
    functions: dict[str, wasmtime.Func] = {}
    for name in expected:
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        functions[name] = function
    memory = exports["memory"]
    assert isinstance(memory, wasmtime.Memory)
    if os.environ.get("FLAGSTONE_CALLS") != "checked" and direct_is_there():
        return _Direct(store, functions, memory, expected)
    return _Checked(store, functions, memory)


def direct_is_there() -> bool:
    """Whether this wasmtime has what direct calls need."""
    try:
        from wasmtime import _ffi as ffi
    except ImportError:
        return False
    names = ("wasmtime_func_call_unchecked", "wasmtime_val_raw_t", "wasmtime_memory_data", "wasmtime_memory_data_size")
    return all(hasattr(ffi, name) for name in names)


class _Checked:
    """Through wasmtime's documented classes."""

    def __init__(
        self, store: wasmtime.Store, functions: Mapping[str, wasmtime.Func], memory: wasmtime.Memory
    ) -> None:
        self._store, self._memory = store, memory
        self.functions = {name: self._function(function) for name, function in functions.items()}

    def _function(self, function: wasmtime.Func) -> Function:
        def call(*values: int) -> int:
            try:
                return int(function(self._store, *values) or 0)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as problem:
                raise EngineTrap(str(problem)) from None

        return call

    def read(self, at: int, length: int) -> bytes:
        return bytes(self._memory.read(self._store, at & 0xFFFFFFFF, (at & 0xFFFFFFFF) + length))

    def write(self, at: int, data: bytes) -> None:
        self._memory.write(self._store, bytearray(data), at & 0xFFFFFFFF)

    def size(self) -> int:
        return self._memory.data_len(self._store)


class _Direct:
    """Through the C functions of wasmtime that its classes are made of."""

    def __init__(
        self,
        store: wasmtime.Store,
        functions: Mapping[str, wasmtime.Func],
        memory: wasmtime.Memory,
        expected: Mapping[str, Signature],
    ) -> None:
        from wasmtime import _ffi as ffi

        self._ffi: Any = ffi
        self._kept = (store, functions, memory)  # what the pointers below point into
        self._context = store._context()
        self._memory = ctypes.byref(memory._memory)
        # One room for arguments and results serves all functions: there is one call at a time.
        self._room = (self._ffi.wasmtime_val_raw_t * 16)()
        self.functions = {name: self._function(functions[name], *expected[name]) for name in expected}

    def _function(self, function: wasmtime.Func, parameters: str, results: str) -> Function:
        ffi, room, context = self._ffi, self._room, self._context
        invoke, target, size = ffi.wasmtime_func_call_unchecked, ctypes.byref(function._func), len(room)
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        trapped = ctypes.byref(trap)
        slots = [(room[index], letter == "l") for index, letter in enumerate(parameters)]
        first, wide, none = room[0], results == "l", results == ""

        def call(*values: int) -> int:
            for (slot, long), value in zip(slots, values):
                if long:
                    slot.i64 = value
                else:
                    slot.i32 = value
            error = invoke(context, target, room, size, trapped)
            if error or trap:
                raise self._failed(error, trap)
            if wide:
                return int(first.i64)
            return 0 if none else int(first.i32) & 0xFFFFFFFF

        return call

    def _failed(self, error: Any, trap: Any) -> EngineTrap:
        if error:
            return EngineTrap(str(wasmtime.WasmtimeError._from_ptr(error)))
        message = str(wasmtime.Trap._from_ptr(ctypes.POINTER(self._ffi.wasm_trap_t)(trap.contents)))
        ctypes.memset(ctypes.byref(trap), 0, ctypes.sizeof(trap))  # owned by the message's object now
        return EngineTrap(message)

    def _place(self, at: int, length: int) -> int:
        at &= 0xFFFFFFFF
        if at + length > self.size():
            raise EngineTrap("it named bytes outside its memory")
        base = self._ffi.wasmtime_memory_data(self._context, self._memory)
        return ctypes.addressof(base.contents) + at

    def read(self, at: int, length: int) -> bytes:
        return ctypes.string_at(self._place(at, length), length)

    def write(self, at: int, data: bytes) -> None:
        ctypes.memmove(self._place(at, len(data)), data, len(data))

    def size(self) -> int:
        return int(self._ffi.wasmtime_memory_data_size(self._context, self._memory))
