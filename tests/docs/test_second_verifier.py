"""The verifier that is published with the format: that it and Theater say the same of every chain.

It was written from the format's description alone, so where the two agree neither the description nor
the code is alone with its opinion. `python -I` runs it as an auditor would, without Theater in reach.
"""

from __future__ import annotations

import importlib.util
import io
import json
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.sample import Builder, every_type, realistic, relinked, state, without_data
from tests.chain.test_mutations import CHAIN, CHANGES
from tests.cli.conftest import Shell
from tests.golden.make_vectors import long_chain
from tests.values.strategies import items
from theater.chain import files, jsonl, shapes
from theater.chain.event import Event
from theater.chain.files import Form
from theater.chain.verify import Problem, verify
from theater.errors import CodecError
from theater.values import cbor

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "verify_chain.py"
GOLDEN = ROOT / "tests" / "golden"
CODE_LINES_MAX = 190

replace = msgspec.structs.replace


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_chain", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


second = loaded()


def run(path: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of the script in an interpreter that sees nothing but itself."""
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(path), *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=path.parent,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def second_problem(events: Sequence[Event]) -> tuple[int, str] | None:
    """Position and reason of the first event that does not follow, by the second verifier."""
    chain = second.Chain()
    try:
        for each in events:
            chain.add(
                second.Event(
                    each.seq,
                    each.at,
                    each.parent,
                    each.type,
                    each.data,
                    each.data_digest,
                    each.hash,
                )
            )
        for seq in chain.gone:
            return seq, "gone"
    except second.Bad as bad:
        return chain.seq, bad.args[0]
    return None


def first_problem(events: Sequence[Event]) -> tuple[int, str] | None:
    problem = verify(events).problem
    return None if problem is None else (problem.seq, problem.reason)


def written(path: Path, events: Sequence[Event], form: Form) -> Path:
    path = path / f"chain{form.suffix}"
    path.write_bytes(b"".join(files.write(events, form)))
    return path


@pytest.mark.parametrize("path", sorted(GOLDEN.rglob("*.jsonl")), ids=lambda path: path.stem)
def test_it_finds_nothing_wrong_with_what_was_frozen(path: Path) -> None:
    with path.open("rb") as lines:
        report = verify(jsonl.read(lines))
    code, told = run(path, "--head", report.head.hex())
    assert code == 0, told
    assert f"{report.events} events follow: {report.full} checked in full" in told
    assert f"{report.digest_only} by digest only" in told
    assert f"head {report.head.hex()}" in told
    assert f"reached at event {report.events - 1}" in told
    assert ("not complete" not in told) == report.complete


@pytest.mark.slow
def test_the_long_vector_has_the_head_that_was_frozen(tmp_path: Path) -> None:
    heads = json.loads((GOLDEN / "vectors" / "vectors.json").read_text())["heads"]
    events = long_chain()
    (expected,) = [facts["head"] for facts in heads.values() if facts["events"] == len(events)]
    code, told = run(written(tmp_path, events, Form.SEQUENCE), "--head", expected)
    assert (code, f"head {expected}" in told) == (0, True)


def test_what_the_command_exports_verifies_without_theater(shell: Shell) -> None:
    actor = shell.start("exported")
    shell.run("send", "exported", "five")
    shell.run("request", "exported", "six")
    shell.run("stop", "exported")
    head = shell.json("verify", actor)["head"]
    for form in Form:
        path = shell.folder / f"exported{form.suffix}"
        shell.run("export", actor, "--form", form.value, "--output", str(path))
        code, told = run(path, "--head", head)
        assert (code, told.splitlines()[-2]) == (0, "complete")


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("gone", [(), (4, 8), (0, 1, 2)])
def test_it_reads_each_form_of_file(form: Form, gone: Sequence[int], tmp_path: Path) -> None:
    events = without_data(every_type(), gone)
    code, told = run(written(tmp_path, events, form))
    assert code == 0, told
    assert f"{len(gone)} by digest only" in told
    assert told.splitlines()[-2] == "complete"


@pytest.mark.parametrize("form", Form)
def test_it_says_where_and_why_a_file_does_not_follow(form: Form, tmp_path: Path) -> None:
    events = realistic(3)
    events[5] = replace(events[5], parent=bytes(range(32)))
    code, told = run(written(tmp_path, relinked(events[:5]) + events[5:], form))
    assert code == 1
    assert re.match(r"event 5 \(hash [0-9a-f]{64}\) does not follow: parent: ", told)


def test_a_head_from_elsewhere_must_be_in_the_chain(tmp_path: Path) -> None:
    events = realistic(3)
    path = written(tmp_path, events, Form.JSONL)
    code, told = run(path, "--head", events[4].hash.hex())
    assert (code, told.splitlines()[-1]) == (0, "the head given was reached at event 4")
    code, told = run(path, "--head", "ab" * 32)
    assert (code, told.splitlines()[-1]) == (1, "the head given was not reached")


@pytest.mark.parametrize(
    "wrong",
    [
        b"hello\n",
        b"\x86\x00",
        b"{}\n",
        b'{"a": [}\n',
        b"EVENT \n\n\n\n",
        b"FROM 4\nEVENT 00\n",
        b"\xff\xff",
        b"\x86\x00\x00\x00\x00\x00\x00",
    ],
)
def test_what_is_no_chain_is_said_to_be_none(wrong: bytes, tmp_path: Path) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(wrong)
    code, told = run(path)
    assert (code, told.startswith("not a file of a chain")) == (2, True)


def test_both_name_the_same_event_where_a_line_is_no_line_any_more(tmp_path: Path) -> None:
    path = written(tmp_path, realistic(3), Form.JSONL)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b":", b";", 1)
    path.write_bytes(b"".join(lines))
    with path.open("rb") as file, pytest.raises(CodecError) as error:
        verify(files.read(file))
    assert error.value.facts["event"] == 5
    code, told = run(path)
    assert (code, told.startswith("event 5 can't be read: ")) == (1, True)


@pytest.mark.parametrize("form", Form)
def test_a_file_that_is_cut_off_inside_an_event_never_verifies(form: Form, tmp_path: Path) -> None:
    events = realistic(2)
    data = b"".join(files.write(events, form))
    last = data[: -len(next(iter(files.write(events[-1:], form))))]
    for size in range(len(last) + 1, len(data) - 1, 7):
        problem = file_problem(data[:size], tmp_path)
        assert problem == "unreadable", size


def file_problem(data: bytes, folder: Path) -> str | None:
    """What the script's own readers say of a file, in this process."""
    path = folder / "file"
    path.write_bytes(data)
    chain = second.Chain()
    readers = {b"{": second.read_lines, b"\x86": second.read_sequence}
    try:
        with path.open("rb") as file:
            for each in readers.get(data[:1], second.read_blocks)(file):
                chain.add(each)
        if chain.gone:
            return "gone"
    except second.Bad as bad:
        return str(bad.args[0])
    except Exception:
        return "unreadable"
    return None


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"salt": "other"}},
        {"time": "2020-01-01T00:00:00.000000Z"},
        {"data": None},
    ],
)
def test_a_line_whose_view_says_something_else_does_not_follow(
    change: dict[str, object], tmp_path: Path
) -> None:
    lines = [json.loads(line) for line in jsonl.write(realistic(2))]
    lines[3].update(change)
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert file_problem(data, tmp_path) == "view"
    with pytest.raises(CodecError):
        list(jsonl.read(data.splitlines()))


