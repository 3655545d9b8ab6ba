"""Importing over HTTP: any form, in pieces, bounded, and nothing left of what is refused."""

from __future__ import annotations

import asyncio
import http.client
from pathlib import Path
from typing import Any

import pytest

from tests.chain.sample import Builder, realistic
from tests.server.running import Running
from theater.chain import files, shapes
from theater.chain.event import Event
from theater.chain.files import Form
from theater.client import AsyncClient, Client
from theater.errors import CodecError, Conflict, TooLarge, UsageError
from theater.limits import IMPORTS_AT_ONCE_MAX
from theater.server import management

PATH = "/api/v1/imports"


def actor_id(number: int) -> str:
    return f"00000000-0000-4000-9000-{number:012x}"


def stranger(number: int, calls: int = 5) -> list[Event]:
    chain = Builder()
    chain.start(actor=actor_id(number), name=f"http-{number}")
    for event in realistic(calls)[1:]:
        chain.add(event.type, event.data or b"")
    return chain.events


def written(events: list[Event], form: Form = Form.JSONL) -> bytes:
    return b"".join(files.write(events, form))


def left(served: Running) -> list[str]:
    return [path.name for path in (served.data_dir / "imports").glob("*.part")]


@pytest.mark.parametrize("form", list(Form), ids=[form.value for form in Form])
def test_a_chain_of_any_form_is_kept(served: Running, form: Form) -> None:
    events = stranger(list(Form).index(form))
    status, told = served.ask("POST", PATH, written(events, form))
    assert (status, told["outcome"], told["content"]) == (201, "new", False)
    assert (told["actor"]["status"], told["actor"]["events"]) == ("imported", len(events))
    assert served.ask("POST", PATH, written(events, form))[0] == 200
    actor = f"/api/v1/actors/{told['actor']['id']}"
    assert served.ask("GET", actor)[1] == told["actor"]
    assert served.ask("GET", f"{actor}/events")[1] == written(events)
    assert served.ask("GET", f"{actor}/state") == (
        404,
        {
            "code": "state.gone",
            "message": "that state is not here: the chain came as a file, which has only its hash",
            "facts": {},
        },
    )
    assert served.ask("POST", f"{actor}/stop", b"{}")[1]["status"] == "imported"
    assert served.ask("POST", f"{actor}/send", b"x")[0] == 404
    assert left(served) == []


def test_a_body_may_come_in_chunks_without_a_length(served: Running) -> None:
    data = written(stranger(10), Form.SEQUENCE)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        connection.request(
            "POST",
            PATH,
            iter([data[at : at + 7] for at in range(0, len(data), 7)]),
            {"Authorization": f"Bearer {served.server.token}"},
            encode_chunked=True,
        )
        assert connection.getresponse().status == 201
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "encoding.empty"),
        (b"not a chain", "encoding.not_a_chain"),
        (written(stranger(11))[:-5], "encoding.cut"),
        (written(stranger(11)[1:]), "encoding.does_not_verify"),
    ],
)
def test_what_is_refused_leaves_nothing(served: Running, body: bytes, code: str) -> None:
    status, told = served.ask("POST", PATH, body)
    assert (status, told["code"]) == (400, code)
    assert left(served) == []


def test_a_body_beyond_the_bound_is_refused(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management, "IMPORT_BYTES_MAX", 1000)
    assert served.ask("POST", PATH, written(stranger(12)))[0] == 413
    assert left(served) == []


def test_an_unknown_field_of_the_query_is_refused(served: Running) -> None:
    assert served.ask("POST", f"{PATH}?who=me", written(stranger(13)))[0] == 400


def test_only_some_are_imported_at_once(served: Running) -> None:
    data = written(stranger(14))
    begun = []
    try:
        for _ in range(IMPORTS_AT_ONCE_MAX):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
            begun.append(connection)
            connection.putrequest("POST", PATH)
            connection.putheader("Authorization", f"Bearer {served.server.token}")
            connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data[:100])
        answers = [served.ask("POST", PATH, data) for _ in range(200)]
        busy = [told["code"] for status, told in answers if status == 503]
        assert "import.busy" in busy
    finally:
        for connection in begun:
            connection.close()
    for _ in range(200):
        status, _told = served.ask("POST", PATH, data)
        if status != 503:
            break
    assert status in (200, 201)


def test_both_clients_import_a_file(served: Running, tmp_path: Path) -> None:
    path = tmp_path / "a.chain"
    events = stranger(15)
    path.write_bytes(written(events[:20], Form.BLOCKS))
    with served.client() as client:
        assert client.import_chain(path).outcome == "new"
    path.write_bytes(written(events, Form.BLOCKS))

    async def further() -> str:
        async with AsyncClient(served.address, served.server.token) as client:
            return (await client.import_chain(path)).outcome

    assert asyncio.run(further()) == "extended"
    assert list(served.node.events(actor_id(15))) == events


def _sync(served: Running, path: Path) -> Any:
    with Client(served.address, served.server.token) as client:
        return client.import_chain(path)


def _async(served: Running, path: Path) -> Any:
    async def run() -> Any:
        async with AsyncClient(served.address, served.server.token) as client:
            return await client.import_chain(path)

    return asyncio.run(run())


@pytest.mark.parametrize("importing", [_sync, _async])
def test_clients_are_told_why_a_file_was_not_imported(
    served: Running, tmp_path: Path, importing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    with pytest.raises(UsageError):
        importing(served, path)
    path.write_bytes(b"nothing")
    with pytest.raises(CodecError):
        importing(served, path)
    path.write_bytes(written(stranger(16)))
    importing(served, path)
    chain = Builder()
    chain.start(actor=actor_id(16))
    chain.note(shapes.ACTOR_PAUSE)
    path.write_bytes(written(chain.events))
    with pytest.raises(Conflict) as refused:
        importing(served, path)
    assert refused.value.facts["seq"] == 0
    monkeypatch.setattr(management, "IMPORT_BYTES_MAX", 1000)
    path.write_bytes(written(stranger(17, 400)))
    with pytest.raises(TooLarge):
        importing(served, path)
