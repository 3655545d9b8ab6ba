"""Components as the byte bridge reads them: what it does not know it leaves, and never anything else."""

from __future__ import annotations

from theater.engine.bridge import wrap
from theater.engine.bridge_reader import Unsupported
from theater.engine.bridge_surface import surface


def one(data: bytes) -> None:
    try:
        surface(data)
    except Unsupported:
        assert wrap(data) is None
        return
    wrap(data)
