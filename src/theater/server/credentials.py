"""The files by which a client on this machine finds the server and proves who it is.

`token` is made once in a data directory and stays; `server.json` says where the server that has
that data directory open listens, and goes when it stops.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

import msgspec

from theater.errors import IntegrityError, TheaterError

TOKEN_FILE = "token"  # noqa: S105 - a file's name
SERVER_FILE = "server.json"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """The running server of a data directory."""

    address: str
    pid: int


def ensure_token(data_dir: Path) -> str:
    """Return the data directory's token, made now if there is none. Mode 0600 from the first byte."""
    path = data_dir / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        token = read_token(data_dir)
        if not token:
            raise IntegrityError(
                f"{path} is empty or can't be read; remove it and a new token is made",
                code="token.empty",
            ) from None
        return token
    except OSError as error:
        raise _unusable(data_dir, error) from error
    token = urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
    except OSError as error:
        # An empty token would be found at the next start, and be nobody's.
        path.unlink(missing_ok=True)
        raise _unusable(data_dir, error) from error
    return token


def read_token(data_dir: Path) -> str | None:
    """Return the token, None if there is none or it is not ours to read."""
    try:
        return (data_dir / TOKEN_FILE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def write_running(data_dir: Path, running: Running) -> None:
    """Say where the server listens; whoever reads sees all of it or the one before."""
    path = data_dir / SERVER_FILE
    draft = path.with_suffix(f".{running.pid}.tmp")
    try:
        draft.write_bytes(msgspec.json.encode(running))
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _unusable(data_dir, error) from error


def read_running(data_dir: Path) -> Running | None:
    """Return where the server of a data directory listens, None if none says so."""
    try:
        return msgspec.json.decode((data_dir / SERVER_FILE).read_bytes(), type=Running)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return None


def remove_running(data_dir: Path, pid: int) -> None:
    """Take the notice away if it is still that of process `pid`."""
    running = read_running(data_dir)
    if running is not None and running.pid == pid:
        with suppress(OSError):
            (data_dir / SERVER_FILE).unlink(missing_ok=True)


def _unusable(data_dir: Path, error: OSError) -> TheaterError:
    # Imported when it is needed: clients read these files too, and have no use for a journal.
    from theater.journal.sqlite.directory import unusable

    return unusable(data_dir, error)
