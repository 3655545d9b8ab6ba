"""What the operator decided: `config.toml`, then `THEATER_*` variables, then flags; the last counts."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from theater.errors import UsageError

DEFAULT_ADDRESS: Final = "http://127.0.0.1:9000"
_COMMAND_S: Final = 30
_TEXTS: Final = ("server_address", "data_dir", "token", "log_level")
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
    try:
        written = tomllib.loads(path.read_text())
    except FileNotFoundError:
        written = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}", code="config.invalid") from None
    unknown = sorted(written.keys() - {*_TEXTS, "chain_dirs", "secrets"})
    if unknown:
        raise UsageError(
            f"{path} has the unknown key {unknown[0]!r}; known are "
            f"{', '.join(_TEXTS)}, chain_dirs and the table [secrets]",
            code="config.invalid",
        )
    texts: dict[str, str | None] = {}
    for name in _TEXTS:
        value = env.get(f"THEATER_{name.upper()}") or written.get(name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{path}: {name} must be a string", code="config.invalid")
        texts[name] = value
    folder = texts["data_dir"]
    level = (texts["log_level"] or "warning").lower()
    if level not in _LEVELS:
        raise UsageError(
            f"log_level is one of {', '.join(_LEVELS)}, not {level!r}; look into {path} and "
            "THEATER_LOG_LEVEL",
            code="config.invalid",
        )
    return Configuration(
        server_address=texts["server_address"],
        data_dir=None if folder is None else Path(folder).expanduser(),
        token=texts["token"],
        log_level=level,
        secrets=_secrets(written.get("secrets", {}), path),
        chain_dirs=_chain_dirs(written.get("chain_dirs", []), path),
    )


def secret_values(configuration: Configuration) -> dict[str, str]:
    """Fetch every secret from where it is kept. Runs commands, reads files; for the server only."""
    return {name: _fetch(name, where) for name, where in configuration.secrets.items()}


def _fetch(name: str, where: Mapping[str, str]) -> str:
    ((kind, place),) = where.items()
    try:
        if kind == "env":
            value = os.environ.get(place, "")
        elif kind == "file":
            value = Path(place).expanduser().read_text()
        else:
            done = subprocess.run(
                ["/bin/sh", "-c", place],
                capture_output=True,
                text=True,
                timeout=_COMMAND_S,
                check=True,
            )
            value = done.stdout
    except (OSError, UnicodeDecodeError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"the secret {name} can't be fetched from its {kind}: {type(error).__name__}",
            code="config.secret",
        ) from None
    value = value.rstrip("\n")
    if not value:
        raise UsageError(
            f"the secret {name} is empty: its {kind} {place!r} gives nothing", code="config.secret"
        )
    return value


def _chain_dirs(written: object, path: Path) -> tuple[Path, ...]:
    folders = written if isinstance(written, list) else [None]
    paths = tuple(Path(each).expanduser() for each in folders if isinstance(each, str))
    if len(paths) != len(folders) or not all(each.is_absolute() for each in paths):
        raise UsageError(
            f'{path}: chain_dirs is a list of absolute paths: chain_dirs = ["/var/log/theater"]',
            code="config.invalid",
        )
    return paths


def _secrets(written: object, path: Path) -> Mapping[str, Mapping[str, str]]:
    good = isinstance(written, dict) and all(
        isinstance(where, dict)
        and len(where) == 1
        and next(iter(where)) in ("env", "file", "command")
        and isinstance(next(iter(where.values())), str)
        for where in written.values()
    )
    if not good or not isinstance(written, dict):
        raise UsageError(
            f'{path}: a secret is NAME = {{ env = "…" }}, {{ file = "…" }} or {{ command = "…" }}',
            code="config.invalid",
        )
    return written


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value) if value else Path.home() / default
