"""`theater:agent/scheduler`: timers whose messages come back to the actor that set them.

A timer is set, or cancelled, in the record of the call that asked for it. When one is due is a fact
(`due`, microseconds since the epoch): the call's own clock stands still, the timer's doesn't.
Source: scheduler.wit beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from theater.errors import TheaterError, UsageError
from theater.handlers.port import Effect, HostCall, HostFunction, TimerPort
from theater.handlers.scheduler import cron
from theater.handlers.scheduler.grant import SchedulerGrant
from theater.handlers.scheduler.types import TYPES
from theater.ids import timer_id
from theater.journal.records import CancelTimer, SetTimer, Timer, TimerKind
from theater.limits import TIMER_DELAY_MS_MAX, TIMER_PERIOD_MS_MIN
from theater.values.types import Err, Ok

INTERFACE: Final = "theater:agent/scheduler@0.1"


class SchedulerHandler:
    """What an actor imports to be called later."""

    type = "scheduler"
    interfaces = (INTERFACE,)

    def __init__(self, timers: TimerPort) -> None:
        self._timers = timers

    def functions(self, grant: object) -> Mapping[str, Mapping[str, HostFunction]]:
        """Its functions under a SchedulerGrant."""
        assert isinstance(grant, SchedulerGrant)
        bound = _Bound(self._timers, grant)
        runs: dict[str, Callable[..., object]] = {
            "after": bound.after,
            "every": bound.every,
            "cron": bound.cron,
            "cancel": bound.cancel,
            "pending": bound.pending,
        }
        return {
            INTERFACE: {
                name: HostFunction(Effect.RECORDED, run, TYPES[name]) for name, run in runs.items()
            }
        }


class _Bound:
    def __init__(self, timers: TimerPort, grant: SchedulerGrant) -> None:
        self._timers = timers
        self._grant = grant

    def after(self, call: HostCall, delay_ms: int, payload: bytes) -> Ok | Err:
        if delay_ms > TIMER_DELAY_MS_MAX:
            return Err(f"timer.delay: a delay has at most {TIMER_DELAY_MS_MAX} ms")
        return self._set_later(call, "after", delay_ms * 1000, payload)

    def every(self, call: HostCall, period_ms: int, payload: bytes) -> Ok | Err:
        if not TIMER_PERIOD_MS_MIN <= period_ms <= TIMER_DELAY_MS_MAX:
            return Err(
                f"timer.period: a period has {TIMER_PERIOD_MS_MIN} to {TIMER_DELAY_MS_MAX} ms"
            )
        return self._set_later(call, "every", period_ms * 1000, payload)

    def cron(self, call: HostCall, expression: str, payload: bytes) -> Ok | Err:
        try:
            cron.check(expression)
            due_us = cron.next_after(expression, self._timers.now_us())
            if due_us is None:
                raise UsageError(f"{expression!r} never comes", code="timer.cron")
        except UsageError as error:
            return _told(error)
        id_ = timer_id(call.derive())
        return self._set(call, Timer(id_, call.actor, "cron", due_us, payload, cron=expression))

    def _set_later(self, call: HostCall, kind: TimerKind, span_us: int, payload: bytes) -> Ok | Err:
        id_, due_us = timer_id(call.derive()), self._timers.now_us() + span_us
        return self._set(call, Timer(id_, call.actor, kind, due_us, payload, span_us))

    def _set(self, call: HostCall, timer: Timer) -> Ok | Err:
        try:
            self._timers.check(timer, self._grant.max_timers)
        except TheaterError as error:
            return _told(error)
        call.facts["due"] = timer.due_us
        call.step(SetTimer(timer))
        call.after(lambda: self._timers.add(timer))
        return Ok(timer.id)

    def cancel(self, call: HostCall, timer: str) -> Ok | Err:
        try:
            withheld = self._timers.withhold(call.actor, timer)
        except TheaterError as error:
            return _told(error)
        call.hold(withheld)
        call.step(CancelTimer(timer))
        call.after(lambda: self._timers.remove(call.actor, timer))
        return Ok()

    def pending(self, call: HostCall) -> list[str]:
        return self._timers.pending(call.actor)


def _told(error: TheaterError) -> Err:
    return Err(f"{error.code}: {error.message}")
