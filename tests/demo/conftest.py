"""The gate with the scripted model behind it, as processes, and a plain HTTP client."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.ledger import Line, read
from demo.processes import Process


@dataclass(frozen=True)
class Door:
    """The gate as a client sees it."""

    address: str
    log_path: Path
    model: Process
    gate: Process

    def connect(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.address).netloc, timeout=30)

    def post(self, path: str, body: bytes = b"", key: str | None = None) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request("POST", path, body, {"Idempotency-Key": key} if key else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def ask(self, question: str, key: str | None) -> tuple[int, bytes]:
        return self.post("/v1/chat/completions", request_body(question), key)

    def statistics(self, **wanted: float) -> dict[str, Any]:
        connection = self.connect()
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        try:
            connection.request("GET", f"/gate/statistics?{query}")
            return dict(json.loads(connection.getresponse().read()))
        finally:
            connection.close()

    def log(self) -> list[tuple[str, str]]:
        return [(line.kind, line.key) for line in self.lines()]

    def lines(self) -> list[Line]:
        return read(self.log_path)


def request_body(question: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": question}]}).encode()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    log = tmp_path / "gate.jsonl"
    with Process("model", [sys.executable, "-m", "demo.scripted"], tmp_path / "model.log") as model:
        command = [sys.executable, "-m", "demo.gate", "--model", model.next_line()]
        with Process("gate", [*command, "--log", str(log)], tmp_path / "gate.log") as gate:
            yield Door(gate.next_line(), log, model, gate)
