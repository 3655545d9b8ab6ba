"""Chains that came as files: what is taken, what is refused, and what can then be asked of them."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chain.sample import Builder, peer, realistic, state, without_data
from tests.runtime.actors import WAIT_S, Theater, theater
from theater.chain import files, shapes
from theater.chain.event import Event
from theater.chain.files import Form
from theater.errors import (
    CodecError,
    Conflict,
    IntegrityError,
    NotFound,
    TheaterError,
    UsageError,
)
from theater.journal.memory import MemoryJournal
from theater.journal.records import Keep
from theater.runtime import imports
from theater.runtime.import_facts import PLACE_EVENTS
from theater.runtime.inspection import ImportReport
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings

ACTOR = "00000000-0000-4000-8000-00000000000a"
BRANCH = "00000000-0000-4000-8000-00000000000b"


def stranger(calls: int = 20, actor: str = ACTOR, name: str = "stranger") -> list[Event]:
    """A chain that was never recorded here."""
    chain = Builder()
    chain.start(actor=actor, name=name)
    before = None
    for event in realistic(calls)[1:]:
        before = chain.add(event.type, event.data or b"")
    assert before is not None
    return chain.events


def gone_on(events: Sequence[Event]) -> list[Event]:
    """These events and a note behind them."""
    chain = Builder(events[-1].at)
    chain.events = list(events)
    chain.note(shapes.ACTOR_PAUSE)
    return chain.events


def take(
    stage: Theater, events: Sequence[Event], form: Form = Form.JSONL, actor: str | None = None
) -> ImportReport:
    data = b"".join(files.write(events, form))
    return stage.node.import_chain(io.BytesIO(data), actor=actor)


def folder(stage: Theater) -> Path:
    return stage.data_dir / "imports"


def names(stage: Theater) -> list[str]:
    return sorted(path.name for path in folder(stage).glob("*"))


@pytest.mark.parametrize("form", list(Form), ids=[form.value for form in Form])
def test_a_chain_of_any_form_is_kept_and_shown(stage: Theater, form: Form) -> None:
    events = stranger()
    report = take(stage, events, form)
    assert (report.outcome, report.content) == ("new", False)
    info = stage.node.info(ACTOR)
    assert info == report.actor
    assert (info.status, info.name, info.events) == ("imported", "stranger", len(events))
    assert (info.head, info.started_at) == (events[-1].hash.hex(), events[0].at)
    assert list(stage.node.events(ACTOR)) == events
    assert names(stage) == [f"{ACTOR}.cborseq", f"{ACTOR}.json"]


def test_it_is_found_by_name_and_prefix_and_listed_with_those_that_ended(stage: Theater) -> None:
    take(stage, stranger())
    assert stage.node.find("stranger") == stage.node.find(ACTOR[:12]) == ACTOR
    assert stage.node.list() == []
    assert [info.id for info in stage.node.list(ended=True)] == [ACTOR]
    living = stage.start("counter")
    assert stage.node.find("counter") == living.id


def test_a_living_actor_comes_before_an_imported_one_of_its_name(stage: Theater) -> None:
    take(stage, stranger(name="counter"))
    living = stage.start("counter")
    assert stage.node.find("counter") == living.id


def test_every_part_of_a_long_chain_can_be_read(stage: Theater) -> None:
    events = stranger(300)
    assert len(events) > 3 * PLACE_EVENTS
    take(stage, events)
    for start in (0, 1, 255, 256, 257, 511, 700, len(events) - 1):
        for limit in (0, 1, 300, None):
            wanted = events[start:] if limit is None else events[start : start + limit]
            assert list(stage.node.events(ACTOR, start, limit)) == wanted
    assert list(stage.node.events(ACTOR, len(events))) == []
    with stage.node.subscribe([ACTOR], start=10) as subscription:
        assert [taken.event for taken in subscription] == events[10:]


def test_it_verifies_but_nothing_vouches_for_its_end(stage: Theater) -> None:
    take(stage, stranger())
    report = stage.node.verify(ACTOR)
    assert (report.problem, report.against) == (None, "nothing")


def test_it_is_never_run(stage: Theater) -> None:
    take(stage, stranger())
    for attempt in (stage.node.send, stage.node.request):
        with pytest.raises(NotFound):
            attempt(ACTOR, b"")
    assert stage.node.stop(ACTOR).result(WAIT_S).status == "imported"
    assert stage.node.wait(ACTOR).result(WAIT_S).status == "imported"
    stage.reopen()
    assert stage.node.info(ACTOR).status == "imported"


def test_what_needs_content_says_that_a_file_has_none(stage: Theater) -> None:
    take(stage, stranger())
    for ask in (lambda: stage.node.state(ACTOR), lambda: stage.node.replay(ACTOR)):
        with pytest.raises(NotFound) as refused:
            ask()
        assert "came as a file" in refused.value.message
    with pytest.raises(NotFound):
        stage.node.state(ACTOR, 10_000)


def test_a_chain_whose_content_is_here_shows_its_state_and_replays(
    tmp_path: Path, cache_dir: Path
) -> None:
    with theater(tmp_path / "one", NodeSettings(cache_dir=cache_dir)) as one:
        actor = one.start("counter")
        for _ in range(3):
            one.ask(actor, b"")
        one.node.stop(actor.id).result(WAIT_S)
        events = list(one.node.events(actor.id))
        state = one.node.state(actor.id)
        contents = {
            digest: one.node.journal.content(digest)
            for digest in _digests(events)
            if one.node.journal.has_content(digest)
        }
    with theater(tmp_path / "two", NodeSettings(cache_dir=cache_dir)) as two:
        _keep(two, contents)
        report = take(two, events)
        assert (report.outcome, report.content) == ("new", True)
        assert two.node.state(actor.id) == state
        assert two.node.replay(actor.id).equal


def test_the_same_chain_again_is_known(stage: Theater) -> None:
    take(stage, stranger())
    before = folder(stage).joinpath(f"{ACTOR}.cborseq").stat()
    for form in Form:
        assert take(stage, stranger(), form).outcome == "known"
    assert folder(stage).joinpath(f"{ACTOR}.cborseq").stat().st_ino == before.st_ino


def test_a_longer_chain_extends_and_a_shorter_one_changes_nothing(stage: Theater) -> None:
    events = stranger()
    assert take(stage, events[:30]).outcome == "new"
    assert take(stage, events).outcome == "extended"
    assert list(stage.node.events(ACTOR)) == events
    assert take(stage, events[:30]).outcome == "known"
    assert stage.node.info(ACTOR).events == len(events)


def test_data_that_one_of_two_files_has_is_not_lost(stage: Theater) -> None:
    chain = Builder()
    chain.start(actor=ACTOR)
    for _ in range(4):
        chain.note(shapes.ACTOR_PAUSE)
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [1, 2]))
    events = chain.events
    assert take(stage, without_data(events, [1])).outcome == "new"
    assert take(stage, without_data(events, [1])).outcome == "known"
    assert take(stage, without_data(events, [2])).outcome == "extended"
    assert list(stage.node.events(ACTOR)) == events
    chain.note(shapes.ACTOR_PAUSE)
    assert take(stage, without_data(chain.events, [1, 2])).outcome == "extended"
    assert list(stage.node.events(ACTOR)) == chain.events


def test_another_chain_of_the_same_actor_is_refused_at_the_first_difference(
    stage: Theater,
) -> None:
    events = stranger()
    take(stage, events)
    parted = gone_on(events[:20])
    for other, seq in ((parted, 20), (stranger(name="another"), 0)):
        with pytest.raises(Conflict) as refused:
            take(stage, other)
        assert (refused.value.code, refused.value.facts["seq"]) == ("import.different", seq)
    assert list(stage.node.events(ACTOR)) == events
    assert len(names(stage)) == 2


def test_an_actor_of_this_node_is_not_imported(stage: Theater) -> None:
    actor = stage.start("counter")
    early = list(stage.node.events(actor.id))
    stage.ask(actor, b"")
    events = list(stage.node.events(actor.id))
    for known in (early, events):
        report = take(stage, known)
        assert (report.outcome, report.actor.status) == ("known", "running")
    assert report.content
    with pytest.raises(Conflict) as refused:
        take(stage, gone_on(events))
    assert refused.value.code == "import.longer"
    with pytest.raises(Conflict) as refused:
        take(stage, stranger(actor=actor.id))
    assert (refused.value.code, refused.value.facts["seq"]) == ("import.different", 0)
    assert names(stage) == []


REFUSED = {
    "an empty file": (b"", "encoding.empty"),
    "no chain": (b"PK\x03\x04", "encoding.not_a_chain"),
    "a file cut off": (b"".join(files.write(stranger(), Form.BLOCKS))[:-9], "encoding.cut"),
    "a part of a chain": (
        b"".join(files.write(stranger()[3:], Form.SEQUENCE)),
        "encoding.does_not_verify",
    ),
    "an event left out": (
        b"".join(files.write(stranger()[:5] + stranger()[6:], Form.JSONL)),
        "encoding.does_not_verify",
    ),
    "an id that is a path": (
        b"".join(files.write(stranger(actor="../../etc/cron.d/x"), Form.JSONL)),
        "encoding.actor",
    ),
    "data gone without a word": (
        b"".join(files.write(without_data(stranger(), [4]), Form.JSONL)),
        "encoding.does_not_verify",
    ),
    "a chain of the Rust system": (
        b"EVENT " + b"ab" * 20 + b"\n" + b"0" * 40 + b"\nwasm\n5\n\nhello\n\n",
        "encoding.foreign",
    ),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_nothing_is_left_of_a_file_that_is_refused(stage: Theater, data: bytes, code: str) -> None:
    with pytest.raises(CodecError) as refused:
        stage.node.import_chain(io.BytesIO(data))
    assert refused.value.code == code
    assert names(stage) == []
    assert stage.node.list(ended=True) == []


def test_a_chain_that_no_longer_says_whose_it_is_needs_to_be_told(stage: Theater) -> None:
    chain = Builder()
    chain.start(actor=ACTOR)
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [0]))
    events = without_data(chain.events, [0])
    for named in (None, "../x"):
        with pytest.raises(CodecError):
            take(stage, events, actor=named)
    assert take(stage, events, actor=ACTOR).actor.id == ACTOR
    assert stage.node.info(ACTOR).name == ""


def test_a_branch_is_kept_under_its_own_id(stage: Theater) -> None:
    chain = Builder()
    chain.start(actor=ACTOR)
    take(stage, chain.events)
    chain.note(
        shapes.ACTOR_FORK,
        **{"actor": BRANCH, "from": peer(0), "entropy": bytes(16), "grants": state(9)},
    )
    report = take(stage, chain.events)
    assert (report.outcome, report.actor.id) == ("new", BRANCH)
    assert stage.node.info(ACTOR).events == 1


@pytest.mark.parametrize("at", [0, 60, 5000, -1])
def test_damage_on_disk_is_found_when_it_is_read(stage: Theater, at: int) -> None:
    take(stage, stranger())
    path = folder(stage) / f"{ACTOR}.cborseq"
    changed = bytearray(path.read_bytes())
    changed[at] ^= 1
    path.write_bytes(changed)
    with pytest.raises(IntegrityError):
        list(stage.node.events(ACTOR))


@pytest.mark.parametrize("change", ["gone", "nonsense", "of another file"])
def test_facts_that_are_gone_or_wrong_are_made_again(stage: Theater, change: str) -> None:
    events = stranger()
    take(stage, events)
    before = stage.node.info(ACTOR)
    path = folder(stage) / f"{ACTOR}.json"
    facts = path.read_bytes()
    match change:
        case "gone":
            path.unlink()
        case "nonsense":
            path.write_bytes(b"{}")
        case _:
            path.write_bytes(facts.replace(b'"bytes":', b'"bytes":1'))
    stage.reopen()
    assert stage.node.info(ACTOR) == before
    assert path.read_bytes() == facts
    assert list(stage.node.events(ACTOR, 3)) == events[3:]


def test_many_can_ask_at_once_for_facts_that_have_to_be_made_again(stage: Theater) -> None:
    take(stage, stranger())
    wanted = stage.node.imports.get(ACTOR)
    for _ in range(20):
        (folder(stage) / f"{ACTOR}.json").unlink()
        kept = imports.Imports(folder(stage))
        together = threading.Barrier(4)

        def ask(kept: imports.Imports = kept, together: threading.Barrier = together) -> object:
            together.wait(WAIT_S)
            return kept.get(ACTOR)

        with ThreadPoolExecutor(4) as askers:
            told = [asker.result(WAIT_S) for asker in [askers.submit(ask) for _ in range(4)]]
        assert told == [wanted] * 4
    assert names(stage) == [f"{ACTOR}.cborseq", f"{ACTOR}.json"]


def test_a_file_that_is_no_chain_any_more_does_not_hide_the_others(stage: Theater) -> None:
    take(stage, stranger())
    take(stage, stranger(actor=BRANCH))
    path = folder(stage) / f"{ACTOR}.cborseq"
    path.write_bytes(b"nonsense")
    stage.reopen()
    assert [info.id for info in stage.node.list(ended=True)] == [BRANCH]
    with pytest.raises(IntegrityError):
        stage.node.info(ACTOR)


def test_deleting_the_files_is_how_an_import_goes(stage: Theater) -> None:
    take(stage, stranger())
    for path in folder(stage).iterdir():
        path.unlink()
    assert stage.node.list(ended=True) == []
    with pytest.raises(NotFound):
        stage.node.info(ACTOR)


def test_what_a_crash_left_of_an_import_goes(stage: Theater) -> None:
    take(stage, stranger())
    stage.node.close()
    (folder(stage) / "7.part").write_bytes(b"half")
    stage.reopen()
    assert len(names(stage)) == 2


def test_there_is_a_bound_on_how_many_are_kept(
    stage: Theater, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "IMPORTS_MAX", 1)
    take(stage, stranger())
    with pytest.raises(TheaterError) as refused:
        take(stage, stranger(actor=BRANCH))
    assert refused.value.code == "import.full"
    assert take(stage, gone_on(stranger())).outcome == "extended"


def test_a_folder_that_is_none_is_told_and_hides_nothing_else(stage: Theater) -> None:
    actor = stage.start("counter")
    folder(stage).write_text("not a folder")
    with pytest.raises(TheaterError) as refused:
        take(stage, stranger())
    assert refused.value.code == "import.unwritable"
    assert [info.id for info in stage.node.list(ended=True)] == [actor.id]
    with pytest.raises(NotFound):
        stage.node.info(ACTOR)


def test_a_node_without_a_folder_imports_nothing() -> None:
    node = Node.over(MemoryJournal())
    try:
        with pytest.raises(UsageError):
            node.import_chain(io.BytesIO(b"".join(files.write(stranger(), Form.JSONL))))
        assert node.list(ended=True) == []
    finally:
        node.close()


def _digests(events: Sequence[Event]) -> set[bytes]:
    found: set[bytes] = set()
    for event in events:
        form = shapes.parse(event.type, event.data or b"")
        if isinstance(form, shapes.Start):
            found |= {form.component, form.manifest[0], form.grants[0]}
        state = getattr(form, "state", None)
        if state is not None:
            found.add(state[0])
    return found


def _keep(stage: Theater, contents: dict[bytes, tuple[bytes | None, bytes] | None]) -> None:
    for digest, kept in contents.items():
        assert kept is not None
        stage.node.journal.wait(stage.node.journal.append((Keep(digest, *kept),)))
