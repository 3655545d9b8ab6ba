"""What comes of a call into a guest, and what a host function may raise to end one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from theater.values.types import FuncType


@dataclass(frozen=True, slots=True)
class ImportedFunction:
    """A function that a component imports.

    `interface` is recorded without patch version; `name` is interface, slash, function. If it is
    not `recorded`, no CBOR is made of its arguments and its result. `bridged` tells how its bytes
    pass through the library.
    """

    index: int
    interface: str
    function: str
    name: str
    type: FuncType
    recorded: bool
    bridged: bool = False


class Returned(msgspec.Struct, frozen=True, gc=False):
    """The guest returned ok: the state to keep, what stands behind it, and that as a CBOR array."""

    state: bytes | None
    rest: tuple[object, ...]
    rest_cbor: bytes


class GuestError(msgspec.Struct, frozen=True, gc=False):
    """The guest returned an error of its own."""

    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The call ended otherwise, and its instance is dead.

    `kind` and `code` are those of a `wasm-error`; `detail` is for the log and may change with the
    library; `cause` is what a host function raised.
    """

    kind: str
    code: str | None
    detail: str
    cause: BaseException | None = None


Outcome = Returned | GuestError | Ended


class GuestTrap(Exception):
    """Raised by a host function: the call ends with kind `trap` and this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class EndCall(BaseException):
    """Raised by a host function: the call ends with this kind and code.

    No `Exception`, so that no handler's `except Exception` swallows it.
    """

    def __init__(self, kind: str, code: str | None, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code


class Interceptor(Protocol):
    """Stands around every host call of a running call, on the guest's thread."""

    def host_call(
        self,
        function: ImportedFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        """Serve a host call.

        `input` is the CBOR array of the arguments, empty if the function isn't recorded. If the
        function has a result, `give` is called exactly once with it, puts it where the guest finds
        it and returns its CBOR, empty if the function isn't recorded; CodecError if the value is
        not of the result's type.
        """
        ...

    def resource_dropped(self, name: str, number: int) -> None:
        """The guest gave up its own handle of a resource that a host function returned."""
        ...
