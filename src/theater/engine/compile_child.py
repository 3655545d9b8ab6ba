"""The process that compiles a component, because a hostile one may take all memory and time.

Run as `python -m theater.engine.compile_child FUEL STACK_BYTES ARTIFACT`, with the component on
standard input. It bounds itself before it reads the first byte. Exit codes: 0, the artifact is
written; 3, the library refuses the component, and says why on standard output.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

REFUSED: Final = 3


def _bound() -> None:
    from theater.limits import COMPILE_MEMORY_BYTES_MAX, COMPILE_SECONDS_MAX

    cpu_s = COMPILE_SECONDS_MAX * (os.cpu_count() or 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (COMPILE_MEMORY_BYTES_MAX, COMPILE_MEMORY_BYTES_MAX))


def main(arguments: list[str]) -> int:
    """Compile standard input to a file; the exit code."""
    _bound()
    import wasmtime
    from wasmtime.component import Component as WasmComponent

    from theater.engine.settings import Settings

    fuel, stack_bytes, artifact = arguments
    settings = Settings(fuel=fuel == "1", stack_bytes=int(stack_bytes))
    engine = wasmtime.Engine(settings.configuration())
    wasm = sys.stdin.buffer.read()
    try:
        component = WasmComponent(engine, wasm)
    except wasmtime.WasmtimeError as error:
        sys.stdout.write(str(error))
        return REFUSED
    with open(artifact, "xb") as file:
        file.write(component.serialize())
        file.flush()
        os.fsync(file.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
