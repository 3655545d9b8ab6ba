"""Problems with a manifest, gathered so that all are told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from theater.errors import Problem
from theater.limits import MANIFEST_PROBLEMS_MAX
from theater.manifest.positions import Path, Positions

_TOLD_CHARS_MAX: Final = 300
_NAME_CHARS_MAX: Final = 64


class Problems:
    """Gathers problems and warnings by the path of what they are about, up to a bound.

    `partial` says that some lines were not read, so that what is missing may stand in one of them.
    """

    def __init__(
        self,
        positions: Positions | None = None,
        known: Iterable[Problem] = (),
    ) -> None:
        self._positions = positions
        self._found: list[Problem] = list(known)
        self._warned: list[Problem] = []
        self.partial = bool(self._found)
        self.more = 0

    @property
    def found(self) -> tuple[Problem, ...]:
        """What makes the manifest unusable, in the text's order; `more` of them are left off."""
        return tuple(sorted(self._found, key=lambda problem: (problem.line, problem.column)))

    @property
    def warned(self) -> tuple[Problem, ...]:
        """What is accepted but worth a word, in the text's order."""
        return tuple(sorted(self._warned, key=lambda problem: (problem.line, problem.column)))

    def add(self, path: Path, message: str, hint: str | None = None) -> None:
        """A problem with the key at the path."""
        self._note(self._found, self.at(path), message, hint)

    def add_value(self, path: Path, message: str, hint: str | None = None) -> None:
        """A problem with the value at the path."""
        if self._positions is None:
            self.add(path, message, hint)
            return
        place = self._positions.place(path)
        self._note(self._found, (place.value_line, place.value_column), message, hint)

    def warn(self, path: Path, message: str, hint: str | None = None) -> None:
        """Something accepted that its author should know about."""
        self._note(self._warned, self.at(path), message, hint)

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column of the key at the path; 1, 1 if there is no text."""
        if self._positions is None:
            return 1, 1
        place = self._positions.place(path)
        return place.line, place.column

    def nearest(self, name: str, known: Iterable[str]) -> str | None:
        """The known name that `name` was probably meant to be, as a hint, or None.

        Not looked for any more once no problem would be told, because it costs most of the time.
        """
        if len(self._found) >= MANIFEST_PROBLEMS_MAX or len(name) > _NAME_CHARS_MAX:
            return None
        names = list(known)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        close = close or difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
        return f"did you mean {close[0]}?" if close else None

    def _note(
        self, noted: list[Problem], at: tuple[int, int], message: str, hint: str | None
    ) -> None:
        if len(noted) < MANIFEST_PROBLEMS_MAX:
            noted.append(Problem(*at, _told(message), None if hint is None else _told(hint)))
        elif noted is self._found:
            self.more += 1


def _told(text: str) -> str:
    """The text short and without what could move a terminal's cursor: it quotes the manifest."""
    clipped = text if len(text) <= _TOLD_CHARS_MAX else text[: _TOLD_CHARS_MAX - 1] + "…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in clipped)
