"""Both clients against a real server; whatever one can, the other can."""

from __future__ import annotations

import asyncio
import inspect
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.actors import until
from tests.runtime.variants import COUNTS_ALIKE, COUNTS_BY_TWO
from tests.server.running import MANIFEST, WAIT_S, Running, guest, running
from theater.client import AsyncClient, Client
from theater.errors import (
    ActorFailed,
    Conflict,
    Denied,
    Diverged,
    ManifestError,
    NotFound,
    TheaterError,
    TimedOut,
    Unavailable,
    UsageError,
)
from theater.server.settings import ServerSettings

pytestmark = pytest.mark.slow


class Blocking:
    """An AsyncClient whose methods are waited for, so that one test serves both."""

    def __init__(self, address: str, token: str | None = None, *, retries: int = 2) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._make(address, token, retries))

    async def _make(self, address: str, token: str | None, retries: int) -> AsyncClient:
        return AsyncClient(address, token, retries=retries)

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            made = method(*args, **kwargs)
            if inspect.isasyncgen(made):
                return self._runner.run(self._all(made))
            return self._runner.run(made)

        return call

    async def _all(self, items: Any) -> list[Any]:
        return [item async for item in items]


KINDS = [Client, Blocking]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=["sync", "async"])


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("components")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data"), cache_dir) as opened:
        yield opened


def test_both_have_the_same_methods_with_the_same_parameters() -> None:
    def methods(kind: type) -> dict[str, list[inspect.Parameter]]:
        return {
            name: list(inspect.signature(method).parameters.values())
            for name, method in vars(kind).items()
            if callable(method) and not name.startswith("_")
        }

    assert methods(Client) == methods(AsyncClient)


@each_kind
def test_unhandled_messages_are_listed_shown_delivered_and_dropped(
    served: Running, kind: type[Client]
) -> None:
    name = f"poisoned-by-{kind.__name__}"
    actor = served.start(name)
    with kind(served.address, served.server.token) as client:
        for _ in range(2):
            with pytest.raises(ActorFailed):
                client.request(name, b"trap")
        page = client.quarantine(name, limit=1)
        rest = client.quarantine(actor.id, after=page.next or 0)
        (first,), (second,) = page.messages, rest.messages
        assert (rest.next, page.kept >= 2) == (None, True)
        assert client.message_body(first.id) == b"trap"
        heir = served.start(f"heir-by-{kind.__name__}", wasm="defer")
        new = client.deliver(first.id, to=heir.id, key=f"again-{name}")
        assert client.deliver(first.id, to=heir.id, key=f"again-{name}") == new
        client.drop(second.id)
        with pytest.raises(NotFound) as gone:
            client.drop(second.id)
        assert gone.value.code == "message.not_found"
        assert client.quarantine(name).messages == []
        assert client.dead_letters(name).messages == []
        client.stop(heir.id)
        (left,) = client.dead_letters(heir.id).messages
        assert (left.id, left.reason, left.sender) == (new, "actor.ended", "outside")
        for odd in ("", "a/b"):
            with pytest.raises(NotFound):
                client.message_body(odd)


@each_kind
def test_an_actors_whole_life(served: Running, kind: Any) -> None:
    with kind(served.address, served.server.token) as client:
        assert client.about().name == "theater"
        component = client.add_component(guest("counter"))
        assert client.add_component(guest("counter")) == component
        actor = client.start(MANIFEST, path="m", component=component, name=kind.__name__)
        assert client.actor(kind.__name__) == client.actor(actor.id)
        assert actor.id in [each.id for each in client.actors()]
        assert client.send(actor.id, b"one").startswith("msg_")
        assert client.request(actor.id, b"two") == b"2"
        assert client.state(actor.id) == b"2"
        assert client.state(actor.id, 0) is None
        events = list(client.events(actor.id))
        assert [event.seq for event in events] == list(range(len(events)))
        assert [e.event_type for e in client.events(actor.id, type="actor-*")] == ["actor-start"]
        assert [line.text for line in client.logs(actor.id)][1:] == ["one", "two"]
        assert len(list(client.event_lines(actor.id, start=2, limit=3))) == 3
        assert client.verify(actor.id).ok
        assert client.replay(actor.id).equal
        assert client.replay(actor.id, until=3).events == 4
        assert client.pause(actor.id).status == "paused"
        assert client.resume(actor.id).status == "running"
        assert client.restart(actor.id, keep_state=True).status == "running"
        assert client.state(actor.id) == b"2"
        assert [client.restart(actor.id, key=actor.id).status for _ in range(2)] == ["running"] * 2
        assert client.state(actor.id) == b"0"
        assert len(list(client.events(actor.id, type="actor-restart"))) == 2
        component = client.add_component(COUNTS_ALIKE)
        assert [client.update(actor.id, component).component for _ in range(2)] == [component] * 2
        assert len(list(client.events(actor.id, type="actor-update"))) == 1
        assert client.replay(actor.id).equal
        client.send(actor.id, b"counts")
        with pytest.raises(Diverged) as otherwise:
            client.update(actor.id, client.add_component(COUNTS_BY_TWO))
        assert otherwise.value.code == "update.diverged"
        assert otherwise.value.facts["expected"] == "the state 1"
        forced = client.update(actor.id, client.add_component(COUNTS_BY_TWO), force=True)
        assert forced.component != component
        with pytest.raises(TimedOut):
            client.wait(actor.id, 0.05)
        assert client.stop(actor.id).status == "stopped"
        assert client.wait(actor.id).status == "stopped"
        assert list(client.events(actor.id, follow=True))[-1].event_type == "actor-stop"
        assert actor.id not in [each.id for each in client.actors()]
        assert actor.id in [each.id for each in client.actors(ended=True)]


