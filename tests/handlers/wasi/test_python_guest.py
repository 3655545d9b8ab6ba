"""A guest in Python under WASI: its standard library sees a virtual machine, the same every time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.handlers.wasi.calls import HANDLER, NOW, Call
from theater.build import wit
from theater.engine import (
    Component,
    Ended,
    Engine,
    GuestTrap,
    ImportedFunction,
    Instance,
    Outcome,
    Returned,
)
from theater.handlers.port import Trap
from theater.handlers.wasi import refusal_text

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).parent / "guest" / "app.py"
INIT = "theater:simple/actor/init"


@dataclass(slots=True)
class Serving:
    """Answers a guest's host calls from the WASI handler."""

    call: Call
    served: list[str] = field(default_factory=list)

    def host_call(
        self,
        function: ImportedFunction,
        arguments: tuple[object, ...],
        input: bytes,
        give: Callable[[object], bytes],
    ) -> None:
        self.served.append(function.name)
        provided = HANDLER.functions(None).get(function.interface, {}).get(function.function)
        if provided is None:
            raise GuestTrap("denied", refusal_text(function.interface, function.function))
        try:
            value = provided.run(self.call, *arguments)
        except Trap as trap:
            raise GuestTrap(trap.code, str(trap)) from trap
        if function.type.result is not None:
            give(value)

    def resource_dropped(self, name: str, number: int) -> None:
        HANDLER.drop(self.call.memory, name, number)


def not_wasi(name: str) -> bool:
    return not name.startswith("wasi:")


@pytest.fixture(scope="module")
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest, built once for a source and a toolchain, which takes half a minute."""
    known = wit.files()
    world = wit.world((), (), known)
    parts = [
        SOURCE.read_text(),
        world.text,
        version("componentize-py"),
        *(file.text for file in known),
    ]
    cache = request.config.cache.mkdir("wasi-guest")
    built = cache / (hashlib.sha256("\0".join(parts).encode()).hexdigest() + ".wasm")
    if not built.exists():
        folder = tmp_path_factory.mktemp("wit")
        wit.write_package(folder, world, known)
        making = built.with_suffix(".part")
        subprocess.run(
            [
                Path(sys.executable).parent / "componentize-py",
                *("--wit-path", folder, "--world", wit.WORLD),
                *("componentize", SOURCE.stem, "--python-path", SOURCE.parent, "--output", making),
            ],
            check=True,
            timeout=240,
            capture_output=True,
        )
        making.replace(built)
    return built


@pytest.fixture(scope="module")
def component(built: Path) -> Iterator[Component]:
    """The guest, compiled once for its bytes, which takes as long again."""
    with Engine(built.parent / "artifacts") as engine:
        yield engine.load(built.read_bytes(), recorded=not_wasi)


def run(instance: Instance, what: str, call: Call) -> tuple[Outcome, Serving]:
    serving = Serving(call)
    outcome = instance.call(INIT, [None, (what,)], serving, 10_000)
    HANDLER.finish(call)
    return outcome, serving


def seen(component: Component, what: str, call: Call | None = None) -> object:
    """What the guest's function saw in the first call of a new instance."""
    outcome, _ = run(component.instance(), what, call or Call())
    assert isinstance(outcome, Returned), outcome
    assert outcome.state is not None
    calls, value = json.loads(outcome.state)
    assert calls == 1
    return value


def test_random_values_follow_from_the_entropy_of_the_call(component: Component) -> None:
    first = seen(component, "draw", Call(seed=b"a" * 16))
    again = seen(component, "draw", Call(seed=b"a" * 16))
    other = seen(component, "draw", Call(seed=b"b" * 16))
    assert first == again
    assert isinstance(first, list)
    assert isinstance(other, list)
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_the_clocks_tell_the_time_of_the_call(component: Component) -> None:
    assert seen(component, "clock") == [NOW, NOW]
    assert seen(component, "clock", Call(now=NOW + 5)) == [NOW + 5, NOW + 5]


def test_a_sleep_moves_both_clocks_by_what_was_slept(component: Component) -> None:
    call = Call()
    after = NOW + 250_000_000
    assert seen(component, "sleep", call) == [[NOW, NOW], [after, after]]
    assert call.slept == [250_000_000]


def test_globals_live_as_long_as_the_instance(component: Component) -> None:
    instance = component.instance()
    counts = []
    memory: dict[str, object] = {}
    for _ in range(3):
        outcome, _ = run(instance, "", Call(memory=memory))
        assert isinstance(outcome, Returned)
        counts.append(json.loads(outcome.state or b"")[0])
    assert counts == [1, 2, 3]


def test_what_is_printed_becomes_lines(component: Component) -> None:
    call = Call()
    seen(component, "output", call)
    assert call.lines() == [("stdout", b"hello 1"), ("stderr", b"oops"), ("stdout", b"begun")]


def test_the_guest_finds_itself_nowhere(component: Component) -> None:
    assert seen(component, "surroundings") == [{}, [], "", False]
    assert seen(component, "missing_file") == "FileNotFoundError"


def test_the_traceback_of_an_exception_that_nobody_caught_becomes_lines(
    component: Component,
) -> None:
    call = Call()
    outcome, _ = run(component.instance(), "fail", call)
    assert isinstance(outcome, Ended)
    assert (outcome.kind, outcome.code) == ("trap", "unreachable")
    assert ("stderr", b"ValueError: on purpose") in call.lines()


@pytest.mark.parametrize("what, code", [("leave", "exit"), ("connect", "denied")])
def test_leaving_and_what_is_not_granted_end_the_call(
    component: Component, what: str, code: str
) -> None:
    outcome, _ = run(component.instance(), what, Call())
    assert isinstance(outcome, Ended)
    assert (outcome.kind, outcome.code) == ("trap", code)


def test_a_warm_call_asks_wasi_next_to_nothing(component: Component) -> None:
    instance = component.instance()
    memory: dict[str, object] = {}
    first, warm = (run(instance, "", Call(memory=memory))[1] for _ in range(2))
    assert len(first.served) < 20
    assert len(warm.served) <= 1


def test_the_byte_bridge_changes_nothing_that_can_be_seen(
    component: Component, built: Path
) -> None:
    with Engine(built.parent / "artifacts", bridge=False) as engine:
        plain = engine.load(built.read_bytes(), recorded=not_wasi)
        assert (component.bridged, plain.bridged) == (True, False)
        assert component.exports == plain.exports
        seen = []
        for each in (component, plain):
            instance = each.instance()
            memory: dict[str, object] = {}
            story = []
            for what in ("draw", "output", "", "sleep", "surroundings", "draw", "fail"):
                call = Call(memory=memory)
                outcome, serving = run(instance, what, call)
                ended = outcome if isinstance(outcome, Returned) else type(outcome)
                story.append((ended, call.lines(), call.slept, serving.served))
            seen.append(story)
        assert seen[0] == seen[1]
