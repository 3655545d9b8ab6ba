"""System calls as `strace -f -yy -xx` writes them down: when each began, when it was over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

READS = ("read", "readv", "recvfrom", "recvmsg")
WRITES = ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg")
SYNCS = ("fsync", "fdatasync")
TRACED = ",".join((*READS, *WRITES, *SYNCS, "connect"))
ARGUMENTS = ("-f", "-yy", "-xx", "-s", "8192", "-e", "signal=none", "-e", f"trace={TRACED}")

_LINE = re.compile(r"(\d+) +(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_CALL = re.compile(r"(\w+)\((\d+)<(.*?[^-])>(.*)", re.DOTALL)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_RESULT = re.compile(r"= (-?\d+)[^=]*$")
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_PATH = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class SystemCall:
    """One call. `begun` and `over` are positions in the trace, `file` a path or a socket's addresses,
    `data` the bytes that it read or wrote, `port` where a connection was made to.
    """

    name: str
    file: str
    data: bytes
    result: int
    begun: int
    over: int
    port: int | None = None


def read_trace(lines: Iterable[str]) -> list[SystemCall]:
    """All calls that came to their end, in the order in which they began."""
    calls: list[SystemCall] = []
    unfinished: dict[str, tuple[int, str]] = {}
    for position, line in enumerate(lines):
        matched = _LINE.match(line)
        if matched is None:
            continue
        thread, rest = matched.groups()
        begun = position
        if rest.endswith("<unfinished ...>"):
            unfinished[thread] = (position, rest.removesuffix("<unfinished ...>"))
            continue
        resumed = _RESUMED.match(rest)
        if resumed is not None:
            begun, head = unfinished.pop(thread, (position, ""))
            rest = head + resumed[2]
        call = _parse(rest, begun, position)
        if call is not None:
            calls.append(call)
    return sorted(calls, key=lambda call: call.begun)


def _parse(text: str, begun: int, over: int) -> SystemCall | None:
    call, result = _CALL.match(text), _RESULT.search(text)
    if call is None or result is None:
        return None
    name, _, file, rest = call.groups()
    data = b"".join(bytes.fromhex(found.replace("\\x", "")) for found in _TEXT.findall(rest))
    file = _PATH.sub(lambda found: chr(int(found[1], 16)), file)
    port = _PORT.search(rest) if name == "connect" else None
    return SystemCall(
        name, file, data, int(result[1]), begun, over, None if port is None else int(port[1])
    )
