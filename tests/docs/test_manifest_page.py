"""The page of manifests has every key that the parser asks for, and no other, with types, defaults and bounds.

The parser is given a manifest of mappings that note which keys it looks for, so nothing is listed here
a second time. What the page says of a key is then tried: it is written into a manifest and parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from theater.errors import ManifestError
from theater.handlers.grant_types import GRANT_TYPES
from theater.limits import (
    CHAIN_DIR_CHARS_MAX,
    MANIFEST_BYTES_MAX,
    MANIFEST_DEPTH_MAX,
    MIB,
    NAME_CHARS_MAX,
)
from theater.manifest import Manifest, parse
from theater.manifest.parse import KNOWN_TYPES, _manifest
from theater.manifest.table import Table, parse_size

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "manifest.md").read_text()
HEAD: Final = "| key | type | default | bounds | meaning |"
RANGE: Final = re.compile(r"([\d,]+(?: [KMG]iB)?) to ([\d,]+(?: [KMG]iB)?)")
WRONG: Final = {
    "text": "1",
    "text or table": "1",
    "integer": '"1"',
    "size": '"1 foot"',
    "yes or no": '"yes"',
    "one of these": '"none of them"',
    "list of texts": "[1]",
    "table": "1",
    "list of tables": "1",
}
"""For each type on the page a value that is not of it."""

SECTIONS: Final = {
    "The actor": "{}",
    "`[limits]`": "[limits]\n{}",
    "`[supervision]`": "[supervision]\n{}",
    "`[interface]`": "[interface]\n{}",
    "`[[handler]]`": '[[handler]]\ntype = "context"\n{}',
    "`[permission_policy.TYPE]`": "[permission_policy.store]\n{}",
} | {f"`{name}`": f'[[handler]]\ntype = "{name}"\n{{}}' for name in GRANT_TYPES}
"""Where the keys of each heading stand in a manifest."""


class Asked(dict[str, object]):
    """A table that notes what is looked for in it."""

    def __init__(self, values: dict[str, object] | None = None) -> None:
        super().__init__(values or {})
        self.names: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: object = None) -> object:
        self.names.add(name)
        return super().get(name, default)


@dataclass(frozen=True, slots=True)
class Row:
    """What the page says of a key."""

    section: str
    names: tuple[str, ...]
    type: str
    default: str
    bounds: str

    def text(self, name: str, literal: str) -> str:
        """A manifest that has the key with this value, and otherwise as little as can be."""
        body = SECTIONS[self.section].format(f"{name} = {literal}")
        if self.section == "`[[handler]]`" and name == "type":
            body = f"[[handler]]\ntype = {literal}"
        needed = {"name": 'name = "a"', "component": 'component = "a.wasm"'}
        if self.section == "The actor":
            needed = {key: line for key, line in needed.items() if key not in self.names}
        return "\n".join([*needed.values(), body])

    def span(self) -> str | None:
        """The default as TOML, None if there is none."""
        found = re.fullmatch(r"`(.+)`", self.default)
        return found[1] if found else None


def rows() -> list[Row]:
    found = []
    heading = ""
    keys = False
    for line in PAGE.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        keys = line == HEAD or (keys and line.startswith("|"))
        if keys and line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            names = tuple(re.findall(r"`([^`]+)`", cells[0]))
            found.append(Row(heading, names, cells[1], cells[2], cells[3]))
    return found


ROWS: Final = rows()


def asked() -> dict[str, set[str]]:
    """Which keys the parser looks for, by the headings of the page."""
    settings = {name: Asked() for name in GRANT_TYPES}
    entries = [Asked({"type": name, "config": settings[name]}) for name in GRANT_TYPES]
    policy = Asked({"type": "restrict"})
    tables = {name: Asked() for name in ("limits", "supervision", "interface")}
    policies = {"store": policy}
    root = Asked(
        {"name": "a", "component": "a", "handler": entries, "permission_policy": policies, **tables}
    )
    read = Table(root)
    _manifest(read, GRANT_TYPES)
    assert read.problems.found == ()
    return (
        {"The actor": root.names}
        | {f"`[{name}]`": table.names for name, table in tables.items()}
        | {"`[[handler]]`": entries[0].names, "`[permission_policy.TYPE]`": policy.names}
        | {f"`{name}`": table.names for name, table in settings.items()}
    )


def accepted(text: str) -> Manifest | None:
    """The manifest without what differs by spelling, None if it is refused."""
    try:
        read = parse(text, grant_types=GRANT_TYPES)
    except ManifestError:
        return None
    entries = tuple(replace(entry, settings={}, line=0) for entry in read.handlers)
    return replace(read, text="", warnings=(), handlers=entries)


def number(told: str) -> int:
    """A number or a size as the page writes it."""
    digits = told.replace(",", "")
    found = int(digits) if digits.isdecimal() else parse_size(digits)
    assert found is not None, told
    return found


def test_every_key_that_the_parser_knows_is_on_the_page_and_no_other() -> None:
    told: dict[str, set[str]] = {section: set() for section in asked()}
    for row in ROWS:
        assert not told[row.section] & set(row.names), f"{row} is there twice"
        told[row.section] |= set(row.names)
    assert told == asked()


def test_every_handler_type_has_a_place_on_the_page() -> None:
    headings = set(re.findall(r"^### `([a-z-]+)`$", PAGE, re.MULTILINE))
    assert headings == set(GRANT_TYPES)
    without = PAGE.partition("### Not in this version\n")[2].partition("##")[0]
    named = set(re.findall(r"`([a-z-]+)`", without))
    assert named == set(KNOWN_TYPES) - set(GRANT_TYPES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section} {row.names[0]}")
def test_what_is_said_of_a_key_holds(row: Row) -> None:
    for name in row.names:
        if row.type in WRONG:
            assert accepted(row.text(name, WRONG[row.type])) is None, f"{name} is no {row.type}"
        else:
            assert row.type == "anything"
        default = row.span()
        if default is not None:
            text = row.text(name, default)
            given, left_out = accepted(text), accepted(text.rpartition("\n")[0])
            assert given is not None
            assert given == left_out, f"{default} is not the default of {name}"
    if row.type in ("integer", "size"):
        check_range(row)
    if row.type == "one of these":
        check_choices(row)


def check_range(row: Row) -> None:
    found = RANGE.fullmatch(row.bounds)
    assert found is not None, row.bounds
    low, high = map(number, found.groups())
    tried = {each: accepted(row.text(row.names[0], str(each))) is not None for each in (low, high)}
    beyond = {each: accepted(row.text(row.names[0], str(each))) for each in (low - 1, high + 1)}
    assert all(tried.values()), tried
    assert not any(beyond.values()), f"{row.names[0]} has other bounds than {row.bounds}"


def check_choices(row: Row) -> None:
    name = row.names[0]
    with pytest.raises(ManifestError) as refused:
        parse(row.text(name, '"none of them"'), grant_types=GRANT_TYPES)
    choices = refused.value.problems[0].message.partition("must be one of: ")[2].split(", ")
    assert choices == re.findall(r'`"(\w+)"`', row.bounds)


def test_what_is_required_is_said_to_be() -> None:
    required = {row.names[0] for row in ROWS if row.default == "required"}
    assert required == {"name", "component", "type"}
    text = 'name = "a"\ncomponent = "a"\n[[handler]]\ntype = "context"\n'
    assert accepted(text) is not None
    for line in ('name = "a"', 'component = "a"', 'type = "context"'):
        assert accepted(text.replace(line, "")) is None, line


def test_the_bounds_in_words_are_those_of_the_code() -> None:
    assert MANIFEST_BYTES_MAX == MIB
    assert f"1 MiB with its variables filled in, UTF-8, {MANIFEST_DEPTH_MAX} levels deep" in PAGE
    bounds = {row.names[0]: row.bounds for row in ROWS}
    assert bounds["name"] == f"1 to {NAME_CHARS_MAX} printable characters"
    assert bounds["chain_dir"].startswith(f"1 to {CHAIN_DIR_CHARS_MAX} printable characters")
