"""What a supervisor does when one of its children has ended: Erlang/OTP's rules as a pure decision.

    restart      the child is started again after
    permanent    every end but a stop by somebody
    transient    a failure
    temporary    nothing

    strategy     started again with it
    one_for_one  nobody
    one_for_all  all other children
    rest_for_one the children that were started after it

Others are stopped youngest first before anybody starts, then all start in the order in which they
were first started. A temporary child that is stopped so stays stopped. More than `intensity`
restarts within `period_s` seconds and the supervisor gives up: that is then a failure of its own.

OTP knows processes, not messages. Here a message that ended two calls is set aside, and since it
was to blame, its failures leave the window. Ten messages set aside in a row, without one handled,
are to blame on the child, and count as one failure.

Source: OTP's `supervisor` in stdlib, and "Supervisor Behaviour" in its Design Principles.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from theater.journal.records import Failure
from theater.manifest.model import Restart, Strategy

ASIDES_MAX: Final = 10
"""How many messages a child sets aside in a row before that counts as a failure of its own."""


class Exit(Enum):
    """How a child ended."""

    NORMAL = "normal"
    """It asked for its end."""
    FAILURE = "failure"
    STOPPED = "stopped"
    """Somebody stopped it, which is final."""


class Child(NamedTuple):
    """A living child."""

    id: str
    restart: Restart


class Spec(NamedTuple):
    """How a supervisor supervises."""

    strategy: Strategy
    intensity: int
    period_s: int


class End(NamedTuple):
    """The end of a child. `message` is the one in hand, None for none; `aside`: it is set aside."""

    child: str
    exit: Exit
    message: str | None = None
    aside: bool = False


class Window(NamedTuple):
    """What a supervisor remembers: failures, oldest first, and messages that children set aside in a row."""

    failures: tuple[Failure, ...] = ()
    asides: tuple[tuple[str, int], ...] = ()


class Verdict(Enum):
    LEAVE = "leave"
    """The child stays as it ended, and nobody else is touched."""
    RESTART = "restart"
    GIVE_UP = "give up"
    """The child ends, and its supervisor fails."""


class Decision(NamedTuple):
    """What is to be done.

    `stops` are stopped first, in this order; then `starts` are started, in this order. Who is in
    `stops` only stays stopped. `window` is what is remembered from now on.
    """

    verdict: Verdict
    window: Window
    stops: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()


def decide(
    spec: Spec, children: Sequence[Child], end: End, window: Window, now_us: int
) -> Decision:
    """Decide on the end of a child. `children` are the living ones, in the order of their start.

    The one that ended is among them. `now_us` are microseconds of a clock that may be set.
    """
    child = next(each for each in children if each.id == end.child)
    if not _starts_again(child.restart, end.exit):
        return Decision(Verdict.LEAVE, forget(window, child.id))
    window, counts = _counted(window, end, spec.period_s, now_us)
    if counts and len(window.failures) > spec.intensity:
        return Decision(Verdict.GIVE_UP, Window())
    group = [each for each in children if _goes_with(spec.strategy, children, child, each)]
    return Decision(
        Verdict.RESTART,
        window,
        tuple(each.id for each in reversed(group) if each is not child),
        tuple(each.id for each in group if each is child or each.restart is not Restart.TEMPORARY),
    )


def handled(window: Window, child: str) -> Window | None:
    """What is remembered after a child has handled a message; None if that changes nothing."""
    if not any(each == child for each, _ in window.asides):
        return None
    return forget(window, child)


def forget(window: Window, child: str) -> Window:
    """What is remembered without the messages that a child set aside."""
    return window._replace(asides=tuple(each for each in window.asides if each[0] != child))


def _starts_again(restart: Restart, exit_: Exit) -> bool:
    if exit_ is Exit.STOPPED or restart is Restart.TEMPORARY:
        return False
    return exit_ is Exit.FAILURE or restart is Restart.PERMANENT


def _goes_with(strategy: Strategy, children: Sequence[Child], ended: Child, other: Child) -> bool:
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return other is ended
        case Strategy.ONE_FOR_ALL:
            return True
        case Strategy.REST_FOR_ONE:
            return children.index(other) >= children.index(ended)


def _counted(window: Window, end: End, period_s: int, now_us: int) -> tuple[Window, bool]:
    """The window with an end taken in, and whether that has added a failure to it."""
    # A time that is still to come was taken before the clock was set back. It is made the present:
    # the failure then counts for one period more at the most, and never for ever.
    kept = [each for each in window.failures if now_us <= each.at_us + period_s * 1_000_000]
    kept = [Failure(min(each.at_us, now_us), each.message) for each in kept]
    asides = dict(window.asides)
    counts = True
    message = end.message
    if end.aside:
        kept = [each for each in kept if each.message is None or each.message != message]
        in_a_row = asides.pop(end.child, 0) + 1
        counts = in_a_row >= ASIDES_MAX
        message = None
        if not counts:
            asides[end.child] = in_a_row
    if counts:
        kept.append(Failure(now_us, message))
    return Window(tuple(kept), tuple(sorted(asides.items()))), counts
