"""Which Host is let in, and when nobody is asked for a token."""

from __future__ import annotations

import pytest

from theater.errors import UsageError
from theater.server.exchange import Exchange
from theater.server.guard import Guard
from theater.server.settings import ServerSettings


async def nothing(*_: object) -> None:
    raise AssertionError("a guard neither reads nor answers")


def admitted(settings: ServerSettings, host: str, token: str | None = None) -> bool:
    scope = {"headers": [(b"host", host.encode())]}
    try:
        Guard(settings, 9000, token).admit(Exchange(scope, nothing, nothing))  # type: ignore[arg-type]
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    ("bound", "host", "good"),
    [
        ("127.0.0.1", "127.0.0.1:9000", True),
        ("127.0.0.1", "localhost:9000", True),
        ("127.0.0.1", "192.168.1.2:9000", False),
        ("192.168.1.2", "192.168.1.2:9000", True),
        ("192.168.1.2", "localhost:9000", False),
        ("0.0.0.0", "192.168.1.2:9000", True),
        ("0.0.0.0", "[fe80::1]:9000", True),
        ("0.0.0.0", "localhost:9000", True),
        ("0.0.0.0", "rebound.example:9000", False),
        ("0.0.0.0", "192.168.1.2:9001", False),
        ("::1", "[::1]:9000", True),
        ("::", "192.168.1.2:9000", True),
    ],
)
def test_only_the_bound_address_or_any_address_of_a_wildcard_is_a_host(
    bound: str, host: str, good: bool
) -> None:
    assert admitted(ServerSettings(host=bound), host) is good


def test_a_name_that_the_operator_allows_is_a_host() -> None:
    settings = ServerSettings(host="0.0.0.0", allowed_hosts=("Theater.lan",))
    assert admitted(settings, "theater.lan:9000")
    assert admitted(settings, "theater.lan")
    assert admitted(settings, "theater.lan:443")
    assert not admitted(settings, "other.lan:9000")
    assert not admitted(settings, "theater.lan.example")


def test_without_a_token_nobody_is_asked_for_one() -> None:
    assert admitted(ServerSettings(auth=False), "localhost:9000")
    assert not admitted(ServerSettings(), "localhost:9000", token="secret")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_no_auth_is_for_this_machine_only(host: str) -> None:
    with pytest.raises(UsageError):
        ServerSettings(host=host, auth=False).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_no_auth_is_good_on_the_loopback(host: str) -> None:
    ServerSettings(host=host, auth=False).check()
