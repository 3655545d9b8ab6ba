"""The paths, headers and content types that server and clients must agree on."""

from __future__ import annotations

from typing import Final

API: Final = "/api/v1"
IDEMPOTENCY_KEY: Final = "idempotency-key"
TRACEPARENT: Final = "traceparent"
BYTES: Final = "application/octet-stream"
JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
EVENT_STREAM: Final = "text/event-stream"

STREAM_CURSOR: Final = "theater-cursor"
"""The header that says where a stream begins."""

CHANNEL: Final = "theater-channel"
"""The header that says which channel was opened."""

NOW: Final = "now"
"""Instead of a seq: what comes next."""

ENDED: Final = frozenset({"stopped", "failed", "imported"})
"""The statuses of an actor that does nothing more."""

LOG_TYPES: Final = {
    "theater:simple/runtime/log": "log",
    "wasi:cli/stdout@0.2/line": "stdout",
    "wasi:cli/stderr@0.2/line": "stderr",
}
"""The events that are lines of an actor's log, and where each line comes from."""
