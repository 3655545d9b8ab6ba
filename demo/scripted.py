"""A language model that is none: answers in OpenAI's form, at once, with words drawn at random.

For the tests. The answers are random, as a sampling model's are: a replay that asked again would be
seen to differ. Prints its address as the first line of standard output, then serves until its standard
input ends.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ("copper", "tide", "lantern", "orchard", "granite", "signal", "meadow", "harbour")


class Handler(BaseHTTPRequestHandler):
    """One endpoint: POST /v1/chat/completions."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", "0"))
        question = json.loads(self.rfile.read(size))["messages"][-1]["content"]
        words = " ".join(random.choices(WORDS, k=6))
        message = {"role": "assistant", "content": f"{words}, said of {len(question)} characters."}
        body = json.dumps(
            {
                "object": "chat.completion",
                "model": "scripted",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error belongs to what goes wrong."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
