"""From a text to TOML's values, or to everything that keeps it from being TOML.

`tomllib` stops at the first thing that it doesn't understand. Most such things spoil one line, so
that line is taken out and the rest is read again. What could break the reader itself, by depth or
by the length of a number, is looked for before it runs.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Final

from theater.errors import Problem
from theater.limits import KIB, MANIFEST_DEPTH_MAX
from theater.manifest.positions import Positions

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER: Final = re.compile(r"\s*\[")
_AGAIN_CHARS_MAX: Final = 64 * KIB
_ERRORS_MAX: Final = 20
_DIGITS_MAX: Final = 4000
_DEFAULT_HINT: Final = "this is not TOML"

# Strings and comments are passed over whole, because brackets in them mean nothing.
_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*'
    r"|(?P<word>[A-Za-z0-9_+-]+)|(?P<mark>[\[\]{}.\n=,])",
    re.DOTALL,
)
_NUMBER: Final = re.compile(r"[+-]?[0-9_]+")

_HINTS: Final = (
    ("Cannot overwrite", "it is there twice: keep one of them"),
    ("Cannot declare", "it is there twice: keep one of them"),
    ("Duplicate", "it is there twice: keep one of them"),
    ("Cannot mutate", "an inline table is complete as it stands: write the key into its braces"),
    ("Unterminated", "close the quotes"),
    ("Unclosed", "close the bracket"),
    ("Invalid value", 'texts stand in quotes: key = "text"'),
    ("Illegal character", "remove it, or write it as an escape like \\u001B"),
    ("Found invalid character", "remove it; other quotes allow an escape like \\u001B"),
    ('Expected "', "close the quotes"),
    ("Unescaped", "double the backslash, or take single quotes"),
    ("Invalid statement", "a line is: key = value, [table], [[list]] or # comment"),
    ("Expected newline", "one key = value on a line"),
)


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: `values` is None if nothing of them can be relied on.

    With problems, `values` and `positions` are those of the text without the lines that are named.
    """

    values: dict[str, object] | None
    positions: Positions
    problems: tuple[Problem, ...]


def read(text: str) -> Read:
    """Read a text as TOML."""
    broken = _breaks_readers(text)
    if broken is not None:
        return Read(None, Positions(""), (broken,))
    lines = text.split("\n")
    problems: list[Problem] = []
    while True:
        left = "\n".join(lines) if problems else text
        try:
            values = tomllib.loads(left)
        except tomllib.TOMLDecodeError as error:
            problem = _problem(error, text, lines)
            problems.append(problem)
            if not _goes_on(problem, lines, len(problems), len(text)):
                return Read(None, Positions(""), tuple(problems))
            # Without its header what stands below would belong to the table before.
            header = _HEADER.match(lines[problem.line - 1]) is not None
            lines[problem.line - 1] = f"[''.{problem.line}]" if header else ""
            continue
        if "" in values:
            return Read(None, Positions(""), tuple(problems))
        return Read(values, Positions(left), tuple(problems))


def _problem(error: tomllib.TOMLDecodeError, text: str, lines: list[str]) -> Problem:
    told = str(error)
    message = _PLACE.sub("", told)
    hint = next((hint for start, hint in _HINTS if message.startswith(start)), _DEFAULT_HINT)
    place = _PLACE.search(told)
    if place is not None and place[1] is not None:
        line, column = int(place[1]), int(place[2])
        if message.startswith("Cannot"):
            # The reader has passed the key by then; its line is what matters.
            column = 1 + len(lines[line - 1]) - len(lines[line - 1].lstrip())
        return Problem(line, column, message, hint)
    # Something is open at the end: the grammar knows where it began.
    begun = Positions(text).errors
    line, column = begun[-1] if begun else (len(lines), len(lines[-1]) + 1)
    return Problem(line, column, message, hint)


def _goes_on(problem: Problem, lines: list[str], found: int, chars: int) -> bool:
    """Whether the line of a problem can be taken out without breaking what follows it."""
    line = lines[problem.line - 1]
    whole = line.count("[") + line.count("{") == line.count("]") + line.count("}")
    return (
        found < _ERRORS_MAX
        and chars <= _AGAIN_CHARS_MAX
        and not problem.message.startswith("Un")
        and bool(line)
        and (whole or _HEADER.match(line) is not None)
        and '"""' not in line
        and "'''" not in line
    )


def _breaks_readers(text: str) -> Problem | None:
    """The place where a text is nested too deeply or has a number too long, None if it has none."""
    depth = dots = 0
    for token in _TOKEN.finditer(text):
        mark = token["mark"]
        word = token["word"]
        if mark in ("[", "{"):
            depth, dots = depth + 1, 0
        elif mark in ("]", "}"):
            depth, dots = max(0, depth - 1), 0
        elif mark == ".":
            dots += 1
        elif mark is not None:
            dots = 0
        elif word is not None and len(word) > _DIGITS_MAX and _NUMBER.fullmatch(word):
            return _at(
                text, token.start(), f"a number of {len(word)} digits", "write a smaller one"
            )
        if depth > MANIFEST_DEPTH_MAX or dots >= MANIFEST_DEPTH_MAX:
            told = f"nested more than {MANIFEST_DEPTH_MAX} deep"
            return _at(text, token.start(), told, "put what is that deep into a file of its own")
    return None


def _at(text: str, index: int, message: str, hint: str) -> Problem:
    line_start = text.rfind("\n", 0, index) + 1
    return Problem(text.count("\n", 0, index) + 1, index - line_start + 1, message, hint)
