"""Problems with a manifest, gathered so that all are told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from theater.errors import Problem
from theater.manifest.positions import Path, Positions


class Problems:
    """Gathers problems and warnings by the path of what they are about."""

    def __init__(self, positions: Positions | None = None) -> None:
        self._positions = positions
        self._found: list[Problem] = []
        self._warned: list[Problem] = []

    @property
    def found(self) -> tuple[Problem, ...]:
        """What makes the manifest unusable, in the text's order."""
        return tuple(sorted(self._found, key=lambda problem: (problem.line, problem.column)))

    @property
    def warned(self) -> tuple[Problem, ...]:
        """What is accepted but worth a word, in the text's order."""
        return tuple(sorted(self._warned, key=lambda problem: (problem.line, problem.column)))

    def add(self, path: Path, message: str, hint: str | None = None) -> None:
        """A problem with the key at the path."""
        self._found.append(Problem(*self.at(path), message, hint))

    def add_value(self, path: Path, message: str, hint: str | None = None) -> None:
        """A problem with the value at the path."""
        if self._positions is None:
            self.add(path, message, hint)
            return
        place = self._positions.place(path)
        self._found.append(Problem(place.value_line, place.value_column, message, hint))

    def warn(self, path: Path, message: str, hint: str | None = None) -> None:
        """Something accepted that its author should know about."""
        self._warned.append(Problem(*self.at(path), message, hint))

    def at(self, path: Path) -> tuple[int, int]:
        """Line and column of the key at the path; 1, 1 if there is no text."""
        if self._positions is None:
            return 1, 1
        place = self._positions.place(path)
        return place.line, place.column


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, as a hint, or None."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else None
