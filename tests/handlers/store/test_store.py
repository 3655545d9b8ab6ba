"""The store as guests see it: every function, every refusal, and nobody else's content."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pytest

from theater import limits
from theater.errors import JournalFailed
from theater.handlers.port import Effect
from theater.handlers.store.grant import StoreGrant
from theater.handlers.store.handler import INTERFACE, StoreHandler
from theater.journal.image import Image
from theater.journal.memory import MemoryJournal
from theater.journal.records import Step
from theater.manifest.table import Table
from theater.store import Stores
from theater.values.types import Err, Ok

WAIT_S = 60
ROOT = Path(__file__).resolve().parents[3]
T = TypeVar("T")


class Call:
    """A host call in a session that records what it is given, as the interceptor does."""

    def __init__(self, actor: str, number: int) -> None:
        self.actor = actor
        self.number = number
        self.steps: list[Step] = []
        self.done: list[Callable[[], None]] = []

    def derive(self) -> bytes:
        return sha256(f"{self.actor} {self.number}".encode()).digest()

    def step(self, step: Step) -> None:
        self.steps.append(step)

    def after(self, done: Callable[[], None]) -> None:
        self.done.append(done)


class Guest:
    """An actor's imports: `guest("store", id, b"…")` makes a host call and records it."""

    numbers = iter(range(10**9))

    def __init__(self, node: Node, actor: str, grant: StoreGrant | None = None) -> None:
        self.node = node
        self.actor = actor
        self.functions = node.handler.functions(grant or StoreGrant())[INTERFACE]

    def begin(self, function: str, *arguments: object) -> tuple[Call, object]:
        call = Call(self.actor, next(self.numbers))
        return call, self.functions[function].run(call, *arguments)

    def __call__(self, function: str, *arguments: object) -> object:
        call, result = self.begin(function, *arguments)
        self.node.record(call)
        return result

    def ok(self, function: str, *arguments: object) -> object:
        result = self(function, *arguments)
        assert isinstance(result, Ok), result
        return result.value

    def refused(self, function: str, *arguments: object) -> str:
        result = self(function, *arguments)
        assert isinstance(result, Err), result
        assert isinstance(result.value, str)
        return result.value.split(":")[0]

    def keep(self, store: object, data: bytes) -> dict[str, str]:
        ref = self.ok("store", store, data)
        assert ref == {"hash": sha256(data).hexdigest()}
        return ref_of(data)


class Node:
    def __init__(self, journal: MemoryJournal, **settings: int) -> None:
        self.journal = journal
        self.stores = Stores(journal, **settings)
        self.handler = StoreHandler(self.stores)

    def record(self, call: Call) -> None:
        if call.steps:
            self.journal.append(tuple(call.steps))
        for done in call.done:
            done()
        self.handler.release(call)  # type: ignore[arg-type]

    def restarted(self) -> Node:
        return Node(self.journal.reopened())


@pytest.fixture
def node() -> Node:
    return Node(MemoryJournal())


@pytest.fixture
def guest(node: Node) -> Guest:
    return Guest(node, "ada")


def ref_of(data: bytes) -> dict[str, str]:
    return {"hash": sha256(data).hexdigest()}


def test_all_functions_of_the_interface_are_there_and_recorded(node: Node) -> None:
    wit = (ROOT / "src/theater/handlers/store/store.wit").read_text()
    names = {
        line.split(":")[0].strip()
        for line in wit.splitlines()
        if ": func(" in line and not line.strip().startswith("///")
    }
    functions = node.handler.functions(StoreGrant())[INTERFACE]
    assert set(functions) == names
    assert len(names) == 14
    assert {function.effect for function in functions.values()} == {Effect.RECORDED}


def test_content_is_kept_once_and_read_back(guest: Guest) -> None:
    store = guest.ok("new")
    ref = guest.keep(store, b"hello")
    assert guest.keep(store, b"hello") == ref
    assert guest.ok("get", store, ref) == b"hello"
    assert guest.ok("exists", store, ref) is True
    assert guest.ok("exists", store, ref_of(b"other")) is False
    assert guest.ok("calculate-total-size", store) == 5


def test_an_id_is_derived_from_the_place_of_the_call(guest: Guest) -> None:
    call, result = guest.begin("new")
    assert result == Ok("store_" + call.derive()[:16].hex())


