"""The wasmtime library as plain addresses: C functions on integers, and memory to read and write.

The binding in the wheel brings the library and its prototypes; its own conversion is too slow and
keeps its exceptions in globals. Here every pointer is an int. `BYTES`, `WORDS` … are views of the
whole address space, so that reading a word of a C structure is one index operation (0.1 µs) and
copying bytes is a slice, which ctypes' own accessors take ten times as long for.

Functions that return at once keep the interpreter's lock (`PyDLL`); those that enter a guest or
compile give it up (`CDLL`).
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_char_p, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Final

from wasmtime import _ffi

_KEEPING = ctypes.PyDLL(str(_ffi.filename))
_RELEASING = ctypes.CDLL(str(_ffi.filename))


def _function(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = library[name]
    function.restype = result
    function.argtypes = arguments
    return function


_SPACE = (ctypes.c_ubyte * (1 << 47)).from_address(0)
BYTES: Final = memoryview(_SPACE).cast("B")
"""Index: address."""
WORDS: Final = BYTES.cast("Q")
"""Index: address / 8. Unsigned; so are the next, by their size and sign."""
SIGNED: Final = BYTES.cast("q")
HALVES: Final = BYTES.cast("I")
"""Index: address / 4."""
DOUBLES: Final = BYTES.cast("d")
SINGLES: Final = BYTES.cast("f")
"""Index: address / 4."""

VAL_BYTES: Final = 32
"""A `wasmtime_component_val_t`: kind (one byte) at 0, what it holds at 8."""
ENTRY_BYTES: Final = 48
"""A record's field: its name (size, data) at 0, its value at 16."""

KIND_BOOL: Final = 0
KIND_S8: Final = 1
KIND_U8: Final = 2
KIND_S16: Final = 3
KIND_U16: Final = 4
KIND_S32: Final = 5
KIND_U32: Final = 6
KIND_S64: Final = 7
KIND_U64: Final = 8
KIND_F32: Final = 9
KIND_F64: Final = 10
KIND_CHAR: Final = 11
KIND_STRING: Final = 12
KIND_LIST: Final = 13
KIND_RECORD: Final = 14
KIND_TUPLE: Final = 15
KIND_VARIANT: Final = 16
KIND_ENUM: Final = 17
KIND_OPTION: Final = 18
KIND_RESULT: Final = 19
KIND_FLAGS: Final = 20
KIND_RESOURCE: Final = 21

HOST_CALL = ctypes.CFUNCTYPE(
    c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t
)
"""(data, context, type, arguments, how many, results, how many) -> error or NULL."""
RESOURCE_DROP = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_uint32)
"""(data, context, number) -> error or NULL."""
EPOCH = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
"""(context, data, where to write the ticks, where to write the kind) -> error or NULL."""

_P = c_void_p

# Values. `new_*` take the address where (size, data) is to be written.
new_string = _function(_KEEPING, "wasm_byte_vec_new", None, _P, c_size_t, c_char_p)
new_list = _function(_KEEPING, "wasmtime_component_vallist_new_uninit", None, _P, c_size_t)
new_record = _function(_KEEPING, "wasmtime_component_valrecord_new_uninit", None, _P, c_size_t)
new_tuple = _function(_KEEPING, "wasmtime_component_valtuple_new_uninit", None, _P, c_size_t)
new_flags = _function(_KEEPING, "wasmtime_component_valflags_new_uninit", None, _P, c_size_t)
new_value = _function(_KEEPING, "wasmtime_component_val_new", _P, _P)
delete_value = _function(_KEEPING, "wasmtime_component_val_delete", None, _P)
delete_string = _function(_KEEPING, "wasm_byte_vec_delete", None, _P)

# Errors
new_error = _function(_KEEPING, "wasmtime_error_new", _P, c_char_p)
delete_error = _function(_KEEPING, "wasmtime_error_delete", None, _P)
_error_message = _function(_KEEPING, "wasmtime_error_message", None, _P, _P)

# Resources
host_resource = _function(
    _KEEPING, "wasmtime_component_resource_host_new", _P, c_bool, c_uint32, c_uint32
)
host_resource_number = _function(_KEEPING, "wasmtime_component_resource_host_rep", c_uint32, _P)
delete_host_resource = _function(_KEEPING, "wasmtime_component_resource_host_delete", None, _P)
resource_from_host = _function(_KEEPING, "wasmtime_component_resource_host_to_any", _P, _P, _P, _P)
resource_to_host = _function(_KEEPING, "wasmtime_component_resource_any_to_host", _P, _P, _P, _P)

