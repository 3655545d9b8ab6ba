"""The grant of supervisors: how many living children an actor may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from theater.limits import CHILDREN, CHILDREN_CEILING
from theater.manifest.grants import Grant, Number, setting


@dataclass(frozen=True, slots=True)
class SupervisorGrant(Grant):
    """`max_children` counts those that live, and none of their own children."""

    type: ClassVar[str] = "supervisor"

    max_children: int = setting(Number(0, CHILDREN_CEILING), default=CHILDREN)
