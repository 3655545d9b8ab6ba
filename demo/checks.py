"""What must be true of the run, found from the gate's log and the chain alone.

Pure: the gate's log says what reached the model, the chain says what the actor was told. Neither knows
of the other, so their agreement is worth something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.ledger import Line

INTENT_MARK = "!"
ARRIVALS = frozenset({"asked", "repeated"})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to be so, and what was seen."""

    claim: str
    ok: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Post:
    """An HTTP request as the chain has it: its intent, and the event with its answer if there is one.

    Times are microseconds since the Unix epoch.
    """

    key: str
    intent_seq: int
    answer_seq: int | None
    answer_at: int | None


def posts(events: Sequence[Mapping[str, Any]]) -> list[Post]:
    """The HTTP requests of a chain, in its order. `events` are lines as `theater events` prints them."""
    found: list[Post] = []
    for event in events:
        kind = event["event_type"]
        if "/http-client/" not in kind:
            continue
        if kind.endswith(INTENT_MARK):
            found.append(Post(event["data"]["key"], event["seq"], None, None))
        elif found and found[-1].answer_seq is None:
            # Host calls don't nest, so the answer belongs to the intent before it.
            last = found.pop()
            found.append(Post(last.key, last.intent_seq, event["seq"], event["at"]))
    return found


def judge(
    log: Sequence[Line], events: Sequence[Mapping[str, Any]], *, questions: int, in_flight: str
) -> list[Check]:
    """The claims about keys. `in_flight` is the key whose answer was held back when the server died."""
    made = posts(events)
    distinct = {line.key for line in log if line.kind == "asked"}
    repeated = Counter(line.key for line in log if line.kind == "repeated")
    answered_at = {post.key: post.answer_at for post in made if post.answer_at is not None}
    returned = [
        line.key
        for line in log
        if line.kind in ARRIVALS and line.at >= answered_at.get(line.key, line.at + 1)
    ]
    refused = sum(line.kind == "refused" for line in log)
    return [
        Check(
            "as many distinct keys as questions",
            len(distinct) == questions and refused == 0,
            f"{questions} questions, {len(distinct)} keys at the gate",
        ),
        Check(
            "the gate and the chain name the same keys",
            distinct == answered_at.keys() and len(made) == len(distinct),
            f"{len(made)} intents in the chain, {len(answered_at)} answered",
        ),
        Check(
            "only the key in flight was repeated, once",
            repeated == {in_flight: 1},
            ", ".join(f"{key[:8]}… came {count + 1} times" for key, count in repeated.items())
            or "none was",
        ),
        Check(
            "no key whose answer is in the chain came back",
            not returned,
            f"{len(returned)} of {sum(line.kind in ARRIVALS for line in log)} requests",
        ),
    ]