@each_kind
def test_errors_come_back_as_what_they_are(served: Running, kind: Any) -> None:
    actor = served.start(f"errors-{kind.__name__}")
    with kind(served.address, served.server.token) as client:
        with pytest.raises(NotFound) as caught:
            client.actor("nobody")
        assert caught.value.code == "actor.not_found"
        with pytest.raises(ActorFailed) as failed:
            client.request(actor.id, b"fail")
        assert failed.value.message == "failed as it was asked to"
        with pytest.raises(ManifestError) as wrong:
            client.start("nam = 1", path="m", component=actor.component)
        assert wrong.value.problems
        with pytest.raises(NotFound):
            list(client.events("nobody"))
    with kind(served.address, "another token") as client, pytest.raises(Denied):
        client.actors()


@each_kind
def test_a_registered_name_is_taken_wherever_an_id_is(served: Running, kind: Any) -> None:
    name = f"clerk.{kind.__name__.lower()}_1-x"
    actor = served.start_named(name)
    with kind(served.address, served.server.token) as client:
        assert client.actor(name).id == actor.id
        assert client.send(name, b"one").startswith("msg_")
        assert client.request(name, b"two") == b"two"
        assert client.state(name) == name.encode()
        assert len(list(client.events(name, start=0, limit=2))) == 2
        assert client.verify(name).ok
        assert client.pause(name).status == "paused"
        assert client.resume(name).id == actor.id
        assert client.stop(name).id == actor.id
        with pytest.raises(NotFound):
            client.send(name, b"three")


@each_kind
def test_names_that_need_quoting_find_nobody_else(served: Running, kind: Any) -> None:
    with kind(served.address, served.server.token) as client:
        for name in ("a/../..", "a?b=c", "ä#", " ", "%2e"):
            with pytest.raises(NotFound):
                client.actor(name)


@each_kind
def test_a_server_that_is_not_there_is_told_as_such(kind: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        kind(f"http://127.0.0.1:{port}", retries=1) as client,
        pytest.raises(Unavailable) as caught,
    ):
        client.actors()
    assert caught.value.code == "server.unreachable"


@pytest.mark.parametrize("address", ["127.0.0.1:9000", "ftp://x", "", "http"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_no_address_is_refused(kind: Any, address: str) -> None:
    with pytest.raises(UsageError):
        kind(address)


@contextmanager
def dropping(port: int, drops: int, *, after_sending: bool) -> Iterator[str]:
    """A door to a server that cuts the first connections: before or after passing on the request."""
    left = [drops]

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=pass_on, args=(client,), daemon=True).start()

    def pass_on(client: socket.socket) -> None:
        drop = left[0] > 0
        left[0] -= 1
        with client, socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as server:
            if drop and not after_sending:
                client.recv(1 << 16)
                return
            threading.Thread(target=copy, args=(client, server), daemon=True).start()
            if drop:
                server.recv(1 << 16)
                client.shutdown(socket.SHUT_RDWR)
            else:
                copy(server, client)

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# A door has another port than the server, so the server must know it by name.
BEHIND_A_DOOR = ServerSettings(port=0, allowed_hosts=("127.0.0.1",))


@each_kind
@pytest.mark.parametrize("after_sending", [False, True])
def test_a_message_whose_connection_broke_is_sent_again_and_handled_once(
    tmp_path: Path, cache_dir: Path, kind: Any, after_sending: bool
) -> None:
    with running(tmp_path, cache_dir, BEHIND_A_DOOR) as served:
        actor = served.start()
        with (
            dropping(served.port, 2, after_sending=after_sending) as door,
            kind(door, served.server.token) as client,
        ):
            client.send(actor.id, b"x")
        assert served.ask("POST", f"/api/v1/actors/{actor.id}/request", b"y") == (200, 2)


@each_kind
def test_a_stop_whose_connection_broke_is_not_repeated(
    tmp_path: Path, cache_dir: Path, kind: Any
) -> None:
    with running(tmp_path, cache_dir, BEHIND_A_DOOR) as served:
        actor = served.start()
        with (
            dropping(served.port, 1, after_sending=False) as door,
            kind(door, served.server.token) as client,
            pytest.raises(Unavailable),
        ):
            client.stop(actor.id)
        assert served.node.info(actor.id).status == "running"


def test_one_client_serves_many_threads(served: Running) -> None:
    actor = served.start("threads")
    with served.client() as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.request(actor.id, b"x"), range(100)))
    assert sorted(int(answer) for answer in answers) == list(range(1, 101))


