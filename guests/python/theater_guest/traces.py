"""Exceptions as people should see them: the user's frames, and one line for the caller.

The files of an actor are not there at run time, so their lines are kept in `linecache` when the
component is built.
"""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from types import TracebackType

PACKAGE = __name__.partition(".")[0]
TEXT_CHARS_MAX = 3_500
"""The host cuts log lines at 4,000 bytes; the end of a traceback is the part that tells."""


ENTRY = "theater_entry"
"""The module that the build generates; it only binds."""

_STAGED = re.compile(r"/\d+/")
"""Where the build puts a project's folders."""

_IN_FRAME = re.compile(r'File "/\d+/')


def line(error: BaseException) -> str:
    """`ValueError: what it says`, for whoever called."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text(error: BaseException) -> str:
    """The traceback from the first frame of the user's code on; one line if there is none."""
    frames = _users(error.__traceback__)
    if frames is None:
        return line(error)
    whole = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
    whole = _IN_FRAME.sub('File "', whole)
    return whole if len(whole) <= TEXT_CHARS_MAX else "… " + whole[-TEXT_CHARS_MAX:]


def _users(frames: TracebackType | None) -> TracebackType | None:
    first = frames
    while first is not None:
        module = str(first.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in (PACKAGE, ENTRY):
            return first
        first = first.tb_next
    return None


def keep_sources() -> None:
    """Keep the source lines of the loaded modules of the project for tracebacks at run time."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        ours = module.__name__.partition(".")[0] in (PACKAGE, ENTRY)
        if isinstance(path, str) and _STAGED.match(path) and not ours:
            lines = linecache.getlines(path)
            linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


def warm() -> None:
    """Format one exception of each kind whose formatting imports something on the way."""
    for source in ("missing_name", "[].missing", "import theater_guest.missing", "1 / 0", "("):
        try:
            exec(source, {})  # noqa: S102 - constants; only to have everything loaded
        except Exception as error:  # noqa: BLE001
            text(error)