def test_a_key_that_stands_twice_in_a_line_is_refused(tmp_path: Path) -> None:
    data = b"".join(jsonl.write(realistic(1)))
    twice = data.replace(b'"seq":0', b'"data":null,"seq":0', 1)
    assert twice != data
    assert file_problem(twice, tmp_path) is not None


@pytest.mark.slow
def test_both_say_the_same_of_a_thousand_changed_chains() -> None:
    found = set()
    for seed in range(1000):
        random_ = random.Random(seed)
        change = CHANGES[seed % len(CHANGES)]
        events = list(CHAIN)
        change(random_, events, random_.randrange(len(events)))
        expected = first_problem(events)
        assert second_problem(events) == expected, (seed, change.__name__)
        found.add(expected and expected[1])
    assert found >= {None, "seq", "parent", "hash", "encoding", "gone"}


def test_both_say_the_same_of_what_a_forger_links_again() -> None:
    found = set()
    for seed in range(500):
        random_ = random.Random(seed)
        events = list(every_type() if seed % 2 else CHAIN[:60])
        random_.choice(CHANGES[7:])(random_, events, random_.randrange(1, len(events)))
        if seed % 3 == 0 and events:
            place = random_.randrange(len(events))
            events[place] = replace(events[place], type=random_.choice(events).type)
        events = relinked(events)
        expected = first_problem(events)
        assert second_problem(events) == expected, seed
        found.add(expected and expected[1])
    assert found >= {None, "time", "order", "state", "encoding", "gone"}


