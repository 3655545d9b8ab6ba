"""Manifests: what an actor is and may do; grants and their meet; substitution. Pure."""

from theater.errors import ManifestError, Problem
from theater.manifest.grants import (
    Disallow,
    Grant,
    Inherit,
    Policy,
    Restrict,
    as_map,
    effective,
    of_map,
)
from theater.manifest.interfaces import Missing, canonical, listed, missing_handlers
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
from theater.manifest.parse import parse, wrong_name

__all__ = [
    "Disallow",
    "Errors",
    "Grant",
    "HandlerEntry",
    "Inherit",
    "Limits",
    "Manifest",
    "ManifestError",
    "Missing",
    "Poison",
    "Policy",
    "Problem",
    "Restart",
    "RestartState",
    "Restrict",
    "Strategy",
    "Supervision",
    "as_map",
    "canonical",
    "effective",
    "listed",
    "missing_handlers",
    "of_map",
    "parse",
    "wrong_name",
]
