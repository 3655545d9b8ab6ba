"""Every handler: what it declares is what its WIT says, and what real guests are built against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.contract import wit_types
from tests.guests.components import Guests
from theater.build import wit
from theater.clock import SystemClock
from theater.engine import Component
from theater.engine.names import recorded_interface
from theater.handlers.actor import types as actor
from theater.handlers.context.handler import ContextHandler
from theater.handlers.grant_types import GRANT_TYPES
from theater.handlers.http_client import HttpClientHandler
from theater.handlers.message_server import types as message_server
from theater.handlers.message_server.handler import MessageServerHandler
from theater.handlers.port import Handler, HostFunction
from theater.handlers.registry.handler import RegistryHandler
from theater.handlers.runtime.handler import RuntimeHandler
from theater.handlers.scheduler import types as scheduler
from theater.handlers.scheduler.handler import SchedulerHandler
from theater.handlers.store.handler import StoreHandler
from theater.handlers.supervisor import types as supervisor
from theater.handlers.supervisor.handler import SupervisorHandler
from theater.handlers.wasi import WasiHandler
from theater.journal.memory import MemoryJournal
from theater.runtime.dispatcher import Dispatcher
from theater.runtime.registry import standard_handlers
from theater.runtime.router import Router
from theater.runtime.scheduler import Scheduler
from theater.runtime.tree import Tree
from theater.store import Stores
from theater.values.syntax import spell_function
from theater.values.types import FuncType

OURS = (
    *("runtime", "context", "scheduler", "registry", "message-server", "store", "supervisor"),
    "http-client",
)


def never(_seconds: float, _do: object) -> None:
    """Nothing runs here, so nothing is due."""


@pytest.fixture(scope="module")
def handlers() -> Iterator[Mapping[str, Handler]]:
    """Every handler by its type, over a node's own parts."""
    journal = MemoryJournal()
    router = Router(journal, Dispatcher(1, 1), SystemClock(), never)
    known: list[Handler] = [
        RuntimeHandler(),
        WasiHandler(),
        MessageServerHandler(router, router.channels),
        StoreHandler(Stores(journal)),
        ContextHandler(),
        SchedulerHandler(Scheduler(journal, router, SystemClock())),
        RegistryHandler(router.names),
        HttpClientHandler(),
        SupervisorHandler(Tree(router, journal, Stores(journal))),
    ]
    yield {handler.type: handler for handler in known}
    journal.close()


@pytest.fixture(scope="module")
def written() -> dict[str, dict[str, FuncType]]:
    """What the `.wit` files beside the handlers say: functions by interface."""
    packages: dict[str, dict[str, str]] = {}
    for file in wit.files():
        packages.setdefault(file.package, {})[str(file.path)] = file.text
    return {
        name: table for texts in packages.values() for name, table in wit_types.read(texts).items()
    }


@pytest.fixture(scope="module")
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    made = Guests(request.config.cache.mkdir("guests"))
    yield made
    made.close()


def functions(handler: Handler) -> dict[str, Mapping[str, HostFunction]]:
    return dict(handler.functions(GRANT_TYPES[handler.type]()))


def test_the_contract_is_kept_by_all_handlers_that_a_node_has(
    handlers: Mapping[str, Handler],
) -> None:
    journal = MemoryJournal()
    router = Router(journal, Dispatcher(1, 1), SystemClock(), never)
    timers = Scheduler(journal, router, SystemClock())
    stores = Stores(journal)
    tree = Tree(router, journal, stores)
    assert set(standard_handlers(router, timers, tree, stores, {}).types) == set(handlers)
    assert set(handlers) == {*OURS, "wasi"}
    journal.close()


@pytest.mark.parametrize("type_", OURS)
def test_every_function_of_the_wit_is_provided_with_its_type_and_no_other(
    handlers: Mapping[str, Handler], written: dict[str, dict[str, FuncType]], type_: str
) -> None:
    handler = handlers[type_]
    provided = functions(handler)
    assert set(provided) == set(handler.interfaces)
    assert set(provided) == {
        recorded_interface(each.full)
        for file in wit.files()
        for each in file.interfaces
        if each.handler == type_ and each.side is wit.Side.HOST
    }
    for interface, table in provided.items():
        expected = written[interface.partition("/")[2].partition("@")[0]]
        assert {name: function.type for name, function in table.items()} == expected


def test_what_is_called_of_an_actor_has_the_type_of_the_wit(
    written: dict[str, dict[str, FuncType]],
) -> None:
    assert written["actor"] == {"init": actor.INIT}
    assert FuncType(actor.INIT.params[:1], actor.INIT.result) == actor.OLDER_INIT
    assert written["scheduler-client"] == scheduler.CALLBACKS
    assert written["supervisor-handlers"] == supervisor.CALLBACKS
    assert written["message-server-client"] == message_server.CALLBACKS


def test_types_are_told_in_the_spelling_of_the_wit(
    written: dict[str, dict[str, FuncType]],
) -> None:
    said = {name: spell_function(wit) for name, wit in written["message-server-host"].items()}
    assert said["send"] == "func(actor-id: string, msg: list<u8>) -> result<_, string>"
    assert said["list-outstanding-requests"] == "func() -> list<string>"
    assert spell_function(written["runtime"]["log"]) == "func(msg: string)"
    assert (
        spell_function(written["store"]["get-by-label"])
        == "func(store-id: string, label: string) -> result<option<record { hash: string }>, string>"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conformance", "researcher"])
def test_guests_of_the_real_toolchain_import_and_export_just_these_types(
    handlers: Mapping[str, Handler], guests: Guests, name: str
) -> None:
    component: Component = guests.load(name)
    declared = {
        f"{interface}/{function}": host.type
        for type_ in OURS
        for interface, table in functions(handlers[type_]).items()
        for function, host in table.items()
    }
    seen = {f.name: f.type for f in component.imports if f.name.startswith("theater:")}
    assert len(seen) > 10
    assert {name: declared[name] for name in seen} == seen
    exports = {
        "theater:simple/actor/init": actor.INIT,
        **{
            f"theater:simple/message-server-client/{name}": type_
            for name, type_ in message_server.CALLBACKS.items()
        },
    }
    assert {name: component.exports[name] for name in exports} == exports
