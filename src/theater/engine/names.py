"""How functions and interfaces of a component are called in a chain.

`wasi:io/streams@0.2.3` and `@0.2.8` are one interface to whoever reads a recording, so the patch
version is dropped; `ntwk:theater` is the older name of `theater:simple`; a world-level function
belongs to `$root`.
"""

from __future__ import annotations

import re
from typing import Final

ROOT: Final = "$root"

_VERSION = re.compile(r"@(\d+)\.(\d+)\.\d+[0-9A-Za-z.+-]*$")


def recorded_interface(name: str) -> str:
    """The recorded name of an interface that a component imports or exports as `name`."""
    if name.startswith("ntwk:theater/"):
        name = "theater:simple/" + name.removeprefix("ntwk:theater/")
    name = _VERSION.sub(r"@\1.\2", name)
    # Theater's own interface has no version in its recorded name, whatever a toolchain wrote.
    return name.split("@")[0] if name.startswith("theater:simple/") else name


def recorded_name(interface: str, function: str) -> str:
    """The recorded name of a function; `interface` is the recorded one."""
    return f"{interface}/{function}"
