"""What a client says of an actor to be started, made into what the node keeps of it."""

from __future__ import annotations

import os
from pathlib import Path

from theater.errors import NotFound, TooLarge, UsageError
from theater.manifest.model import Manifest


def digest_of(sha256: str) -> bytes:
    """Return the bytes of a component's hash in hexadecimal; UsageError if it is none."""
    try:
        digest = bytes.fromhex(sha256)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise UsageError(
            "a component is named by 64 hexadecimal digits of its SHA-256", code="component.name"
        )
    return digest


def check_state(manifest: Manifest, state: bytes | None) -> None:
    """TooLarge for a state that is above the actor's own limit."""
    if state is not None and len(state) > manifest.limits.state_bytes:
        raise TooLarge(
            f"the initial state has {len(state)} bytes, at most {manifest.limits.state_bytes}",
            code="state.too_large",
        )


def initial_state(manifest: Manifest, state: bytes | None) -> bytes | None:
    """Return the state to start with: the client's, else the manifest's."""
    if state is not None or manifest.initial_state is None:
        return state
    if isinstance(manifest.initial_state, bytes):
        return manifest.initial_state
    base = Path(manifest.path).parent if manifest.path else Path.cwd()
    path = Path(os.path.normpath(base / manifest.initial_state))
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"the initial state {path} can't be read: {error.strerror}", code="state.not_found"
        ) from error