def test_both_say_the_same_when_a_note_explains_what_is_gone() -> None:
    chain = Builder()
    chain.start()
    chain.call()
    chain.host()
    chain.result(state(1))
    chain.add(shapes.CHAIN_REDACT, shapes.redact(chain.salt, "operator", "secret", [2]))
    chain.call(state(1))
    chain.result(state(2))
    chain.add(shapes.CHAIN_PRUNE, shapes.prune(chain.salt, "operator", "old", 2))
    for gone in range(1 << len(chain.events)):
        seqs = [seq for seq in range(len(chain.events)) if gone >> seq & 1]
        events = without_data(chain.events, seqs)
        assert second_problem(events) == first_problem(events), seqs


@pytest.mark.parametrize("form", Form)
def test_both_take_or_refuse_the_same_files(form: Form, tmp_path: Path) -> None:
    whole = b"".join(files.write(without_data(every_type(), [4]), form))
    refused = 0
    for seed in range(100):
        random_ = random.Random(seed)
        data = bytearray(whole)
        place, length = random_.randrange(len(data)), random_.randrange(1, 40)
        match seed % 4:
            case 0:
                data[place] ^= 1 << random_.randrange(8)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = whole[length : 2 * length]
            case _:
                data[place] = random_.choice(b'0 \n{}"aF\x00\xff')
        expected = reads_and_verifies(bytes(data))
        assert (file_problem(bytes(data), tmp_path) is None) == expected, seed
        refused += not expected
    assert refused > 50


def reads_and_verifies(data: bytes) -> bool:
    try:
        return verify(files.read(io.BytesIO(data))).problem is None
    except CodecError:
        return False


@given(items)
def test_it_reads_what_theater_writes(item: object) -> None:
    data = cbor.encode(item)
    value, end = second.decode(data)
    assert (cbor.encode(value), end) == (data, len(data))


@given(st.binary(max_size=40) | items.map(cbor.encode).flatmap(lambda data: flipped(data)))
def test_both_take_the_same_bytes_for_cbor(data: bytes) -> None:
    try:
        expected: bytes | None = cbor.encode(cbor.decode(data))
    except CodecError:
        expected = None
    try:
        value, end = second.decode(data)
        found = cbor.encode(value) if end == len(data) else None
    except (ValueError, IndexError, second.struct.error):
        found = None
    assert found == expected


def flipped(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one bit of one of them changed."""

    def flip(place: int, bit: int) -> bytes:
        return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]

    return st.builds(flip, st.integers(0, len(data) - 1), st.integers(0, 7))


def test_it_can_be_read_in_ten_minutes() -> None:
    """Not longer than it was allowed to be, nor wider, and with nothing but the standard library."""
    lines = SCRIPT.read_text().splitlines()
    end_of_docstring = lines.index('"""', 2)
    code = [
        line
        for line in lines[end_of_docstring + 1 :]
        if line.strip() and not line.strip().startswith(("#", '"""'))
    ]
    assert len(code) <= CODE_LINES_MAX
    assert max(map(len, lines)) <= 120
    imported = re.findall(r"^(?:import (.*)|from (\w+) import)", SCRIPT.read_text(), re.MULTILINE)
    names = {name for several, one in imported for name in (several or one).split(", ")}
    assert names <= sys.stdlib_module_names


def test_the_problem_it_names_is_the_one_that_theater_names() -> None:
    events = realistic(4)
    events[7] = replace(events[7], at=events[7].at + 1)
    problem = verify(events).problem
    assert isinstance(problem, Problem)
    assert second_problem(events) == (problem.seq, problem.reason) == (7, "hash")
