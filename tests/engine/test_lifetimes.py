"""What lives how long: stores, components, callbacks, exceptions, memory."""

from __future__ import annotations

import gc
import resource
import threading
import weakref

import pytest

from tests.engine.echo import echo
from tests.engine.guests import SEND, Host, binary
from theater.engine import Engine, Returned, live_instances, native, wat
from theater.engine import engine as engine_module
from theater.engine.call import RUNNING
from theater.errors import Conflict, Unavailable
from theater.values.types import BYTES, ListOf, Ok, OptionOf, Prim, RecordOf, TupleOf


def test_an_instance_has_its_place_from_the_beginning_until_it_is_closed(guest):
    before = live_instances()
    instance = guest("counter").instance()
    assert live_instances() == before + 1
    instance.call(SEND, [None, (b"hi",)], Host(), 1000)
    assert live_instances() == before + 1
    instance.close()
    instance.close()
    assert live_instances() == before
    with pytest.raises(Conflict):
        instance.call(SEND, [None, (b"hi",)], Host(), 1000)


def test_a_store_ends_with_its_instance(guest):
    before = live_instances()
    instance = guest("counter").instance()
    instance.call(SEND, [None, (b"hi",)], Host(), 1000)
    del instance
    assert live_instances() == before


def test_nothing_is_running_between_calls(guest):
    component = guest("counter")
    seen = []
    host = Host(lambda function, arguments, give: seen.append(len(RUNNING)))
    component.instance().call(SEND, [None, (b"hi",)], host, 1000)
    component.instance().call(SEND, [None, (b"trap",)], Host(), 1000)
    assert seen == [1]
    assert RUNNING == {}


def test_an_interceptor_and_its_exception_are_let_go(guest):
    class Token:
        pass

    def run():
        token = Token()

        def serve(function, arguments, give):
            raise ValueError(token)

        guest("counter").instance().call(SEND, [None, (b"hi",)], Host(serve), 1000)
        return weakref.ref(token)

    token = run()
    gc.collect()
    assert token() is None


def test_a_component_is_kept_for_the_next_load_and_let_go_with_its_engine(tmp_path):
    with Engine(tmp_path) as engine:
        component = engine.load(binary("counter"))
        instance = component.instance()
        instance.call(SEND, [None, (b"hi",)], Host(), 1000)
        kept = weakref.ref(component)
        del component
        gc.collect()
        assert engine.load(binary("counter")) is kept()
    gc.collect()
    # The instance needs the callbacks of its component.
    assert kept() is not None
    assert isinstance(instance.call(SEND, [None, (b"hi",)], Host(), 1000), Returned)
    del instance
    gc.collect()
    assert kept() is None


def test_components_that_were_not_used_lately_are_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module, "COMPONENTS_LINKED_MAX", 1)
    with Engine(tmp_path) as engine:
        kept = weakref.ref(engine.load(binary("counter")))
        engine.load(binary("loop"))
        gc.collect()
        assert kept() is None
        again = engine.load(binary("counter")).instance()
        assert isinstance(again.call(SEND, [None, (b"hi",)], Host(), 1000), Returned)


def test_instances_survive_the_engine_s_end(tmp_path):
    with Engine(tmp_path) as engine:
        instance = engine.load(binary("counter")).instance()
    assert isinstance(instance.call(SEND, [None, (b"hi",)], Host(), 1000), Returned)


def test_instances_have_a_bound(guest, monkeypatch):
    monkeypatch.setattr("theater.engine.instance.LIVE_INSTANCES_MAX", live_instances() + 1)
    component = guest("counter")
    first = component.instance()
    first.call(SEND, [None, (b"hi",)], Host(), 1000)
    with pytest.raises(Unavailable) as caught:
        component.instance()
    assert caught.value.code == "instances.full"
    first.close()
    second = component.instance()
    assert isinstance(second.call(SEND, [None, (b"hi",)], Host(), 1000), Returned)
    del second  # one that was never closed doesn't count for ever either
    gc.collect()
    component.instance()


def test_an_instance_may_end_as_garbage_while_another_is_admitted(guest, monkeypatch):
    class Collecting(int):
        def __le__(self, other):
            gc.collect()
            return int(self) <= other

    component = guest("counter")
    garbage: list[object] = [component.instance()]
    garbage.append(garbage)
    before = live_instances()
    monkeypatch.setattr("theater.engine.instance.LIVE_INSTANCES_MAX", Collecting(before + 10))
    admitted = []
    thread = threading.Thread(target=lambda: admitted.append(component.instance()), daemon=True)
    del garbage
    thread.start()
    thread.join(30)
    assert len(admitted) == 1
    assert live_instances() == before


def test_values_that_pass_leave_no_memory_behind(engine):
    wit = ListOf(RecordOf((("name", Prim.STRING), ("pair", TupleOf((OptionOf(BYTES), Prim.F64))))))
    value = [{"name": "n" * 40, "pair": (b"x" * 40, 1.5)}] * 40
    component = engine.load(wat(echo([wit])))
    instance = component.instance()
    host = Host(lambda function, arguments, give: give(Ok(arguments)))

    def run(times: int) -> None:
        for _ in range(times):
            outcome = instance.call("$root/e0", [b"state", value], host, 1000)
            assert isinstance(outcome, Returned)
            host.calls.clear()

    run(50)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Each pass moves about half a megabyte: a leak of a tenth of it would be 15 MiB.
    run(300)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_instances_that_trap_leave_no_memory_behind(guest):
    component = guest("trap")

    def run(times: int) -> None:
        for _ in range(times):
            component.instance().call(SEND, [b"s" * 1000, (b"u" * 1000,)], Host(), 1000)

    run(50)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(500)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_an_address_of_memory_is_word_aligned():
    assert all(native.Buffer(size).address % 8 == 0 for size in range(1, 100))
