"""The grants that the manifests of these tests may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.manifest.grants import Flag, Forbidden, Grant, Names, Number, Size, setting


@dataclass(frozen=True, slots=True)
class StoreGrant(Grant):
    type: ClassVar[str] = "store"
    ignored: ClassVar[dict[str, str]] = {"flavour": "flavour does nothing"}

    max_bytes: int = setting(Size(0, 1 << 30), default=1 << 20)
    max_labels: int = setting(Number(0, 1000), default=100)
    shared: bool = setting(Flag(), default=True)
    labels: tuple[str, ...] | None = setting(Names(), default=None)
    denied: tuple[str, ...] = setting(Forbidden(), default=())


@dataclass(frozen=True, slots=True)
class MessageServerGrant(Grant):
    type: ClassVar[str] = "message-server"
    ignored: ClassVar[dict[str, str]] = {"port": "port does nothing"}


GRANT_TYPES: dict[str, type[Grant]] = {"store": StoreGrant, "message-server": MessageServerGrant}
