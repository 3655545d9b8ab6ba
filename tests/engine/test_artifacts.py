"""Compiled components on disk, and the process that makes them."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
import time

import pytest

from tests.engine.guests import SEND, Host, binary
from theater.engine import Engine, InstanceLimits, Returned, artifacts, wat
from theater.errors import ComponentError, Conflict, Unavailable, UsageError

pytestmark = pytest.mark.slow


def _works(engine, name="counter"):
    outcome = engine.load(binary(name)).instance().call(SEND, [b"1", (b"hi",)], Host(), 1000)
    return isinstance(outcome, Returned)


@pytest.fixture(scope="module")
def large():
    """A component whose one function takes much memory to compile."""
    body = "(local.get 0)" + "(local.get 0) (i32.add) (i32.const 7) (i32.mul)" * 40_000
    return wat(f'(component (core module (func (export "f") (param i32) (result i32) {body})))')


def _files(directory):
    return sorted(path.name for path in directory.iterdir())


def test_an_artifact_is_made_once_and_found_again(tmp_path):
    with Engine(tmp_path) as engine:
        assert _works(engine)
    (path,) = tmp_path.iterdir()
    made = path.stat().st_mtime_ns, path.stat().st_ino
    with Engine(tmp_path) as engine:
        assert _works(engine)
    (path,) = tmp_path.iterdir()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == made
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_what_was_not_used_for_longest_goes_when_all_take_too_much(tmp_path, monkeypatch):
    def padded(number):
        body = "(local.get 0) (i32.const 7) (i32.mul)" + f"(i32.const {number}) (i32.add)" * 2_000
        return wat(f'(component (core module (func (export "f") (param i32) (result i32) {body})))')

    def loaded(number):
        before = set(_files(tmp_path))
        with Engine(tmp_path) as engine:
            engine.load(padded(number))
        return set(_files(tmp_path)) - before

    ((first,), (second,)) = loaded(1), loaded(2)
    sizes = [(tmp_path / name).stat().st_size for name in (first, second)]
    for age, name in ((20, first), (10, second)):
        then = time.time() - age
        os.utime(tmp_path / name, (then, then))
    assert loaded(1) == set(), "it is found again, and is the last that was used"
    monkeypatch.setattr(artifacts, "COMPILED_BYTES_MAX", int(2.5 * max(sizes)))
    (third,) = loaded(3)
    assert _files(tmp_path) == sorted([first, third])
    monkeypatch.setattr(artifacts, "COMPILED_BYTES_MAX", 1)
    (fourth,) = loaded(4)
    assert _files(tmp_path) == [fourth], "what was just made stays, whatever it takes"


def test_each_configuration_has_its_own_artifact(tmp_path):
    for fuel in (False, True):
        with Engine(tmp_path, fuel=fuel) as engine:
            assert _works(engine)
            assert engine.facts["fuel"] is fuel
    assert len(_files(tmp_path)) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
        lambda data: b"#!/bin/sh\n",
    ],
)
def test_a_spoilt_artifact_is_made_again(tmp_path, spoil):
    with Engine(tmp_path) as engine:
        assert _works(engine)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    path.write_bytes(spoil(good))
    with Engine(tmp_path) as engine:
        assert _works(engine)
    assert len(_files(tmp_path)) == 1


def test_an_artifact_of_another_component_under_this_one_s_name_is_made_again(tmp_path):
    with Engine(tmp_path) as engine:
        assert _works(engine)
        (path,) = tmp_path.iterdir()
    foreign = path.with_name(path.stem.rpartition("-")[0] + "-" + "0" * 64 + ".cwasm")
    path.rename(foreign)
    with Engine(tmp_path) as engine:
        assert _works(engine)
    assert foreign.name not in _files(tmp_path)


def test_the_directory_becomes_private(tmp_path):
    directory = tmp_path / "cache"
    directory.mkdir(mode=0o755)
    os.chmod(directory, 0o755)
    with Engine(directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_an_engine_without_a_directory_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Engine(None) as engine:
        assert _works(engine)
        assert len(_files(tmp_path)) == 1
    assert _files(tmp_path) == []


def test_a_component_that_is_loaded_by_many_at_once_is_compiled_once(tmp_path):
    wasm = binary("counter")
    loaded = []
    with Engine(tmp_path) as engine:
        threads = [
            threading.Thread(target=lambda: loaded.append(engine.load(wasm))) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(loaded) == 6
        assert len({id(component) for component in loaded}) == 1
    assert len(_files(tmp_path)) == 1


def test_a_component_that_is_too_slow_to_compile_is_given_up(tmp_path):
    with Engine(tmp_path, compile_timeout_s=0.001) as engine:
        with pytest.raises(ComponentError) as caught:
            engine.load(binary("counter"))
        assert caught.value.code == "component.compile_limit"
    assert _files(tmp_path) == []


def test_the_compiler_is_bounded_in_memory(tmp_path, monkeypatch, large):
    monkeypatch.setattr("theater.engine.artifacts.COMPILE_MEMORY_BYTES_MAX", 64 << 20)
    with Engine(tmp_path) as engine:
        with pytest.raises(ComponentError) as caught:
            engine.load(large)
        assert caught.value.code == "component.compile_limit"
    assert _files(tmp_path) == []


def test_after_a_failure_the_same_component_can_be_loaded(tmp_path, monkeypatch, large):
    with Engine(tmp_path) as engine:
        with monkeypatch.context() as patch:
            patch.setattr("theater.engine.artifacts.COMPILE_MEMORY_BYTES_MAX", 64 << 20)
            with pytest.raises(ComponentError):
                engine.load(large)
        assert engine.load(large).imports == ()


def test_an_invalid_component_says_why(engine):
    broken = binary("counter")[:-30]
    with pytest.raises(ComponentError) as caught:
        engine.load(broken)
    assert caught.value.code == "component.invalid"
    assert caught.value.message


@pytest.mark.parametrize(
    "wasm, code",
    [
        (b"", "component.not_wasm"),
        (b"(component)", "component.not_wasm"),
        (b"\x7fELF", "component.not_wasm"),
        (wat("(module)"), "component.core_module"),
        (b"\0asm\x0d\0\x01\0" + bytes(64 << 20), "component.too_large"),
    ],
)
def test_what_is_no_component_is_refused(engine, wasm, code):
    with pytest.raises(ComponentError) as caught:
        engine.load(wasm)
    assert caught.value.code == code


def test_a_stack_has_bounds(tmp_path):
    for stack_bytes in (0, 3 << 20):
        with pytest.raises(UsageError):
            Engine(tmp_path, stack_bytes=stack_bytes)


def test_a_closed_engine_loads_nothing(tmp_path):
    engine = Engine(tmp_path)
    engine.close()
    engine.close()
    with pytest.raises(Conflict):
        engine.load(binary("counter"))


def test_the_ticker_ends_with_the_last_engine():
    names = [thread.name for thread in threading.enumerate()]
    from theater.engine.ticker import Ticker

    with Engine(None) as engine:
        ticker = Ticker()
        assert not ticker.running
        ticker.join(engine.address, engine)
        assert ticker.running
        ticker.join(engine.address, engine)
        ticker.leave(engine.address)
        assert not ticker.running
        ticker.leave(engine.address)
    assert [thread.name for thread in threading.enumerate()].count("theater-epoch") == names.count(
        "theater-epoch"
    )


def test_the_largest_stack_traps_cleanly_on_a_worker_s_stack(tmp_path):
    from theater.limits import WASM_STACK_BYTES_MAX, WORKER_STACK_BYTES

    ends = []

    def work(engine):
        instance = engine.load(binary("recurse")).instance(InstanceLimits())
        ends.append(instance.call(SEND, [None, (b"",)], Host(), 10_000).kind)

    with Engine(tmp_path, stack_bytes=WASM_STACK_BYTES_MAX) as engine:
        before = threading.stack_size(WORKER_STACK_BYTES)
        try:
            thread = threading.Thread(target=work, args=(engine,))
            thread.start()
        finally:
            threading.stack_size(before)
        thread.join(60)
    assert ends == ["stack"]


def test_what_a_killed_process_had_begun_is_removed_once_nobody_can_be_writing_it(tmp_path):
    old, new = tmp_path / ".old.part", tmp_path / ".new.part"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    with Engine(tmp_path):
        assert _files(tmp_path) == [".new.part"]


def test_what_others_could_have_written_is_not_loaded(tmp_path):
    with Engine(tmp_path) as engine:
        assert _works(engine)
    os.chmod(tmp_path, 0o777)
    with Engine(tmp_path) as engine:
        assert _files(tmp_path) == []
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        assert _works(engine)


@pytest.mark.parametrize("kind", ["link", "directory", "foreign"])
def test_only_files_of_this_user_are_loaded(tmp_path, kind):
    cache = tmp_path / "cache"
    with Engine(cache) as engine:
        assert _works(engine)
    (path,) = cache.iterdir()
    elsewhere = tmp_path / path.name
    path.rename(elsewhere)
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(elsewhere.read_bytes())
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534)
    with Engine(cache) as engine:
        if kind == "directory":
            with pytest.raises(Unavailable) as caught:
                _works(engine)
            assert caught.value.code == "engine.cache"
        else:
            assert _works(engine)
            (made,) = cache.iterdir()
            assert stat.S_ISREG(made.lstat().st_mode)
            assert made.lstat().st_uid == os.geteuid()


def test_a_cache_that_is_removed_while_it_is_used_is_made_again(tmp_path):
    cache = tmp_path / "cache"
    with Engine(cache) as engine:
        shutil.rmtree(cache)
        assert _works(engine)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_cache_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable) as caught:
        Engine(tmp_path / "file" / "cache")
    assert caught.value.code == "engine.cache"


def test_a_cache_without_room_is_told_as_that_and_not_as_a_hostile_component(tmp_path):
    # The bound on files stands for a disk that is full, in this process's children only.
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from theater.engine import Engine, wat\nfrom theater.errors import Unavailable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with Engine(Path(sys.argv[1])) as engine:\n"
        "    try: engine.load(wat('(component (core module))'))\n"
        "    except Unavailable as error: print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("engine.cache\n", "")
    assert _files(tmp_path) == []