def test_a_label_names_what_was_added_last(guest: Guest) -> None:
    store = guest.ok("new")
    one, two = guest.keep(store, b"1"), guest.keep(store, b"2")
    assert guest.ok("get-by-label", store, "l") is None
    assert guest.ok("label", store, "l", one) is None
    guest.ok("label", store, "l", two)
    assert guest.ok("get-by-label", store, "l") == two
    guest.ok("remove-from-label", store, "l", two)
    assert guest.ok("get-by-label", store, "l") == one
    guest.ok("remove-from-label", store, "l", one)
    assert guest.ok("list-labels", store) == []
    assert guest.ok("get", store, two) == b"2"


def test_a_reference_that_is_added_again_moves_to_the_end_and_is_there_once(guest: Guest) -> None:
    store = guest.ok("new")
    one, two = guest.keep(store, b"1"), guest.keep(store, b"2")
    for ref in (one, two, one):
        guest.ok("label", store, "l", ref)
    assert guest.ok("get-by-label", store, "l") == one
    guest.ok("remove-from-label", store, "l", one)
    assert guest.ok("get-by-label", store, "l") == two


def test_labels_are_replaced_and_removed(guest: Guest) -> None:
    store = guest.ok("new")
    one = guest.ok("store-at-label", store, "l", b"1")
    assert one == ref_of(b"1")
    guest.ok("store-at-label", store, "l", b"2")
    assert guest.ok("replace-content-at-label", store, "l", b"3") == ref_of(b"3")
    guest.ok("remove-from-label", store, "l", ref_of(b"3"))
    assert guest.ok("get-by-label", store, "l") is None
    guest.ok("store-at-label", store, "l", b"4")
    guest.ok("replace-at-label", store, "l", one)
    assert guest.ok("get-by-label", store, "l") == one
    guest.ok("remove-label", store, "l")
    guest.ok("remove-label", store, "l")
    guest.ok("remove-from-label", store, "l", one)
    assert guest.ok("list-labels", store) == []
    assert guest.ok("calculate-total-size", store) == 4


def test_lists_are_sorted(guest: Guest) -> None:
    store = guest.ok("new")
    for label in ("b", "ä", "a/../c", "B"):
        guest.ok("store-at-label", store, label, label.encode())
    assert guest.ok("list-labels", store) == ["B", "a/../c", "b", "ä"]
    hashes = sorted(sha256(label.encode()).hexdigest() for label in ("b", "ä", "a/../c", "B"))
    assert guest.ok("list-all-content", store) == [{"hash": hash_} for hash_ in hashes]


def test_everything_is_there_after_a_restart(guest: Guest, node: Node) -> None:
    store = guest.ok("new")
    guest.ok("store-at-label", store, "l", b"1")
    guest.ok("store-at-label", store, "l", b"2")
    guest.ok("store-at-label", store, "gone", b"3")
    guest.ok("remove-label", store, "gone")
    again = Guest(node.restarted(), "ada")
    assert again.ok("list-labels", store) == ["l"]
    assert again.ok("get-by-label", store, "l") == ref_of(b"2")
    assert again.ok("get", store, ref_of(b"3")) == b"3"
    assert again.ok("calculate-total-size", store) == 3
    again.ok("remove-from-label", store, "l", ref_of(b"2"))
    assert again.ok("get-by-label", store, "l") == ref_of(b"1")


CALLS: list[tuple[object, ...]] = [
    ("store", b"x"),
    ("get", ref_of(b"secret")),
    ("exists", ref_of(b"secret")),
    ("label", "l", ref_of(b"secret")),
    ("get-by-label", "l"),
    ("remove-label", "l"),
    ("remove-from-label", "l", ref_of(b"secret")),
    ("store-at-label", "l", b"x"),
    ("replace-content-at-label", "l", b"x"),
    ("replace-at-label", "l", ref_of(b"secret")),
    ("list-labels",),
    ("list-all-content",),
    ("calculate-total-size",),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: str(call[0]))
def test_another_actors_store_does_not_exist(
    guest: Guest, node: Node, call: tuple[object, ...]
) -> None:
    store = guest.ok("new")
    guest.ok("store-at-label", store, "l", b"secret")
    eve = Guest(node, "eve")
    name, *rest = call
    theirs, none = eve(str(name), store, *rest), eve(str(name), "store_none", *rest)
    assert isinstance(theirs, Err)
    assert isinstance(none, Err)
    assert str(theirs.value).replace(str(store), "store_none") == none.value
    assert none.value.startswith("store.not_found: ")
    assert guest.ok("list-labels", store) == ["l"]


