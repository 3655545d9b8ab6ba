"""From a manifest's text to a Manifest, or to every problem it has at once.

Pure: the text, the variables and the initial state come in; references to files and stores are kept
as they are written.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from theater import limits
from theater.errors import ManifestError, Problem, TooLarge
from theater.manifest import syntax
from theater.manifest.grants import Disallow, Grant, Inherit, Policy, Restrict
from theater.manifest.interfaces import canonical
from theater.manifest.model import (
    Errors,
    HandlerEntry,
    Limits,
    Manifest,
    Poison,
    Restart,
    RestartState,
    Strategy,
    Supervision,
)
from theater.manifest.problems import Problems
from theater.manifest.substitution import Sources, substitute
from theater.manifest.table import Table

KNOWN_TYPES: Final = (
    "context",
    "environment",
    "filesystem",
    "http-client",
    "http-framework",
    "http-server",
    "message-server",
    "process",
    "random",
    "registry",
    "runtime",
    "scheduler",
    "store",
    "supervisor",
    "tcp",
    "timing",
    "wasi",
    "websocket-server",
)
"""Every handler type that manifests can name, whether this version has it or not."""

_COMPONENT: Final = ("component", "component_path", "package")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_POLICY_SPELLINGS: Final = {"file-system": "filesystem"}


def parse(
    text: str,
    *,
    grant_types: Mapping[str, type[Grant]],
    variables: Mapping[str, str] | None = None,
    state: object = None,
    secrets: Collection[str] = (),
    path: str | None = None,
) -> Manifest:
    """Read a manifest.

    `grant_types` are the handler types of this node. `variables` fill `${NAME}`; None takes the text
    as it stands, as for one that was substituted before. `state` is the decoded initial state for
    `{{path}}`; an inline table in the manifest itself comes before it. No variable whose value is
    one of `secrets` is put in. Raises ManifestError with `problems`.
    """
    text = text.removeprefix("\ufeff")
    _check_size(text, path)
    document = syntax.read(text)
    values, positions = document.values, document.positions
    if values is None:
        raise _invalid(path, document.problems)
    problems = Problems(positions, document.problems)
    changed = {}
    if variables is not None:
        inline = values.get("initial_state", values.get("init_state"))
        sources = Sources(variables, inline if isinstance(inline, dict) else state, secrets)
        changed = substitute(values, sources, problems)
    root = Table(values, (), problems)
    read = _manifest(root, grant_types)
    root.finish()
    if problems.found:
        raise _invalid(path, problems.found, problems.more)
    written = positions.splice({at: _basic_string(new) for at, new in changed.items()})
    _check_size(written, path)
    if tomllib.loads(written) != values:
        raise AssertionError("a substituted manifest reads differently from its text")
    return replace(read, text=written, path=path, warnings=problems.warned)


def _check_size(text: str, path: str | None) -> None:
    size = len(text.encode())
    if size > limits.MANIFEST_BYTES_MAX:
        raise TooLarge(
            f"{path or 'the manifest'} has {size} bytes with its variables filled in; a manifest "
            f"has at most {limits.MANIFEST_BYTES_MAX}",
            code="manifest.too_large",
        )


def _invalid(path: str | None, problems: tuple[Problem, ...], more: int = 0) -> ManifestError:
    name = path or "the manifest"
    count = "1 problem" if len(problems) == 1 else f"{len(problems) + more} problems"
    listed = "".join(f"\n  {problem}" for problem in problems)
    rest = f"\n  … and {more} more" if more else ""
    return ManifestError(f"{name} has {count}:{listed}{rest}", problems)


def _basic_string(value: str) -> str:
    """The value as a TOML basic string, whose escapes are JSON's."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _manifest(root: Table, grant_types: Mapping[str, type[Grant]]) -> Manifest:
    name = _required(root, root.text("name", check=wrong_name), "name")
    sha256 = root.text("component_sha256", check=_sha256)
    component = root.text(*_COMPONENT, check=_reference)
    component = _required(root, component, "component")
    if component.startswith("https://") and sha256 is None:
        spelled = next(key for key in _COMPONENT if key in root.values)
        root.problems.add_value(
            (spelled,), "a component from https:// needs component_sha256", "pin its hash"
        )
    interface = root.table("interface")
    implements, requires = _interface(interface) if interface is not None else ((), ())
    return Manifest(
        name=name,
        component=component,
        version=root.text("version"),
        description=root.text("description", "long_description"),
        component_sha256=sha256,
        initial_state=_initial_state(root),
        save_chain=root.flag("save_chain", False),
        chain_dir=_chain_dir(root),
        request_timeout_ms=root.integer(
            "request_timeout_ms", limits.REQUEST_TIMEOUT_MS, 1, limits.WAIT_MS_MAX
        ),
        send_timeout_ms=root.integer(
            "send_timeout_ms", limits.SEND_TIMEOUT_MS, 1, limits.WAIT_MS_MAX
        ),
        errors=Errors(root.choice("errors", Errors.CONTINUE, tuple(Errors))),
        poison=Poison(root.choice("poison", Poison.QUARANTINE, tuple(Poison))),
        passivate_after_ms=root.integer(
            "passivate_after_ms", limits.PASSIVATE_AFTER_MS, 0, limits.WAIT_MS_MAX
        ),
        limits=_limits(root.table("limits")),
        supervision=_supervision(root.table("supervision")),
        handlers=_handlers(root, grant_types),
        permission_policy=_policies(root.table("permission_policy"), grant_types),
        implements=implements,
        requires=requires,
    )


