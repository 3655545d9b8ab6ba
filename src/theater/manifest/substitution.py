"""`${NAME}`, `${NAME:-default}` and Handlebars in a manifest's strings.

Only string values are looked at, never keys or comments. What is put in is not looked at again, so
that a variable's value can't name another variable.

`{{path.to.value}}` and `{{default path "x"}}` take values from the initial state. Handlebars has more;
nothing else of it is understood, and saying so is better than leaving braces in a host's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from theater.manifest.positions import Path
from theater.manifest.problems import Problems

SECRET_CHARS_MIN: Final = 8
"""From this length on a secret may not even be part of a variable's value."""

_VARIABLE: Final = re.compile(
    r"\$\{(?P<name>[^{}:]*)(?P<default>:-[^{}]*)?\}|\{\{(?P<bars>[^{}]*)\}\}"
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARS: Final = re.compile(
    r"\s*(?:default\s+(?P<with>[A-Za-z0-9_.\-]+)\s+(?P<default>\"[^\"]*\"|'[^']*'|[0-9.]+|true|false)"
    r"|(?P<path>[A-Za-z0-9_.\-]+))\s*"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """What may be put into a manifest: variables, the initial state, and secrets that may not."""

    variables: Mapping[str, str]
    state: object = None
    secrets: Collection[str] = ()


def substitute(values: dict[str, object], sources: Sources, problems: Problems) -> dict[Path, str]:
    """Replace in place what stands in the strings of a TOML document.

    Returns the strings that changed, by path. What can't be replaced is noted.
    """
    changed: dict[Path, str] = {}

    def walk(value: object, path: Path) -> object:
        if isinstance(value, dict):
            for key, inner in value.items():
                value[key] = walk(inner, (*path, key))
        elif isinstance(value, list):
            value[:] = [walk(inner, (*path, number)) for number, inner in enumerate(value)]
        elif isinstance(value, str) and ("${" in value or "{{" in value):
            replaced = _VARIABLE.sub(_replacement(path, sources, problems), value)
            if replaced != value:
                changed[path] = replaced
            return replaced
        return value

    walk(values, ())
    return changed


def _replacement(
    path: Path, sources: Sources, problems: Problems
) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        if match["bars"] is not None:
            return _from_state(match, path, sources.state, problems)
        return _from_variables(match, path, sources, problems)

    return replace


def _from_variables(match: re.Match[str], path: Path, sources: Sources, problems: Problems) -> str:
    name = match["name"]
    if not _NAME.fullmatch(name):
        problems.add_value(path, f"{match[0]} is not a variable", "write ${NAME}")
        return match[0]
    value = sources.variables.get(name)
    if value is None:
        if match["default"] is not None:
            return match["default"].removeprefix(":-")
        hint = problems.nearest(name, sources.variables)
        problems.add_value(
            path,
            f"variable {name} is not set",
            hint or f"give --var {name}=VALUE, or write ${{{name}:-default}}",
        )
        return match[0]
    if any("\ud800" <= char <= "\udfff" for char in value):
        problems.add_value(path, f"the value of variable {name} is not UTF-8")
        return match[0]
    if any(_reveals(value, secret) for secret in sources.secrets):
        problems.add_value(
            path,
            f"the value of variable {name} is a secret's, which no manifest may contain",
            "name the secret where a grant takes one: secret:NAME",
        )
        return match[0]
    return value


def _reveals(value: str, secret: str) -> bool:
    return value == secret or (len(secret) >= SECRET_CHARS_MIN and secret in value)


def _from_state(match: re.Match[str], path: Path, state: object, problems: Problems) -> str:
    bars = _BARS.fullmatch(match["bars"])
    if bars is None:
        problems.add_value(
            path,
            f"{match[0]} is not understood",
            'write {{path.to.value}} or {{default path "x"}}',
        )
        return match[0]
    place = bars["path"] or bars["with"]
    found = state
    for part in place.split("."):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            found = None
    if found is None and bars["default"] is not None:
        return bars["default"].strip("\"'")
    if isinstance(found, (str, int, float)):
        return found if isinstance(found, str) else json.dumps(found)
    problems.add_value(
        path,
        f"the initial state has no text or number at {place}",
        f'write {{{{default {place} "x"}}}} if it may lack',
    )
    return match[0]