def test_content_that_only_another_store_has_is_not_reached_by_its_hash(
    guest: Guest, node: Node
) -> None:
    secret = guest.keep(guest.ok("new"), b"secret")
    eve = Guest(node, "eve")
    own = eve.ok("new")
    assert eve.refused("get", own, secret) == "content.not_found"
    assert eve.ok("exists", own, secret) is False
    assert eve.refused("label", own, "l", secret) == "content.not_found"
    assert eve.refused("replace-at-label", own, "l", secret) == "content.not_found"
    assert eve.ok("list-labels", own) == []


@pytest.mark.parametrize("label", ["", "x" * 256])
def test_labels_have_1_to_255_characters(guest: Guest, label: str) -> None:
    store = guest.ok("new")
    ref = guest.keep(store, b"1")
    for name, *rest in (
        ("label", ref),
        ("get-by-label",),
        ("remove-label",),
        ("remove-from-label", ref),
        ("store-at-label", b"1"),
        ("replace-content-at-label", b"1"),
        ("replace-at-label", ref),
    ):
        assert guest.refused(str(name), store, label, *rest) == "label.invalid"
    guest.ok("label", store, "ü" * 255, ref)


@pytest.mark.parametrize("hash_", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_a_hash_that_is_none_is_refused(guest: Guest, hash_: str) -> None:
    store = guest.ok("new")
    for name, *rest in (("get",), ("exists",), ("label", "l"), ("replace-at-label", "l")):
        assert guest.refused(name, store, *rest, {"hash": hash_}) == "content.invalid"


@pytest.mark.parametrize("name", ["store", "store-at-label", "replace-content-at-label"])
def test_content_above_the_grant_is_refused_before_anything_else(node: Node, name: str) -> None:
    guest = Guest(node, "ada", StoreGrant(max_content_bytes=4))
    label = () if name == "store" else ("",)
    assert guest.refused(name, "no store", *label, b"12345") == "permission.denied"
    store = guest.ok("new")
    label = () if name == "store" else ("l",)
    guest.ok(name, store, *label, b"1234")


def test_all_stores_of_an_actor_together_stay_below_max_bytes(node: Node) -> None:
    guest = Guest(node, "ada", StoreGrant(max_bytes=10))
    one, two = guest.ok("new"), guest.ok("new")
    guest.keep(one, b"123456")
    assert guest.refused("store", two, b"12345") == "permission.denied"
    guest.keep(two, b"1234")
    guest.keep(one, b"123456")
    assert guest.refused("store-at-label", one, "l", b"x") == "permission.denied"
    assert guest.ok("list-labels", one) == []
    again = Guest(node.restarted(), "ada", StoreGrant(max_bytes=10))
    assert again.refused("store", two, b"x") == "permission.denied"
    Guest(node, "bob", StoreGrant(max_bytes=10)).ok("new")


def test_stores_labels_and_references_are_bounded(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STORES_MAX", "STORE_LABELS_MAX", "STORE_LABEL_REFS_MAX"):
        monkeypatch.setattr(f"theater.handlers.store.handler.{name}", 2)
    monkeypatch.setattr("theater.handlers.store.handler.STORE_CONTENTS_MAX", 3)
    guest = Guest(node, "ada")
    store = guest.ok("new")
    guest.ok("new")
    assert guest.refused("new") == "too_large"
    guest.ok("store-at-label", store, "a", b"1")
    guest.ok("store-at-label", store, "a", b"2")
    assert guest.refused("store-at-label", store, "a", b"3") == "too_large"
    guest.ok("store-at-label", store, "b", b"3")
    assert guest.refused("store-at-label", store, "c", b"1") == "too_large"
    assert guest.refused("replace-at-label", store, "c", ref_of(b"1")) == "too_large"
    assert guest.refused("store", store, b"4") == "too_large"
    guest.ok("label", store, "a", ref_of(b"1"))


def test_a_shared_store_is_for_all_whose_grant_names_it(node: Node) -> None:
    grant = StoreGrant(store_id="notes")
    ada, bob = Guest(node, "ada", grant), Guest(node, "bob", grant)
    assert ada.ok("list-labels", "notes") == []
    assert ada.ok("new") == "notes"
    ada.ok("store-at-label", "notes", "l", b"1")
    bob.ok("store-at-label", "notes", "l", b"2")
    assert ada.ok("get-by-label", "notes", "l") == ref_of(b"2")
    assert ada.ok("get", "notes", ref_of(b"2")) == b"2"
    assert Guest(node, "eve").refused("list-labels", "notes") == "store.not_found"
    again = Guest(node.restarted(), "eve", grant)
    assert again.ok("get-by-label", "notes", "l") == ref_of(b"2")
    again.ok("remove-from-label", "notes", "l", ref_of(b"2"))
    assert again.ok("get-by-label", "notes", "l") == ref_of(b"1")


def test_who_changes_a_shared_store_waits_for_who_is_changing_it() -> None:
    node = Node(MemoryJournal(), claim_ms_max=60_000)
    grant = StoreGrant(store_id="notes")
    ada, bob = Guest(node, "ada", grant), Guest(node, "bob", grant)
    call, _ = ada.begin("store-at-label", "notes", "l", b"1")
    second = threading.Thread(target=bob, args=("store-at-label", "notes", "l", b"2"))
    second.start()
    assert ada.ok("list-labels", "notes") == []
    node.record(call)
    second.join(WAIT_S)
    assert not second.is_alive()
    image = node.journal.store_image("notes")
    assert image is not None
    assert image.labels["l"] == (sha256(b"1").digest(), sha256(b"2").digest())


def test_a_call_that_never_came_to_its_change_holds_nobody_up_for_long() -> None:
    node = Node(MemoryJournal(), claim_ms_max=1)
    grant = StoreGrant(store_id="notes")
    ada, bob = Guest(node, "ada", grant), Guest(node, "bob", grant)
    call, _ = ada.begin("store-at-label", "notes", "l", b"1")
    assert bob.refused("store-at-label", "notes", "l", b"2") == "timed_out"
    node.handler.release(call)  # type: ignore[arg-type]
    bob.ok("store-at-label", "notes", "l", b"2")
    ada.begin("store-at-label", "notes", "l", b"3")
    ada.ok("store-at-label", "notes", "l", b"4")
    bob.ok("store-at-label", "notes", "l", b"5")
    image = node.journal.store_image("notes")
    assert image is not None
    assert image.labels["l"] == tuple(sha256(data).digest() for data in (b"2", b"4", b"5"))


def test_a_refused_change_leaves_the_store_free(node: Node) -> None:
    grant = StoreGrant(store_id="notes", max_bytes=1)
    ada, bob = Guest(node, "ada", grant), Guest(node, "bob", grant)
    call, result = ada.begin("store", "notes", b"22")
    assert isinstance(result, Err)
    assert call.steps == []
    bob.ok("store", "notes", b"1")


def test_few_images_are_kept_and_evicted_ones_come_back_as_they_were() -> None:
    node = Node(MemoryJournal(), images_max=2)
    guest = Guest(node, "ada")
    stores = [guest.ok("new") for _ in range(6)]
    for turn in range(3):
        for number, store in enumerate(stores):
            guest.ok("store-at-label", store, "l", b"%d %d" % (number, turn))
    for number, store in enumerate(stores):
        assert guest.ok("get-by-label", store, "l") == ref_of(b"%d 2" % number)
        assert guest.ok("calculate-total-size", store) == 9


def test_a_journal_that_failed_is_not_the_guests_error() -> None:
    node = Node(MemoryJournal(on_demand=True))
    guest = Guest(node, "ada")
    node.journal.append(())
    node.journal.fail(OSError("disk"))
    with pytest.raises(JournalFailed):
        guest.begin("new")


def test_content_that_was_damaged_is_not_returned() -> None:
    image = Image()
    guest = Guest(Node(MemoryJournal(image=image)), "ada")
    store = guest.ok("new")
    ref = guest.keep(store, b"1")
    digest = bytes.fromhex(ref["hash"])
    image.contents[digest] = (None, b"2")
    assert guest.refused("get", store, ref) == "integrity"


def test_a_grant_is_read_met_and_recorded() -> None:
    table = Table({"store_id": "notes", "max_bytes": "1MiB", "max_content_bytes": 10})
    grant = StoreGrant.from_settings(table)
    assert grant == StoreGrant("notes", limits.MIB, 10)
    assert grant.as_map() == {
        "store_id": "notes",
        "max_bytes": limits.MIB,
        "max_content_bytes": 10,
    }
    assert StoreGrant() == StoreGrant(None, limits.GIB, 64 * limits.MIB)
    assert grant.meet(StoreGrant("notes", 5, 20)) == StoreGrant("notes", 5, 10)
    assert grant.meet(StoreGrant()) == StoreGrant(None, limits.MIB, 10)
    assert StoreGrant().meet(grant) == StoreGrant(None, limits.MIB, 10)


@pytest.mark.parametrize(
    "settings",
    [{"store_id": "No"}, {"store_id": "a/b"}, {"max_bytes": -1}, {"max_bytes": "2GiB"}, {"x": 1}],
)
def test_a_grant_that_makes_no_sense_is_a_problem(settings: dict[str, object]) -> None:
    table = Table(settings)
    StoreGrant.from_settings(table)
    assert len(table.problems.found) == 1
