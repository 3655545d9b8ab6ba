"""How the library is configured: the same in the process that compiles and the one that runs.

What a chain's reader must know to run it again is in `facts`; everything that an artifact depends
on is in `key`.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from importlib import metadata
from typing import Final

import wasmtime

from theater.engine.bridge import BRIDGE
from theater.errors import UsageError
from theater.limits import KIB, WASM_STACK_BYTES, WASM_STACK_BYTES_MAX

STACK_BYTES_MIN: Final = 64 * KIB

_REVISION: Final = 1
"""Counted up when `configuration` changes, so that older artifacts are not found."""


def library_version() -> str:
    """The installed version of the library."""
    return metadata.version("wasmtime")


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen: whether fuel is counted, how much stack a guest has, the byte bridge."""

    fuel: bool = False
    stack_bytes: int = WASM_STACK_BYTES
    bridge: bool = True

    def __post_init__(self) -> None:
        if not STACK_BYTES_MIN <= self.stack_bytes <= WASM_STACK_BYTES_MAX:
            raise UsageError(
                f"a guest's stack must have {STACK_BYTES_MIN} to {WASM_STACK_BYTES_MAX} bytes",
                code="engine.stack",
            )

    def configuration(self) -> wasmtime.Config:
        """The library's configuration: deterministic, interruptible, bounded."""
        config = wasmtime.Config()
        config.epoch_interruption = True
        config.consume_fuel = self.fuel
        config.cranelift_nan_canonicalization = True
        config.wasm_relaxed_simd_deterministic = True
        config.wasm_threads = False
        config.shared_memory = False
        config.wasm_stack_switching = False
        config.wasm_gc = False
        config.wasm_component_model = True
        config.max_wasm_stack = self.stack_bytes
        return config

    def facts(self) -> dict[str, object]:
        """The `engine` map of an `actor-start`."""
        return {
            "name": "wasmtime",
            "version": library_version(),
            "arch": platform.machine(),
            "bridge": BRIDGE if self.bridge else 0,
            "fuel": self.fuel,
            "stack": self.stack_bytes,
            "nan": "canonical",
            "threads": False,
            "relaxed_simd": "deterministic",
        }

    def key(self) -> str:
        """What tells artifacts of different configurations apart, in hex."""
        parts = (
            _REVISION,
            library_version(),
            platform.system(),
            platform.machine(),
            self.fuel,
            self.stack_bytes,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
