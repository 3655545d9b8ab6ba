"""Where each key and value of a TOML text stands.

`tomllib` gives values without positions; tree-sitter's grammar gives positions without values. The
two meet in paths: `("handler", 0, "config", "port")`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]

_LANGUAGE = Language(tree_sitter_toml.language())
_KEYS = ("bare_key", "quoted_key", "dotted_key")
_TRIVIA = ("comment", "[", "]", "[[", "]]", "{", "}", ",", "=")


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1, of a key and of its value, and the value's bytes."""

    line: int
    column: int
    value_line: int
    value_column: int
    start: int
    end: int


class Positions:
    """The places of a text's keys and values by path, and the places of its syntax errors."""

    def __init__(self, text: str) -> None:
        self._source = text.encode()
        self._lines = self._source.split(b"\n")
        self._places: dict[Path, Place] = {}
        self._counts: dict[Path, int] = {}
        # The grammar wants a line's end after every pair; a file may lack its last one.
        root = Parser(_LANGUAGE).parse(self._source + b"\n").root_node
        self.errors = tuple(self._errors(root))
        self._document(root)

    def place(self, path: Path) -> Place:
        """The place of a key or element; of the nearest table around it if it has none itself."""
        for length in range(len(path), 0, -1):
            found = self._places.get(path[:length])
            if found is not None:
                return found
        return Place(1, 1, 1, 1, 0, 0)

    def has(self, path: Path) -> bool:
        """Whether the very path has a place in the text."""
        return path in self._places

    def splice(self, values: dict[Path, str]) -> str:
        """The text with the values at these paths replaced by the given TOML."""
        source = self._source
        places = [(self._places[path], written) for path, written in values.items()]
        for place, written in sorted(places, key=lambda found: found[0].start, reverse=True):
            source = source[: place.start] + written.encode() + source[place.end :]
        return source.decode()

    def _point(self, node: Node) -> tuple[int, int]:
        row, column = node.start_point
        return row + 1, len(self._lines[row][:column].decode(errors="replace")) + 1

    def _errors(self, node: Node) -> Iterator[tuple[int, int]]:
        if node.is_error or node.is_missing:
            if node.start_point.row < len(self._lines):
                yield self._point(node)
        elif node.has_error:
            for child in node.children:
                yield from self._errors(child)

    def _document(self, root: Node) -> None:
        for node in root.children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type == "table":
                self._table(node, self._resolve(_parts(node), len(_parts(node))))
            elif node.type == "table_array_element":
                parts = _parts(node)
                around = self._resolve(parts, len(parts) - 1)
                path = (*around, *parts[len(parts) - 1 :])
                number = self._counts.get(path, 0)
                self._counts[path] = number + 1
                self._note(path, _key(node), node)
                self._table(node, (*path, number))

    def _resolve(self, parts: list[str], length: int) -> Path:
        """The path that a table's header means: below an array of tables, its last element."""
        path: Path = ()
        for part in parts[:length]:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _table(self, node: Node, path: Path) -> None:
        self._note(path, _key(node), node)
        for child in node.children:
            if child.type == "pair":
                self._pair(child, path)

    def _pair(self, node: Node, around: Path) -> None:
        named = [child for child in node.children if child.type not in _TRIVIA]
        if len(named) < 2 or node.has_error:
            return
        path = around
        for part in _parts(node):
            path = (*path, part)
            self._note(path, named[0], named[-1])
        self._value(named[-1], path)

    def _value(self, node: Node, path: Path) -> None:
        if node.type == "inline_table":
            for child in node.children:
                if child.type == "pair":
                    self._pair(child, path)
        elif node.type == "array":
            elements = [child for child in node.children if child.type not in _TRIVIA]
            for number, element in enumerate(elements):
                self._note((*path, number), element, element)
                self._value(element, (*path, number))

    def _note(self, path: Path, key: Node, value: Node) -> None:
        place = Place(*self._point(key), *self._point(value), value.start_byte, value.end_byte)
        self._places.setdefault(path, place)


def _key(node: Node) -> Node:
    """The key in a table's header."""
    return next((child for child in node.children if child.type in _KEYS), node)


def _parts(node: Node) -> list[str]:
    """The names in the key of a pair or of a table's header."""
    for child in node.children:
        if child.type == "dotted_key":
            return [name for part in _flat(child) for name in [_name(part)]]
        if child.type in _KEYS:
            return [_name(child)]
    return []


def _flat(node: Node) -> Iterator[Node]:
    for child in node.children:
        if child.type == "dotted_key":
            yield from _flat(child)
        elif child.type in _KEYS:
            yield child


def _name(node: Node) -> str:
    text = (node.text or b"").decode(errors="replace")
    if node.type == "bare_key":
        return text
    try:
        return next(iter(tomllib.loads(f"{text}=0")))
    except tomllib.TOMLDecodeError:
        return text
