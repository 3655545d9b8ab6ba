"""Exit codes, and which error means which."""

from __future__ import annotations

from typing import Final

from theater.errors import (
    BuildError,
    ComponentError,
    Denied,
    ManifestError,
    NotFound,
    TheaterError,
    TooLarge,
    UsageError,
)

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
UNREACHABLE: Final = 4
INTERRUPTED: Final = 130


def exit_code(error: TheaterError) -> int:
    """Return the exit code of an error. What is wrong with a file is a failure, not a usage."""
    match error:
        case ManifestError() | ComponentError() | BuildError() | TooLarge() | Denied():
            return FAILED
        case UsageError():
            return USAGE
        case NotFound():
            return NOT_FOUND
        case TheaterError(code="server.unreachable"):
            return UNREACHABLE
        case _:
            return FAILED
