"""Time as a port: whoever needs the time is given a `Clock`."""

from __future__ import annotations

import time
from typing import Final, Protocol

_TIME_NS_MAX: Final = 2**63 - 1


class Clock(Protocol):
    """Wall time that may jump and a monotonic time that never does."""

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def wall_us(self) -> int:
        # What a chain and a database can hold, also in nanoseconds: 1970 to 2262.
        return min(max(time.time_ns(), 0), _TIME_NS_MAX) // 1000

    def monotonic(self) -> float:
        return time.monotonic()
