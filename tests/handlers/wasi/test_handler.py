"""What is provided, what is refused, and how."""

from __future__ import annotations

import pytest

from tests.handlers.wasi.calls import HANDLER, Call
from theater.handlers.port import Effect, Trap
from theater.handlers.wasi import WasiGrant, refusal_text
from theater.manifest.table import Table
from theater.values.types import Err, Ok

FUNCTIONS = HANDLER.functions(WasiGrant())


def test_the_environment_is_empty_and_there_is_no_directory_or_terminal() -> None:
    call = Call()
    assert call.run("wasi:cli/environment@0.2/get-environment") == []
    assert call.run("wasi:cli/environment@0.2/get-arguments") == []
    assert call.run("wasi:cli/environment@0.2/initial-cwd") is None
    assert call.run("wasi:filesystem/preopens@0.2/get-directories") == []
    for name in ("stdin", "stdout", "stderr"):
        assert call.run(f"wasi:cli/terminal-{name}@0.2/get-terminal-{name}") is None


@pytest.mark.parametrize("status", [Ok(), Err()])
def test_exit_ends_the_call(status: object) -> None:
    with pytest.raises(Trap) as trap:
        Call().run("wasi:cli/exit@0.2/exit", status)
    assert trap.value.code == "exit"
    with pytest.raises(Trap) as trap:
        Call().run("wasi:cli/exit@0.2/exit-with-code", 3)
    assert trap.value.code == "exit"


def test_only_the_way_out_is_recorded_as_a_host_call() -> None:
    recorded = {
        f"{interface}/{name}"
        for interface, functions in FUNCTIONS.items()
        for name, function in functions.items()
        if function.effect is not Effect.VIRTUAL
    }
    assert recorded == {"wasi:cli/exit@0.2/exit", "wasi:cli/exit@0.2/exit-with-code"}


def test_interfaces_are_named_without_a_patch_version() -> None:
    assert set(HANDLER.interfaces) == set(FUNCTIONS)
    assert all(name.startswith("wasi:") and name.endswith("@0.2") for name in HANDLER.interfaces)


@pytest.mark.parametrize("interface", ["wasi:filesystem/types@0.2", "wasi:http/types@0.2"])
def test_a_refusal_names_the_function_and_that_nothing_grants_it(interface: str) -> None:
    assert interface not in FUNCTIONS
    text = refusal_text(interface, "[method]x.y")
    assert f"{interface}/[method]x.y" in text
    assert "no handler of this version grants it" in text


def test_a_refusal_names_the_lines_of_a_manifest_that_help() -> None:
    assert 'type = "http-client"' in refusal_text("wasi:http/outgoing-handler@0.2", "handle")
    assert "[[handler]]" not in refusal_text("wasi:sockets/tcp@0.2", "f")


def test_a_refusal_says_when_the_version_is_the_reason() -> None:
    assert "WASI 0.2 only" in refusal_text("wasi:cli/stdout@0.3", "f")
    assert "WASI 0.2 only" not in refusal_text("wasi:cli/stdout@0.2", "f")


def test_a_grant_has_no_settings() -> None:
    empty, wrong = Table({}), Table({"filesystem": True})
    grant = WasiGrant.from_settings(empty)
    WasiGrant.from_settings(wrong)
    assert empty.problems.found == ()
    assert len(wrong.problems.found) == 1
    assert grant.meet(grant) == grant
    assert grant.as_map() == {}
