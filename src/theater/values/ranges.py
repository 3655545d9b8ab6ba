"""What both directions of the codec know of WIT's ranges, and how they refuse a value."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, NoReturn

from theater.errors import CodecError
from theater.values.types import Prim

INTEGER_RANGES: Final = {
    Prim.U8: (0, 2**8 - 1),
    Prim.U16: (0, 2**16 - 1),
    Prim.U32: (0, 2**32 - 1),
    Prim.U64: (0, 2**64 - 1),
    Prim.S8: (-(2**7), 2**7 - 1),
    Prim.S16: (-(2**15), 2**15 - 1),
    Prim.S32: (-(2**31), 2**31 - 1),
    Prim.S64: (-(2**63), 2**63 - 1),
}
HANDLE_MAX: Final = 2**32 - 1

_SINGLE: Final = Struct(">f")


def is_single(value: float) -> bool:
    """Whether a float can be an f32: its value is one exactly, or it is a NaN."""
    if value != value:
        return True
    try:
        return bool(_SINGLE.unpack(_SINGLE.pack(value))[0] == value)
    except OverflowError:
        return False


def refuse(what: str, value: object) -> NoReturn:
    """Raise the CodecError of a value that is not what it should be."""
    shown = f"a {type(value).__name__}"
    if isinstance(value, (bool, float)):
        shown = repr(value)
    elif isinstance(value, int):
        shown = repr(value) if value.bit_length() <= 64 else "an integer above 64 bits"
    elif isinstance(value, str):
        shown = ascii(value[:40])
    raise CodecError(f"not {what}: {shown}")


def check_unique(what: str, names: Sequence[str]) -> None:
    """Raise CodecError if a type names a part twice."""
    if len(set(names)) != len(names):
        raise CodecError(f"the names in a {what} are not unique")
