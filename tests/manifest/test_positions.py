"""The places of keys and values, in any notation."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from theater.manifest.positions import Path, Positions

_BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
_QUOTED = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4)
_LEAF = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6),
)
_VALUE = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.one_of(_BARE, _QUOTED), inner, max_size=3)
    ),
    max_leaves=6,
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[ " + ", ".join(map(written, value)) + " ]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(v)}" for key, v in value.items()) + "}"
    text = repr(value)
    return text if isinstance(value, int) or "." in text else text.replace("e", ".0e")


def leaves(value: object, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [
            found for number, inner in enumerate(value) for found in leaves(inner, (*path, number))
        ]
    return [path]


def at(document: object, path: Path) -> object:
    for part in path:
        document = document[part]  # type: ignore[index]
    return document


@given(
    tables=st.lists(
        st.tuples(_BARE, st.dictionaries(st.one_of(_BARE, _QUOTED), _VALUE, max_size=3)),
        max_size=4,
        unique_by=lambda table: table[0],
    ),
    arrays=st.booleans(),
)
def test_every_value_is_found_where_it_stands(tables, arrays):
    lines: list[str] = []
    for name, table in tables:
        for _ in range(2 if arrays else 1):
            lines.append(f"[[{name}]]" if arrays else f"[{name}]")
            lines += [f"{quoted(key)} = {written(value)} # c" for key, value in table.items()]
    text = "\n".join(lines)
    document = tomllib.loads(text)
    positions = Positions(text)
    assert positions.errors == ()
    source = text.encode()
    for path in leaves(document):
        assert positions.has(path), path
        place = positions.place(path)
        value = source[place.start : place.end].decode()
        assert tomllib.loads(f"v={value}")["v"] == at(document, path)
        assert text.split("\n")[place.value_line - 1][place.value_column - 1 :].startswith(value)
