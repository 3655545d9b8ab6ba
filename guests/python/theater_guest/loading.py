"""What must be loaded when the component is built, because nothing can be loaded afterwards."""

from __future__ import annotations

import encodings.ascii
import encodings.idna
import encodings.latin_1
import encodings.punycode
import encodings.utf_16  # noqa: F401 - codecs are loaded when they are first named
import importlib
import sys
from collections.abc import Sequence

importlib.import_module("_strptime")  # datetime.strptime loads it at its first call

LateImport = tuple[str, int, str, str]
"""The module that has the import in a function, its line, and what it imports: module, name."""


def check(late: Sequence[LateImport]) -> None:
    """Raise ImportError for imports in functions whose modules are not loaded."""
    missing = [
        f"{sys.modules[where].__file__}:{line}: "
        + (f"from {module} import {name}" if name else f"import {module}")
        for where, line, module, name in late
        if where in sys.modules and not _loaded(module, name)
    ]
    if missing:
        raise ImportError(
            "an import in a function fails at run time, since a component has no files to import "
            "from; move to the top of the module:\n" + "\n".join(missing)
        )


def _loaded(module: str, name: str) -> bool:
    if module not in sys.modules:
        return False
    return not name or hasattr(sys.modules[module], name) or f"{module}.{name}" in sys.modules
