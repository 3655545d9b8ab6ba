"""Messages and states above their bounds: refused or ended, each with its own word, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.actors import WAIT_S, manifest, theater
from theater.errors import ActorFailed, TooLarge
from theater.runtime.settings import NodeSettings

pytestmark = pytest.mark.slow


def test_a_state_above_its_bound_ends_the_call_and_leaves_the_state(
    tmp_path: Path, cache_dir: Path
) -> None:
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as stage:
        actor = stage.start("counter", manifest("counter", state_bytes=1))
        for number in range(1, 10):
            assert stage.ask(actor, b"x") == b"%d" % number
        with pytest.raises(ActorFailed) as failure:
            stage.ask(actor, b"the state would have two digits")
        assert "state" in failure.value.message
        assert stage.node.state(actor.id) == b"9"
        assert b"state" in next(
            event.data or b"" for event in stage.node.events(actor.id) if event.type == "wasm-error"
        )
        stage.prove(actor)


def test_an_initial_state_above_its_bound_starts_nothing(tmp_path: Path, cache_dir: Path) -> None:
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as stage:
        with pytest.raises(TooLarge) as refusal:
            stage.start("counter", manifest("counter", state_bytes=3), state=b"1234")
        assert refusal.value.code == "state.too_large"
        assert stage.node.list(ended=True) == []


def test_a_message_of_a_guest_above_the_receivers_bound_is_an_error_of_the_sender_alone(
    tmp_path: Path, cache_dir: Path
) -> None:
    with theater(tmp_path / "data", NodeSettings(cache_dir=cache_dir)) as stage:
        receiver = stage.start("counter", manifest("counter", message_bytes=10))
        sender = stage.start("relay", state=receiver.id.encode())
        with pytest.raises(ActorFailed) as failure:
            stage.node.request(sender.id, b"x" * 11).result(WAIT_S)
        assert "limits.message_bytes" in failure.value.message
        assert stage.node.request(sender.id, b"x" * 10).result(WAIT_S) == b"1"
        for actor in (receiver, sender):
            assert stage.node.info(actor.id).status == "running"
            stage.prove(actor)