def _required(root: Table, value: str | None, name: str) -> str:
    spellings = _COMPONENT if name == "component" else (name,)
    written = any(spelling in root.values for spelling in spellings)
    if not written and not root.problems.partial:
        hint = f'write {name} = "…"'
        if name == "component":
            hint = "`theater build` makes it and writes it here"
        root.problems.add((), f"{name} is missing", hint)
    return value or ""


def wrong_name(name: str) -> str | None:
    """What is wrong with an actor's name, None if nothing is."""
    if not 1 <= len(name) <= limits.NAME_CHARS_MAX or not name.isprintable():
        return f"a name has 1 to {limits.NAME_CHARS_MAX} printable characters"
    return None


def _sha256(value: str) -> str | None:
    return None if _SHA256.fullmatch(value) else "a SHA-256 is 64 hexadecimal digits in lower case"


def _reference(value: str) -> str | None:
    scheme, colon, _ = value.partition("://")
    if not value or "\0" in value:
        return "a component is a path, an https:// or a store:// reference"
    if colon and scheme not in ("https", "store"):
        return f"{scheme}:// is not a reference; use a path, https:// or store://"
    return None


def _chain_dir(root: Table) -> str | None:
    found = root.text("chain_dir", check=_folder)
    if found is not None and root.values.get("save_chain") is not True:
        root.problems.warn(("chain_dir",), "chain_dir does nothing without save_chain = true")
    return found


def _folder(value: str) -> str | None:
    if not 1 <= len(value) <= limits.CHAIN_DIR_CHARS_MAX or not value.isprintable():
        return f"a chain_dir has 1 to {limits.CHAIN_DIR_CHARS_MAX} printable characters"
    # An absolute one is the operator's to allow; a way up out of either is nobody's.
    if any(part in ("", ".", "..") for part in value.removeprefix("/").split("/")):
        return "a chain_dir is a plain path, without . or .. or empty parts"
    return None


def _initial_state(root: Table) -> str | bytes | None:
    found = root.take("initial_state", "init_state")
    if found is None:
        return None
    if isinstance(found.value, str) and found.value:
        return found.value
    if isinstance(found.value, dict):
        try:
            return json.dumps(found.value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError):
            root.problems.add_value(found.path, "an inline state holds only what JSON can hold")
            return None
    root.problems.add_value(found.path, "initial_state is a file, a reference or an inline table")
    return None


def _limits(table: Table | None) -> Limits:
    if table is None:
        return Limits()
    fuel = table.integer("fuel", 0, 1, limits.FUEL_CEILING)
    read = Limits(
        memory=table.size("memory", limits.MEMORY_BYTES, 0, limits.MEMORY_BYTES_CEILING),
        deadline_ms=table.integer("deadline_ms", limits.DEADLINE_MS, 1, limits.DEADLINE_MS_CEILING),
        instance_calls=table.integer(
            "instance_calls", limits.INSTANCE_CALLS, 1, limits.INSTANCE_CALLS_CEILING
        ),
        events_per_call=table.integer(
            "events_per_call", limits.EVENTS_PER_CALL, 1, limits.EVENTS_PER_CALL_CEILING
        ),
        message_bytes=table.size(
            "message_bytes", limits.MESSAGE_BYTES, 0, limits.MESSAGE_BYTES_CEILING
        ),
        state_bytes=table.size("state_bytes", limits.STATE_BYTES, 0, limits.STATE_BYTES_CEILING),
        mailbox=table.integer("mailbox", limits.MAILBOX, 1, limits.MAILBOX_CEILING),
        fuel=fuel or None,
    )
    table.finish()
    return read


