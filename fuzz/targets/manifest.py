"""Manifests: a ManifestError with every problem at its place, or a manifest that reads the same again."""

from __future__ import annotations

from theater.errors import ManifestError
from theater.handlers.grant_types import GRANT_TYPES
from theater.manifest import parse
from theater.manifest.grants import as_map
from theater.values import cbor

_VARIABLES = {"NAME": "value", "QUOTE": '"\n\\', "LONG": "x" * 300, "SECRET": "hidden"}


def one(data: bytes) -> None:
    text = data[1:].decode("utf-8", "replace")
    variables = _VARIABLES if data[:1] == b"$" else None
    try:
        read = parse(
            text,
            grant_types=GRANT_TYPES,
            variables=variables,
            state={"a": [1, {"b": "c"}]},
            secrets=("hidden",),
            path="manifest.toml",
        )
    except ManifestError as error:
        lines = text.count("\n") + 2
        assert error.problems
        assert all(1 <= each.line <= lines and each.column >= 1 for each in error.problems)
        return
    cbor.encode(as_map({entry.type: entry.grant for entry in read.handlers}))
    again = parse(read.text, grant_types=GRANT_TYPES, path="manifest.toml")
    assert again == read
