"""What the operator decided: `config.toml`, then `THEATER_*` variables, then flags; the last counts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeGuard

from theater.cli.files import read_file
from theater.errors import NotFound, TheaterError, UsageError
from theater.limits import CONFIG_BYTES_MAX, SECRET_BYTES_MAX

DEFAULT_ADDRESS: Final = "http://127.0.0.1:9000"
_COMMAND_S: Final = 30
_TEXTS: Final = ("server_address", "data_dir", "token", "log_level")
_KEYS: Final = (*_TEXTS, "chain_dirs", "secrets")
_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What config.toml and the environment say; None where neither does.

    `secrets` are where each secret comes from: `{env = …}`, `{file = …}` or `{command = …}`.
    `chain_dirs` are the folders into which manifests may have chains saved.
    """

    server_address: str | None = None
    data_dir: Path | None = None
    token: str | None = None
    log_level: str = "warning"
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    chain_dirs: tuple[Path, ...] = ()

    def data_directory(self, flag: Path | None = None) -> Path:
        """Return the data directory: a flag's, the configured one, else XDG's for theater."""
        return flag or self.data_dir or _xdg("XDG_DATA_HOME", ".local/share") / "theater"


def config_file() -> Path:
    """Return where config.toml is looked for."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "theater" / "config.toml"


def load(environment: Mapping[str, str] | None = None) -> Configuration:
    """Read config.toml, if there is one, and the environment. UsageError for what is wrong in it."""
    env = os.environ if environment is None else environment
    path = config_file()
    written = _read(path)
    wrong = [f"unknown key {name}{_nearest(name)}" for name in written if name not in _KEYS]
    texts: dict[str, str | None] = {}
    for name in _TEXTS:
        value = written.get(name)
        if value is not None and not isinstance(value, str):
            wrong.append(f"{name} must be a string")
            value = None
        texts[name] = env.get(f"THEATER_{name.upper()}") or value
    secrets = written.get("secrets", {})
    if not isinstance(secrets, dict):
        wrong.append("[secrets] is a table")
        secrets = {}
    wrong += [
        f'the secret {name} is to be written {name} = {{ env = "…" }}, {{ file = "…" }} or '
        '{ command = "…" }'
        for name, where in secrets.items()
        if not _is_place(where)
    ]
    folders = written.get("chain_dirs", [])
    chain_dirs = (
        [_expanded(each, "chain_dirs") for each in folders] if _are_texts(folders) else [Path()]
    )
    if not all(each.is_absolute() for each in chain_dirs):
        wrong.append('chain_dirs is a list of absolute paths: chain_dirs = ["/var/log/theater"]')
    level = (texts["log_level"] or "warning").lower()
    if level not in _LEVELS:
        source = "THEATER_LOG_LEVEL" if env.get("THEATER_LOG_LEVEL") else "log_level"
        wrong.append(f"{source} is one of {', '.join(_LEVELS)}, not {level!r}")
    if wrong:
        raise UsageError(f"{path}:{_listed(wrong)}", code="config.invalid")
    folder = texts["data_dir"]
    return Configuration(
        server_address=texts["server_address"],
        data_dir=None if folder is None else _expanded(folder, "data_dir"),
        token=texts["token"],
        log_level=level,
        secrets=secrets,
        chain_dirs=tuple(chain_dirs),
    )


def _read(path: Path) -> dict[str, object]:
    """The file's TOML, nothing if there is no file; UsageError with line and column for a mistake."""
    try:
        data = read_file(path, CONFIG_BYTES_MAX, "configuration")
    except NotFound:
        return {}
    except TheaterError as error:
        raise UsageError(error.message, code="config.invalid") from None
    import tomllib

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: this is not UTF-8", code="config.invalid") from None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        # Only now, because what tells the places takes longer to import than most commands run.
        from theater.manifest import syntax

        wrong = [str(problem) for problem in syntax.read(text).problems]
        raise UsageError(f"{path} is not TOML:{_listed(wrong)}", code="config.invalid") from None


def _listed(wrong: Sequence[str]) -> str:
    return f" {wrong[0]}" if len(wrong) == 1 else "".join(f"\n  {each}" for each in wrong)


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, _KEYS, n=1)
    known = f"did you mean {close[0]}?" if close else f"known: {', '.join(_KEYS)}"
    return f" ({known})"


def _expanded(text: str, name: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{name} {text!r} names the home of a user that this machine doesn't know",
            code="config.invalid",
        ) from None


def secret_values(configuration: Configuration) -> dict[str, str]:
    """Fetch every secret from where it is kept. Runs commands, reads files; for the server only."""
    return {name: _fetch(name, where) for name, where in configuration.secrets.items()}


def _fetch(name: str, where: Mapping[str, str]) -> str:
    import subprocess

    ((kind, place),) = where.items()
    try:
        if kind == "env":
            value = os.environ.get(place, "")
        elif kind == "file":
            value = read_file(_expanded(place, "file"), SECRET_BYTES_MAX, "secret").decode()
        else:
            done = subprocess.run(
                ["/bin/sh", "-c", place],
                capture_output=True,
                text=True,
                timeout=_COMMAND_S,
                check=True,
            )
            value = done.stdout
    except (OSError, ValueError, TheaterError, subprocess.SubprocessError) as error:
        # Of a command only that it failed: what it printed may be the secret.
        why = error.message if isinstance(error, TheaterError) else type(error).__name__
        raise UsageError(
            f"the secret {name} can't be fetched from its {kind}: {why}",
            code="config.secret",
        ) from None
    value = value.rstrip("\n")
    if not value:
        raise UsageError(
            f"the secret {name} is empty: its {kind} {place!r} gives nothing", code="config.secret"
        )
    return value


def _are_texts(written: object) -> TypeGuard[list[str]]:
    return isinstance(written, list) and all(isinstance(each, str) for each in written)


def _is_place(where: object) -> bool:
    return (
        isinstance(where, dict)
        and len(where) == 1
        and next(iter(where)) in ("env", "file", "command")
        and isinstance(next(iter(where.values())), str)
    )


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    if value:
        return Path(value)
    return _expanded("~", f"without {variable} or HOME,") / default