def _supervision(table: Table | None) -> Supervision:
    if table is None:
        return Supervision()
    read = Supervision(
        restart=Restart(table.choice("restart", Restart.TRANSIENT, tuple(Restart))),
        restart_state=RestartState(
            table.choice("restart_state", RestartState.LAST, tuple(RestartState))
        ),
        shutdown_ms=table.integer("shutdown_ms", limits.SHUTDOWN_MS, 0, limits.WAIT_MS_MAX),
        strategy=Strategy(table.choice("strategy", Strategy.ONE_FOR_ONE, tuple(Strategy))),
        intensity=table.integer("intensity", 1, 0, limits.RESTARTS_MAX),
        period_s=table.integer("period_s", 5, 1, limits.RESTART_PERIOD_S_MAX),
    )
    table.finish()
    return read


def _interface(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    implements = table.strings("implements") or ()
    requires = table.strings("requires") or ()
    table.finish()
    return tuple(map(canonical, implements)), tuple(map(canonical, requires))


def _handlers(root: Table, grant_types: Mapping[str, type[Grant]]) -> tuple[HandlerEntry, ...]:
    entries: dict[str, HandlerEntry] = {}
    for table in root.tables("handler", "handlers"):
        named = table.take("type")
        name = named.value if named is not None else None
        if not isinstance(name, str):
            root.problems.add(table.path, "a handler needs a type", 'write type = "store"')
            continue
        table.strings("interface")
        settings = _settings(table)
        grant_type = _grant_type(name, (*table.path, "type"), root.problems, grant_types)
        if grant_type is None:
            continue
        if name in entries:
            root.problems.add(
                table.path, f"a second handler of type {name}", "put its settings into the first"
            )
            continue
        grant = grant_type.from_settings(settings)
        line, _ = root.problems.at(table.path)
        entries[name] = HandlerEntry(name, settings.values, grant, line)
    return tuple(entries.values())


def _settings(table: Table) -> Table:
    """A handler's settings: those under `config` where there is one, else the keys beside `type`."""
    beside = {
        name: value
        for name, value in table.values.items()
        if name not in ("type", "interface", "config")
    }
    config = table.table("config")
    if config is None:
        return Table(beside, table.path, table.problems)
    for name in beside:
        table.problems.add(
            (*table.path, name), f"{name} stands beside config", "put it into config as well"
        )
    return config


def _grant_type(
    name: str, path: tuple[str | int, ...], problems: Problems, known: Mapping[str, type[Grant]]
) -> type[Grant] | None:
    if name in known:
        return known[name]
    if name in KNOWN_TYPES:
        problems.add_value(path, f"handler {name} is not available in this version")
    else:
        hint = problems.nearest(name, [*known, *KNOWN_TYPES])
        problems.add_value(path, f"unknown handler type {name}", hint)
    return None


def _policies(table: Table | None, grant_types: Mapping[str, type[Grant]]) -> dict[str, Policy]:
    policies: dict[str, Policy] = {}
    for name in [] if table is None else list(table.values):
        rule = table.table(name) if table is not None else None
        if rule is None:
            continue
        dashed = name.replace("_", "-")
        handler = _POLICY_SPELLINGS.get(dashed, dashed)
        policies[handler] = _policy(rule, handler, grant_types)
    return policies


def _policy(rule: Table, handler: str, grant_types: Mapping[str, type[Grant]]) -> Policy:
    kind = rule.choice("type", "inherit", ("inherit", "restrict", "disallow"))
    if handler not in grant_types:
        if handler in KNOWN_TYPES:
            rule.problems.warn(rule.path, f"handler {handler} is not available in this version")
        else:
            hint = rule.problems.nearest(handler, [*grant_types, *KNOWN_TYPES])
            rule.problems.add(rule.path, f"unknown handler type {handler}", hint)
        # Children can't have what there isn't.
        return Disallow()
    config = rule.table("config")
    rule.finish()
    if kind == "disallow":
        return Disallow()
    if kind == "inherit":
        return Inherit()
    settings = config or Table({}, rule.path, rule.problems)
    return Restrict(grant_types[handler].from_settings(settings))
