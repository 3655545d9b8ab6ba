"""WebAssembly text to binary, for guests that are written by hand."""

from __future__ import annotations

import wasmtime

from theater.errors import ComponentError


def wat(text: str) -> bytes:
    """The binary of a component or module in text form. ComponentError says where it is wrong."""
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise ComponentError(str(error), code="component.text") from None
