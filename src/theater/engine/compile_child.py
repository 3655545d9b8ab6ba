"""The process that compiles a component, because a hostile one may take all memory and time.

Run as `python -m theater.engine.compile_child FUEL STACK_BYTES MEMORY_BYTES SECONDS ARTIFACT`, with
the component on standard input. It bounds itself before it reads the first byte. Exit codes: 0, the
artifact is written; 3, the library refuses the component, and says why on standard output; 4, the
artifact can't be written, and why.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import Final

REFUSED: Final = 3
UNWRITTEN: Final = 4
_PR_SET_PDEATHSIG: Final = 1


def _bound(memory_bytes: int, seconds: int) -> None:
    # The compiler uses all processors; the time that passes is bounded by whoever waits.
    cpu_s = seconds * (os.cpu_count() or 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    if sys.platform == "linux":
        # Whoever asked may be killed; nobody would wait for this process then.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Compile standard input to a file; the exit code."""
    fuel, stack_bytes, memory_bytes, seconds, artifact = arguments
    _bound(int(memory_bytes), int(seconds))
    import wasmtime
    from wasmtime.component import Component as WasmComponent

    from theater.engine.settings import Settings

    settings = Settings(fuel=fuel == "1", stack_bytes=int(stack_bytes))
    engine = wasmtime.Engine(settings.configuration())
    wasm = sys.stdin.buffer.read()
    try:
        component = WasmComponent(engine, wasm)
    except wasmtime.WasmtimeError as error:
        sys.stdout.write(str(error))
        return REFUSED
    compiled = component.serialize()
    try:
        with open(artifact, "xb") as file:
            file.write(compiled)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        sys.stdout.write(error.strerror or str(error))
        return UNWRITTEN
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