# Stores
new_store = _function(_KEEPING, "wasmtime_store_new", _P, _P, _P, _P)
store_context = _function(_KEEPING, "wasmtime_store_context", _P, _P)
delete_store = _function(_RELEASING, "wasmtime_store_delete", None, _P)
limit_store = _function(
    _KEEPING, "wasmtime_store_limiter", None, _P, c_int64, c_int64, c_int64, c_int64, c_int64
)
set_epoch_deadline = _function(_KEEPING, "wasmtime_context_set_epoch_deadline", None, _P, c_uint64)
set_epoch_callback = _function(
    _KEEPING, "wasmtime_store_epoch_deadline_callback", None, _P, EPOCH, _P, _P
)
set_fuel = _function(_KEEPING, "wasmtime_context_set_fuel", _P, _P, c_uint64)
increment_epoch = _function(_KEEPING, "wasmtime_engine_increment_epoch", None, _P)

# Components and linkers
delete_component = _function(_RELEASING, "wasmtime_component_delete", None, _P)
export_index = _function(
    _KEEPING, "wasmtime_component_get_export_index", _P, _P, _P, c_char_p, c_size_t
)
delete_export_index = _function(_KEEPING, "wasmtime_component_export_index_delete", None, _P)
new_linker = _function(_KEEPING, "wasmtime_component_linker_new", _P, _P)
delete_linker = _function(_KEEPING, "wasmtime_component_linker_delete", None, _P)
linker_root = _function(_KEEPING, "wasmtime_component_linker_root", _P, _P)
linker_instance = _function(
    _KEEPING, "wasmtime_component_linker_instance_add_instance", _P, _P, c_char_p, c_size_t, _P
)
delete_linker_instance = _function(_KEEPING, "wasmtime_component_linker_instance_delete", None, _P)
link_function = _function(
    _KEEPING,
    "wasmtime_component_linker_instance_add_func",
    _P, _P, c_char_p, c_size_t, HOST_CALL, _P, _P,
)  # fmt: skip
link_resource = _function(
    _KEEPING,
    "wasmtime_component_linker_instance_add_resource",
    _P, _P, c_char_p, c_size_t, _P, RESOURCE_DROP, _P, _P,
)  # fmt: skip
instantiate = _function(_RELEASING, "wasmtime_component_linker_instantiate", _P, _P, _P, _P, _P)
get_function = _function(_KEEPING, "wasmtime_component_instance_get_func", c_bool, _P, _P, _P, _P)
call_function = _function(
    _RELEASING, "wasmtime_component_func_call", _P, _P, _P, _P, c_size_t, _P, c_size_t
)

FUNCTION_BYTES: Final = ctypes.sizeof(_ffi.wasmtime_component_func_t)
INSTANCE_BYTES: Final = ctypes.sizeof(_ffi.wasmtime_component_instance_t)


def _check_layout() -> None:
    """Refuse a library whose values lie differently in memory from what this package reads."""
    binding: Any = _ffi
    value = binding.wasmtime_component_val_t
    entry = binding.wasmtime_component_valrecord_entry
    found = (
        ctypes.sizeof(value),
        value.of.offset,
        ctypes.sizeof(entry),
        entry.val.offset,
        binding.wasmtime_component_vallist.data.offset,
        binding.wasmtime_component_valvariant.val.offset,
        binding.wasmtime_component_valresult.val.offset,
        binding.WASMTIME_COMPONENT_BOOL.value,
        binding.WASMTIME_COMPONENT_U8.value,
        binding.WASMTIME_COMPONENT_STRING.value,
        binding.WASMTIME_COMPONENT_RESOURCE.value,
    )
    kinds = (KIND_BOOL, KIND_U8, KIND_STRING, KIND_RESOURCE)
    if found != (VAL_BYTES, 8, ENTRY_BYTES, 16, 8, 16, 8, *kinds):
        raise ImportError(
            "this version of wasmtime lays its values out differently; "
            "install one that Theater's dependencies allow"
        )


_check_layout()


class LibraryError(Exception):
    """The library refused something that it is never asked to do wrong."""


class Buffer:
    """Zeroed memory that Python owns, at `address`, as long as this object lives."""

    __slots__ = ("_memory", "address")

    def __init__(self, size: int) -> None:
        # Words, so that it is aligned.
        self._memory = (c_uint64 * ((size + 7) // 8))()
        self.address = ctypes.addressof(self._memory)


def address_of(pointer: Any) -> int:
    """The address that a pointer of the binding holds."""
    address = ctypes.cast(pointer, c_void_p).value
    assert address is not None
    return address


def take_text(error: int) -> str:
    """The text of an error, which is deleted."""
    vector = Buffer(16)
    _error_message(error, vector.address)
    word = vector.address >> 3
    size, data = WORDS[word], WORDS[word + 1]
    text = str(BYTES[data : data + size], "utf-8", "replace")
    delete_string(vector.address)
    delete_error(error)
    return text
