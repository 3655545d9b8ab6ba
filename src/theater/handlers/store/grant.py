"""The grant of stores: how much an actor may keep, and which store it shares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from theater.limits import STORE_BYTES_MAX, STORE_CONTENT_BYTES_MAX
from theater.manifest.grants import Grant, Size, setting
from theater.manifest.table import Table

_STORE_ID: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


def _store_id(text: str) -> str | None:
    if _STORE_ID.fullmatch(text):
        return None
    return f"{text!r} is not the id of a store: a small letter, then up to 63 of a-z 0-9 _ . -"


@dataclass(frozen=True, slots=True)
class SharedStore:
    """A store's id, None for no shared one; two grants share only the same."""

    def read(self, table: Table, name: str, default: str | None) -> str | None:
        found = table.text(name, check=_store_id)
        return default if found is None else found

    def meet(self, mine: str | None, other: str | None) -> str | None:
        return mine if mine == other else None

    def plain(self, value: str | None) -> object:
        return value


@dataclass(frozen=True, slots=True)
class StoreGrant(Grant):
    """`max_bytes` is for all stores that the actor made, or for the shared one; sizes are bytes.

    `store_id` names a store that every actor whose grant names it may use; None keeps to the
    actor's own.
    """

    type: ClassVar[str] = "store"

    store_id: str | None = setting(SharedStore(), default=None)
    max_bytes: int = setting(Size(0, STORE_BYTES_MAX), default=STORE_BYTES_MAX)
    max_content_bytes: int = setting(
        Size(0, STORE_CONTENT_BYTES_MAX), default=STORE_CONTENT_BYTES_MAX
    )
