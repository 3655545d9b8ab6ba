"""Reading a TOML table by typed questions, with every wrong answer noted instead of raised.

Whoever reads a table asks for each key it knows and then calls `finish`, which notes the keys that
nobody asked for together with the nearest known one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from theater.limits import GIB, KIB, MIB
from theater.manifest.positions import Path
from theater.manifest.problems import Problems

_SIZE: Final = re.compile(r"(\d{1,15})\s*(B|KiB|MiB|GiB)?")
_KEYS_TOLD_MAX: Final = 12
_UNITS: Final = {None: 1, "B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}


@dataclass(frozen=True, slots=True)
class Found:
    """A value and the spelling under which it was found."""

    value: object
    path: Path


class Table:
    """One table of a manifest, or of nothing but values when there is no text."""

    def __init__(
        self, values: Mapping[str, object], path: Path = (), problems: Problems | None = None
    ) -> None:
        self.values = values
        self.path = path
        self.problems = Problems() if problems is None else problems
        self._known: list[str] = []

    def take(self, *spellings: str) -> Found | None:
        """The value under the first of these spellings that is there; two at once are a problem."""
        self._known.extend(spellings)
        present = [name for name in spellings if name in self.values]
        for other in present[1:]:
            self.problems.add(
                (*self.path, other), f"{other} and {present[0]} mean the same", "keep one of them"
            )
        if not present:
            return None
        return Found(self.values[present[0]], (*self.path, present[0]))

    def text(self, *spellings: str, check: Callable[[str], str | None] | None = None) -> str | None:
        """A string, or None if it isn't there. `check` returns what is wrong with it."""
        found = self.take(*spellings)
        if found is None:
            return None
        if not isinstance(found.value, str):
            self._wrong(found, "a string")
            return None
        wrong = check(found.value) if check else None
        if wrong is not None:
            self.problems.add_value(found.path, wrong)
            return None
        return found.value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found.value, bool):
            self._wrong(found, "true or false")
            return default
        return found.value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """An integer within bounds, both included."""
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found.value, int) or isinstance(found.value, bool):
            self._wrong(found, "an integer")
            return default
        return self._bounded(found, found.value, low, high, default)

    def size(self, name: str, default: int, low: int, high: int) -> int:
        """A number of bytes: an integer, or a string like "64MiB"."""
        found = self.take(name)
        if found is None:
            return default
        value = found.value
        if isinstance(value, str):
            size = parse_size(value)
            if size is None:
                self.problems.add_value(
                    found.path,
                    f"{value!r} is not a size",
                    'write bytes as 65536, "64KiB" or "1GiB"',
                )
                return default
            value = size
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong(found, 'a size like "64MiB"')
            return default
        return self._bounded(found, value, low, high, default)

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of a few words."""
        found = self.take(name)
        if found is None:
            return default
        if found.value not in choices:
            spelled = ", ".join(choices)
            hint = (
                self.problems.nearest(found.value, choices)
                if isinstance(found.value, str)
                else None
            )
            self.problems.add_value(found.path, f"{name} must be one of: {spelled}", hint)
            return default
        return str(found.value)

    def strings(
        self, *spellings: str, check: Callable[[str], str | None] | None = None
    ) -> tuple[str, ...] | None:
        """A list of strings (one string counts as a list of it), or None if it isn't there."""
        found = self.take(*spellings)
        if found is None:
            return None
        single = isinstance(found.value, str)
        values = [found.value] if single else found.value
        if not isinstance(values, list):
            self._wrong(found, "a list of strings")
            return None
        read: list[str] = []
        for number, value in enumerate(values):
            path = found.path if single else (*found.path, number)
            if not isinstance(value, str):
                self.problems.add_value(path, f"{spellings[0]} must be a list of strings")
                continue
            wrong = check(value) if check else None
            if wrong is None:
                read.append(value)
            else:
                self.problems.add_value(path, wrong)
        return tuple(read)

    def table(self, *spellings: str) -> Table | None:
        """A table below this one, or None if it isn't there."""
        found = self.take(*spellings)
        if found is None:
            return None
        if not isinstance(found.value, dict):
            self._wrong(found, "a table")
            return None
        return Table(found.value, found.path, self.problems)

    def tables(self, *spellings: str) -> tuple[Table, ...]:
        """Every table in the arrays of tables of these spellings."""
        self._known.extend(spellings)
        tables: list[Table] = []
        for name in spellings:
            values = self.values.get(name, [])
            if isinstance(values, dict):
                self.problems.add((*self.path, name), f"{name} is a list: write [[{name}]]")
                continue
            if not isinstance(values, list):
                self._wrong(Found(values, (*self.path, name)), "a list of tables")
                continue
            for number, value in enumerate(values):
                path = (*self.path, name, number)
                if isinstance(value, dict):
                    tables.append(Table(value, path, self.problems))
                else:
                    self._wrong(Found(value, path), "a table")
        return tuple(tables)

    def ignore(self, *names: str) -> None:
        """Keys that are known but read elsewhere, or not at all."""
        self._known.extend(names)

    def finish(self) -> None:
        """Note every key that was not asked for."""
        for name in self.values:
            if name not in self._known:
                hint = self.problems.nearest(name, self._known)
                self.problems.add(
                    (*self.path, name), f"unknown key {name}", hint or self._known_keys()
                )

    def _known_keys(self) -> str | None:
        """The keys that there are, where they are few enough to be read."""
        return f"known: {', '.join(self._known)}" if len(self._known) <= _KEYS_TOLD_MAX else None

    def _bounded(self, found: Found, value: int, low: int, high: int, default: int) -> int:
        if low <= value <= high:
            return value
        name = found.path[-1]
        given = f", not {value}" if abs(value) < 1 << 64 else ""
        self.problems.add_value(found.path, f"{name} must be between {low} and {high}{given}")
        return default

    def _wrong(self, found: Found, expected: str) -> None:
        name = next((part for part in reversed(found.path) if isinstance(part, str)), "value")
        self.problems.add_value(found.path, f"{name} must be {expected}")


def parse_size(text: str) -> int | None:
    """Bytes of a size like "64MiB", None if it is not one. Units: B, KiB, MiB, GiB."""
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    return int(match[1]) * _UNITS[match[2]]
