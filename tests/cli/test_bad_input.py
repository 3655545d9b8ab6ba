"""Whatever is wrong with what a command is given, it says so in a sentence, with its exit code."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.conftest import Shell
from tests.server.running import GUESTS, MANIFEST, WAIT_S, guest
from theater.engine import wat
from theater.limits import COMPONENT_BYTES_MAX, MESSAGE_BYTES_CEILING, MIB

pytestmark = pytest.mark.slow

SCRIPT = "from theater.cli import main; main()"
MODULE = b"\0asm\1\0\0\0"


def tell(shell: Shell, *words: str, code: int, stdin: bytes | None = None) -> str:
    """What a command says on standard error; never that it has a bug, and no traceback."""
    result: Result = shell.run(*words, code=code, stdin=stdin)
    assert "a bug in Theater" not in result.stderr
    return result.stderr


def imports(text: str) -> bytes:
    """The counter with more imports."""
    source = (GUESTS / "counter.wat").read_text()
    return wat(source.replace("(component\n", f"(component\n{text}\n", 1))


STORE = '(import "theater:simple/store" (instance (export "{}" (func {}))))'
NOT_ACTORS: list[tuple[bytes, str]] = [
    (b"", "not_wasm"),
    (b"hello", "not_wasm"),
    (MODULE, "core_module"),
    (guest("counter")[:9], "component.invalid"),
    (guest("counter")[:800], "component.invalid"),
    (guest("counter")[:-1], "component.invalid"),
    (wat("(component)"), "not_an_actor"),
    (imports('(import "a:b/c" (instance (export "f" (func))))'), "unknown_import"),
    (imports(STORE.format("new", "")), "permission.missing_handlers"),
]


@pytest.mark.parametrize(("wasm", "word"), NOT_ACTORS, ids=[word for _, word in NOT_ACTORS])
def test_what_is_no_actors_component_is_told_as_what_it_is(
    shell: Shell, wasm: bytes, word: str
) -> None:
    (shell.folder / "counter.wasm").write_bytes(wasm)
    for command in ("run", "start"):
        assert word in tell(shell, command, shell.manifest, code=1)


def test_every_unknown_import_is_named_at_once(alone: Shell) -> None:
    (alone.folder / "counter.wasm").write_bytes(
        imports(
            '(import "a:b/c" (instance (export "f" (func)) (export "g" (func))))'
            '(import "alone" (func))' + STORE.format("frob", "")
        )
    )
    manifest = Path(alone.manifest)
    manifest.write_text(f'{MANIFEST}[[handler]]\ntype = "store"\n')
    told = tell(alone, "run", str(manifest), code=1)
    for name in ("a:b/c/f", "a:b/c/g", "alone", "theater:simple/store/frob", "get-by-label"):
        assert name in told


def test_a_component_that_is_not_the_pinned_one_is_refused(alone: Shell) -> None:
    manifest = Path(alone.manifest)
    manifest.write_text(f'component_sha256 = "{"ab" * 32}"\n{MANIFEST}')
    assert "component.pin" in tell(alone, "run", str(manifest), code=1)


@pytest.mark.parametrize("bytes_", [300 * MIB, COMPONENT_BYTES_MAX + 1])
def test_a_component_that_is_too_large_is_refused_before_it_is_read(
    alone: Shell, bytes_: int
) -> None:
    with (alone.folder / "counter.wasm").open("wb") as file:
        file.truncate(bytes_)
    assert "component.too_large" in tell(alone, "run", alone.manifest, code=1)


def test_files_without_an_end_are_read_to_their_bound_only(shell: Shell) -> None:
    actor = shell.start("endless")
    manifest = Path(shell.manifest)
    assert "manifest.too_large" in tell(shell, "validate", "/dev/zero", code=1)
    assert "message.too_large" in tell(shell, "send", actor, "--file", "/dev/zero", code=1)
    manifest.write_text(MANIFEST.replace("counter.wasm", "/dev/zero"))
    assert "component.too_large" in tell(shell, "run", str(manifest), code=1)


def test_a_message_above_the_ceiling_is_refused_before_it_is_sent(shell: Shell) -> None:
    actor = shell.start("ceiling")
    large = bytes(MESSAGE_BYTES_CEILING + 1)
    assert "message.too_large" in tell(shell, "send", actor, "-", stdin=large, code=1)
    fits = bytes(MESSAGE_BYTES_CEILING)
    assert "limits.message_bytes" in tell(shell, "send", actor, "-", stdin=fits, code=1)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1:9000", "ftp://x", "http://", "http://127.0.0.1:99999", "http://127.0.0.1:x"),
        *("http://[::1", "http://[zz]:1", "http://a b", "http://..:1", "http://x\ny", " http://x"),
        *(f"http://{'a' * 300}", "http://u:p@127.0.0.1", "http://127.0.0.1/path", "http://x?y=1"),
    ],
)
def test_an_address_that_is_none_is_wrong_usage(alone: Shell, address: str) -> None:
    assert "address.invalid" in tell(alone, "list", "--address", address, code=2)


def test_a_token_that_no_header_can_carry_is_wrong_usage(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in ("a\nb", "bäd", "→"):
        monkeypatch.setenv("THEATER_TOKEN", token)
        assert "token.invalid" in tell(shell, "list", code=2)
    monkeypatch.setenv("THEATER_TOKEN", "another")
    assert "token.wrong" in tell(shell, "list", code=1)


def test_a_proxy_in_the_environment_is_not_asked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    shell.run("list")


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """The address of something that answers each connection with the next of these."""

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(WAIT_S)


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.mark.parametrize(
    ("answers", "word", "code"),
    [
        ((http(b"<html>"),), "server.version", 1),
        ((http(b'{"actors": [{"id": 1}]}'),), "server.version", 1),
        ((http(b'{"actors": [], "more": 1}'),), "server.version", 1),
        ((http(b"\x1b[2Joh", b"500 Oh"),), "server.unknown", 1),
        ((http(b"<html>", b"404 No"),), "not_found", 3),
        ((b"SSH-2.0-x\r\n",) * 3, "server.unreachable", 4),
    ],
)
def test_another_server_or_version_is_told_as_that(
    alone: Shell, answers: tuple[bytes, ...], word: str, code: int
) -> None:
    with answering(*answers) as address:
        told = tell(alone, "list", "--address", address, code=code)
    assert word in told
    assert "\x1b[2J" not in told


CONFIGS: list[tuple[bytes, str]] = [
    (b"a = \n[secrets\n", "1:5:"),
    (b"token = 3\nlog_level = 'loud'\nserver_adress = 'x'\n", "did you mean server_address?"),
    (b"token = 3\nlog_level = 'loud'\nserver_adress = 'x'\n", "token must be a string"),
    (b"token = 3\nlog_level = 'loud'\nserver_adress = 'x'\n", "loud"),
    (b"\xff", "UTF-8"),
    (b"a = " + b"[" * 5000, "deep"),
    (b"a = " + b"9" * 5000, "digits"),
    (b"secrets = 3", "[secrets] is a table"),
    (b"[secrets]\nK = 1", "the secret K"),
    (b"chain_dirs = ['relative']", "chain_dirs"),
    (b"data_dir = '~nobody-here/x'", "nobody-here"),
]


@pytest.mark.parametrize(("text", "word"), CONFIGS)
def test_a_broken_configuration_is_told_with_all_its_mistakes(
    alone: Shell, home: Path, text: bytes, word: str
) -> None:
    file = home / "config" / "theater" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    told = tell(alone, "list", code=2)
    assert "config.invalid" in told
    assert word in told


@pytest.mark.parametrize("name", ["SERVER_ADDRESS", "LOG_LEVEL", "DATA_DIR"])
def test_a_variable_that_makes_no_sense_is_told(
    alone: Shell, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"THEATER_{name}", "~nobody-here" if name == "DATA_DIR" else "nonsense")
    tell(alone, "list", code=2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("inspect", "\udcff"), 3),
        (("inspect", ""), 3),
        (("inspect", "a/b"), 3),
        (("verify", "/no/such/file.jsonl"), 3),
        (("start", "{manifest}", "--name", "\udcff"), 2),
        (("start", "{manifest}", "--name", ""), 2),
        (("start", "{manifest}", "--name", "a\x1b[2J"), 2),
        (("run", "{manifest}", "--name", "x" * 129), 2),
        (("start", "{folder}"), 2),
        (("start", "{folder}/none.toml"), 3),
        (("run", "{manifest}", "--var", "=x"), 2),
        (("request", "x", "y", "--timeout", "inf"), 2),
        (("request", "x", "y", "--timeout", "nan"), 2),
        (("wait", "x", "--timeout", "nan"), 2),
        (("send", "x", "y", "--key", ""), 2),
        (("run", "{manifest}", "--data-dir", "{manifest}/x"), 1),
        (("server", "--port", "0", "--data-dir", "{manifest}/x"), 1),
        (("server", "--port", "0", "--host", "no.such.invalid", "--data-dir", "{folder}/d"), 2),
        (("server", "--port", "0", "--host", "a b", "--data-dir", "{folder}/d"), 2),
    ],
)
def test_arguments_that_make_no_sense_have_their_exit_code(
    shell: Shell, words: tuple[str, ...], code: int
) -> None:
    places = {"manifest": shell.manifest, "folder": str(shell.folder)}
    tell(shell, *(word.format(**places) for word in words), code=code)


def test_a_port_in_use_is_told_with_what_to_do(alone: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        folder = str(alone.folder / "d")
        assert "--port" in tell(alone, "server", "--port", port, "--data-dir", folder, code=1)


def spawned(redirect: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command under a shell that redirects its streams."""
    line = f'exec "$@" {redirect}'
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", sys.executable, "-c", SCRIPT, *words],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=WAIT_S,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("redirect", "code"),
    [(">/dev/full", 1), (">&-", 0), ("2>&-", 0), ("<&-", 0), ("<&- >&- 2>&-", 0)],
)
def test_standard_streams_may_be_full_or_closed(shell: Shell, redirect: str, code: int) -> None:
    done = spawned(redirect, "list", "--json")
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert "bug" not in done.stderr


def test_a_name_is_printed_wherever_it_can_not_be_spelled(shell: Shell) -> None:
    shell.start("ünï→")
    done = spawned("", "list", PYTHONIOENCODING="latin-1", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert "u2192" in done.stdout


@pytest.mark.parametrize("command", ["logs", "events"])
def test_what_waits_is_interrupted_without_a_word_too_many(shell: Shell, command: str) -> None:
    actor = shell.start(command)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, command, actor, "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == 130
        assert said.strip() == "interrupted"
    finally:
        process.kill()
        process.communicate()
