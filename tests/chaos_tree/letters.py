"""What the actors of the tree are told: the bodies of messages, manifests and initial states.

The guests are `branch.wat` and `leaf/leaf.py`; every message has a name of its own, by which an
oracle can say what an actor's state must be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from tests.chaos_tree.plan import Fault, Member, Plan

NAME_BYTES: Final = 12
ID_BYTES: Final = 36
REQUEST_MS: Final = 3_000
GROW_MS: Final = 60_000
"""How long a parent waits for a child that starts, with all that is below it."""

SEND_MS: Final = 2_000
DEADLINE_MS: Final = 400
BRANCH_DEADLINE_MS: Final = 60_000
PASSIVATE_MS: Final = 3_000

LETTERS: Final = {
    Fault.POISON: b"p",
    Fault.DEADLINE: b"l",
    Fault.ERROR: b"e",
    Fault.EXIT: b"x",
}
"""The faults that are one message for their target."""


@dataclass(frozen=True, slots=True)
class Components:
    """The SHA-256 of each guest, in hexadecimal."""

    wat: str
    python: str


def letter(sign: bytes, name: str, more: bytes = b"") -> bytes:
    """A message's body: a letter, its name, and what belongs to the letter."""
    assert len(sign) == 1
    assert len(name) == NAME_BYTES
    return sign + name.encode() + more


def named(body: bytes) -> str:
    """The name of a message."""
    return body[1 : 1 + NAME_BYTES].decode()


def manifest(member: Member, components: Components) -> str:
    """The manifest of a member, whose component the node has."""
    is_leaf = "." in member.name
    return f"""name = "{member.name}"
component = "{member.language}.wasm"
component_sha256 = "{components.python if member.language == "python" else components.wat}"
request_timeout_ms = {REQUEST_MS if is_leaf else GROW_MS}
send_timeout_ms = {SEND_MS}
errors = "{member.errors}"
passivate_after_ms = {PASSIVATE_MS}
[supervision]
restart = "{member.restart}"
restart_state = "{member.restart_state}"
strategy = "{member.strategy}"
intensity = {member.intensity}
period_s = {member.period_s}
shutdown_ms = 2000
[limits]
deadline_ms = {DEADLINE_MS if is_leaf else BRANCH_DEADLINE_MS}
[[handler]]
type = "message-server"
""" + ("" if member.language == "python" else '[[handler]]\ntype = "supervisor"\n')


def initial_state(plan: Plan, member: Member, components: Components) -> bytes:
    """What a member's `init` gets: the children that it is to spawn, with all that is below them."""
    if member.language == "python":
        return json.dumps({"v": 1, "seen": []}).encode()
    return b"".join(description(plan, child, components) for child in plan.children(member.name))


def description(plan: Plan, member: Member, components: Components) -> bytes:
    """A member as its parent spawns it: manifest and initial state, each behind its length."""
    parts = manifest(member, components).encode(), initial_state(plan, member, components)
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def states_names(member: Member, state: bytes | None) -> list[str]:
    """The names of the messages that a state says were handled."""
    if not state:
        return []
    if member.language == "python":
        seen = json.loads(state)["seen"]
        assert isinstance(seen, list)
        return [str(each) for each in seen]
    text = state.decode()
    return [text[at : at + NAME_BYTES] for at in range(0, len(text), NAME_BYTES)]