def test_many_coroutines_share_one_async_client(served: Running) -> None:
    actor = served.start("coroutines")

    async def main() -> list[bytes]:
        async with AsyncClient(served.address, served.server.token) as client:
            return await asyncio.gather(*(client.request(actor.id, b"x") for _ in range(100)))

    answers = asyncio.run(main())
    assert sorted(int(answer) for answer in answers) == list(range(1, 101))


@each_kind
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"502 Bad Gateway\r\nContent-Length: 5\r\n\r\nproxy", "server.unknown"),
        (b'502 Bad Gateway\r\nContent-Length: 12\r\n\r\n{"code":"\xff"}', "server.unknown"),
        (b"200 OK\r\nContent-Length: 5\r\n\r\nproxy", "server.version"),
        (b'200 OK\r\nContent-Length: 12\r\n\r\n{"actors":1}', "server.version"),
        (b'200 OK\r\nContent-Length: 14\r\n\r\n{"actors\xff\xff":1}', "server.version"),
    ],
)
def test_an_answer_that_is_not_the_servers_is_told_as_such(
    kind: Any, answer: bytes, code: str
) -> None:
    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 " + answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with kind(address) as client, pytest.raises(TheaterError) as caught:
            client.actors()
    assert caught.value.code == code


def test_the_sync_client_does_not_import_what_the_async_one_needs() -> None:
    code = (
        "import sys; from theater.client import Client; "
        "print([m for m in ('httpx2', 'asyncio', 'wasmtime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_channel_is_used_and_closed_by_either_side(served: Running) -> None:
    actor = served.start("talker", "channels")
    with served.client() as client:
        for first in (b"yhello", b"yagain"):
            with client.open_channel(actor.id, first) as channel:
                channel.send(b"eone")
                channel.send(b"etwo", key=f"two {first!r}".encode().hex())
                channel.send(b"c" if first == b"yhello" else b"elast")
                heard = iter(channel)
                assert [next(heard) for _ in range(3)] == [first[1:], b"one", b"two"]
                if first != b"yhello":
                    assert next(heard) == b"last"
                    channel.close()
                assert list(heard) == []
                channel.close()
                with pytest.raises(Conflict) as raised:
                    channel.send(b"more")
                assert raised.value.code == "channel.closed"
        with pytest.raises(ActorFailed) as refusal:
            client.open_channel(actor.id, b"nno")
        assert (refusal.value.code, refusal.value.message) == ("channel.refused", "no")
        with pytest.raises(NotFound):
            client.open_channel("0" * 36)


def test_the_asynchronous_client_has_channels_too(served: Running) -> None:
    actor = served.start("async-talker", "channels")

    async def talk() -> None:
        async with AsyncClient(served.address, served.server.token) as client:
            async with await client.open_channel(actor.id, b"yhello") as channel:
                await channel.send(b"eone")
                heard = aiter(channel)
                assert [await anext(heard), await anext(heard)] == [b"hello", b"one"]
                await channel.close()
                assert [each async for each in heard] == []
                await channel.close()
                with pytest.raises(Conflict):
                    await channel.send(b"more")
            with pytest.raises(ActorFailed):
                await client.open_channel(actor.id, b"nno")
            async with await client.open_channel(actor.id) as dropped:
                assert dropped.id.startswith("ch_")

    asyncio.run(talk())
    assert closed_soon(served, actor.id, 2)


def test_a_client_that_hangs_up_has_its_channel_closed(served: Running) -> None:
    actor = served.start("left", "channels")
    with served.client() as client, client.open_channel(actor.id) as channel:
        assert channel.id
    assert closed_soon(served, actor.id, 1)


def closed_soon(served: Running, actor: str, count: int) -> bool:
    """Whether the actor is told of so many channels' ends within a while."""

    def told() -> bool:
        state = served.node.state(actor) or b""
        return sum(line.startswith(b"x") for line in state.splitlines()) == count

    until(told, served.node, WAIT_S)
    return True


def test_a_server_that_ends_breaks_its_channels_and_the_next_one_tells_the_actor(
    tmp_path: Path, cache_dir: Path
) -> None:
    with running(tmp_path, cache_dir) as first:
        actor = first.start("talker", "channels")
        client = first.client()
        channel = client.open_channel(actor.id, b"yhello")
        heard = iter(channel)
        assert next(heard) == b"hello"
    with pytest.raises(Unavailable):
        next(heard)
    with running(tmp_path, cache_dir) as second:
        assert closed_soon(second, actor.id, 1)
