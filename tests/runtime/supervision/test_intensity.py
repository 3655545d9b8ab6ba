"""How often a supervisor restarts before it gives up, held against a plain list of what happened."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from theater.manifest.model import Restart, Strategy
from theater.runtime.supervision.decision import (
    ASIDES_MAX,
    Child,
    End,
    Exit,
    Spec,
    Verdict,
    Window,
    decide,
    handled,
)

CHILDREN = [Child(name, Restart.PERMANENT) for name in ("a", "b", "c")]
S = 1_000_000

children = st.sampled_from([child.id for child in CHILDREN])
exits = st.sampled_from([Exit.FAILURE, Exit.NORMAL])
microseconds = st.integers(0, 4 * S)


class Intensity(RuleBasedStateMachine):
    """A supervisor with three children, and all that ever counted against it.

    `real` passes and never goes back; the clock is `real + offset`. `counted` has, for each failure,
    the real time from which it is new: that of the failure, or of the first decision after the clock
    was set back behind it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spec = Spec(Strategy.ONE_FOR_ONE, 1, 1)
        self.window = Window()
        self.real = 1000 * S
        self.offset = 0
        self.counted: list[tuple[int, int, str | None]] = []
        self.open: dict[str, str] = {}
        self.in_a_row: dict[str, int] = {}
        self.messages = 0

    @rule(intensity=st.integers(0, 4), period_s=st.integers(1, 3))
    @precondition(lambda self: self.messages == 0 and not self.counted)
    def chosen(self, intensity: int, period_s: int) -> None:
        self.spec = Spec(Strategy.ONE_FOR_ONE, intensity, period_s)

    @rule(span=microseconds)
    def time_passes(self, span: int) -> None:
        self.real += span

    @rule(span=st.integers(0, 3600 * S))
    def the_clock_is_set_back(self, span: int) -> None:
        self.offset -= span

    def _decide(self, end: End) -> Verdict:
        now = self.real + self.offset
        self.counted = [
            (self.real, now, message) if clock > now else (real, clock, message)
            for real, clock, message in self.counted
        ]
        made = decide(self.spec, CHILDREN, end, self.window, now)
        self.window = made.window
        return made.verdict

    def _young(self) -> list[str | None]:
        period = self.spec.period_s * S
        return [message for real, _, message in self.counted if self.real - real <= period]

    def _failed(self, end: End, counted_for: str | None) -> None:
        young = len(self._young())
        verdict = self._decide(end)
        # The decision may have made some new again, whose clock was set back behind them.
        young = max(young, len(self._young()))
        if young + 1 > self.spec.intensity:
            assert verdict is Verdict.GIVE_UP
            self.counted.clear()
            self.open.clear()
            self.in_a_row.clear()
        else:
            assert verdict is Verdict.RESTART
            self.counted.append((self.real, self.real + self.offset, counted_for))

    @rule(child=children, exit_=exits)
    def a_child_ends_without_a_message(self, child: str, exit_: Exit) -> None:
        self._failed(End(child, exit_), None)

    @rule(child=children)
    def a_child_fails_with_a_message_for_the_first_time(self, child: str) -> None:
        self.messages += 1
        message = f"message-{self.messages}"
        self.open[child] = message
        self._failed(End(child, Exit.FAILURE, message), message)

    @rule(child=children)
    @precondition(lambda self: self.open)
    def a_child_fails_with_it_again_and_sets_it_aside(self, child: str) -> None:
        message = self.open.pop(child, None)
        if message is None:
            return
        end = End(child, Exit.FAILURE, message, aside=True)
        self.counted = [each for each in self.counted if each[2] != message]
        row = self.in_a_row.get(child, 0) + 1
        if row == ASIDES_MAX:
            self.in_a_row.pop(child)
            self._failed(end, None)
            return
        self.in_a_row[child] = row
        assert self._decide(end) is Verdict.RESTART

    @rule(child=children)
    def a_child_handles_a_message(self, child: str) -> None:
        self.open.pop(child, None)
        changed = handled(self.window, child)
        assert (changed is not None) is bool(self.in_a_row.pop(child, 0))
        self.window = changed or self.window

    @rule(child=children, count=st.integers(1, ASIDES_MAX - 1))
    def a_child_sets_many_aside(self, child: str, count: int) -> None:
        for _ in range(count):
            if len(self._young()) >= self.spec.intensity:
                return  # the first failure of the next one would be too much
            self.a_child_fails_with_a_message_for_the_first_time(child)
            self.a_child_fails_with_it_again_and_sets_it_aside(child)

    @invariant()
    def what_is_remembered_is_bounded(self) -> None:
        assert len(self.window.failures) <= self.spec.intensity
        assert all(0 < count < ASIDES_MAX for _, count in self.window.asides)


def test_failures_count_for_their_period_whatever_comes_between() -> None:
    run_state_machine_as_test(Intensity, settings=settings(stateful_step_count=25))


def test_the_tenth_message_set_aside_in_a_row_counts_as_one_failure() -> None:
    spec, window = Spec(Strategy.ONE_FOR_ONE, 0, 5), Window()
    verdicts = []
    for n in range(ASIDES_MAX):
        made = decide(spec, CHILDREN, End("a", Exit.FAILURE, f"m{n}", aside=True), window, n)
        verdicts.append(made.verdict)
        window = made.window
    assert verdicts == [Verdict.RESTART] * (ASIDES_MAX - 1) + [Verdict.GIVE_UP]


def test_one_that_is_handled_begins_the_row_anew_for_its_child_only() -> None:
    spec, window = Spec(Strategy.ONE_FOR_ONE, 0, 5), Window()
    for n in range(ASIDES_MAX - 1):
        for child in ("a", "b"):
            end = End(child, Exit.FAILURE, f"{child}{n}", aside=True)
            window = decide(spec, CHILDREN, end, window, n).window
    window = handled(window, "a") or window
    ends = [End(child, Exit.FAILURE, f"{child} last", aside=True) for child in ("a", "b")]
    verdicts = [decide(spec, CHILDREN, end, window, 0).verdict for end in ends]
    assert verdicts == [Verdict.RESTART, Verdict.GIVE_UP]


def test_a_clock_that_is_set_back_makes_a_failure_count_for_one_period_more_at_the_most() -> None:
    spec, hour = Spec(Strategy.ONE_FOR_ONE, 2, 5), 3600 * S
    verdicts, window = [], Window()
    for now in (2 * hour, hour, hour + 4 * S, hour + 6 * S, hour + 12 * S, hour + 13 * S):
        made = decide(spec, CHILDREN, End("a", Exit.FAILURE), window, now)
        verdicts.append(made.verdict)
        window = made.window
    # The first counts anew from the second on: with it the third is too much, and then it is over.
    assert verdicts == [Verdict.RESTART] * 2 + [Verdict.GIVE_UP] + [Verdict.RESTART] * 3
    window = decide(spec, CHILDREN, End("a", Exit.FAILURE), Window(), 2 * hour).window
    window = decide(spec, CHILDREN, End("a", Exit.FAILURE), window, hour).window
    made = decide(spec, CHILDREN, End("a", Exit.FAILURE), window, hour + 6 * S)
    assert made.verdict is Verdict.RESTART
    assert [each.at_us for each in made.window.failures] == [hour + 6 * S]
