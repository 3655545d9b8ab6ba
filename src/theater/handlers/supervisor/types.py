"""The types of `theater:simple/supervisor` and `-handlers` and of `theater:agent/supervision`, as the
WIT files beside this one have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from theater.values.types import (
    BYTES,
    STATE,
    EnumOf,
    FuncType,
    ListOf,
    OptionOf,
    Prim,
    RecordOf,
    ResultOf,
    TupleOf,
    WitType,
)

_CHILD: Final = ("child-id", Prim.STRING)
_MANIFEST: Final = ("manifest", Prim.STRING)

_EVENT: Final = RecordOf(
    (
        ("hash", BYTES),
        ("parent-hash", OptionOf(BYTES)),
        ("event-type", Prim.STRING),
        ("data", BYTES),
        ("timestamp", Prim.U64),
        ("description", OptionOf(Prim.STRING)),
    )
)
_ERROR: Final = RecordOf(
    (
        (
            "error-type",
            EnumOf(
                (
                    "operation-timeout",
                    "channel-closed",
                    "shutting-down",
                    "function-not-found",
                    "type-mismatch",
                    "internal",
                    "serialization-error",
                    "update-component-error",
                    "paused",
                )
            ),
        ),
        ("data", OptionOf(BYTES)),
    )
)


def _function(*params: tuple[str, WitType], gives: WitType | None = None) -> FuncType:
    return FuncType(params, ResultOf(gives, Prim.STRING))


TYPES: Final[Mapping[str, FuncType]] = {
    "spawn": _function(_MANIFEST, ("init-bytes", OptionOf(BYTES)), gives=Prim.STRING),
    "resume": _function(_MANIFEST, ("init-state", OptionOf(BYTES)), gives=Prim.STRING),
    "list-children": FuncType((), ListOf(Prim.STRING)),
    "stop-child": _function(_CHILD),
    "restart-child": _function(_CHILD),
    "get-child-state": _function(_CHILD, gives=OptionOf(BYTES)),
    "get-child-events": _function(_CHILD, gives=ListOf(_EVENT)),
}
"""What the host provides of `supervisor`, by function."""

SUPERVISION: Final[Mapping[str, FuncType]] = {
    "child-status": _function(
        _CHILD, gives=EnumOf(("starting", "running", "paused", "stopping", "stopped", "failed"))
    ),
}
"""What the host provides of `supervision`, by function."""


def _callback(params: TupleOf) -> FuncType:
    return FuncType(
        (("state", STATE), ("params", params)), ResultOf(TupleOf((STATE,)), Prim.STRING)
    )


ERROR_PARAMS: Final = TupleOf((Prim.STRING, _ERROR))
EXIT_PARAMS: Final = TupleOf((Prim.STRING, OptionOf(BYTES)))
STOP_PARAMS: Final = TupleOf((Prim.STRING,))
"""What the callbacks get besides the state."""

CALLBACKS: Final[Mapping[str, FuncType]] = {
    "handle-child-error": _callback(ERROR_PARAMS),
    "handle-child-exit": _callback(EXIT_PARAMS),
    "handle-child-external-stop": _callback(STOP_PARAMS),
}
"""What the host calls of `supervisor-handlers`, by function."""
