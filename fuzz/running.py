"""One target under atheris, for so many seconds; what it finds new is kept if it is worth keeping."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

from fuzz.targets import TARGETS

HERE = Path(__file__).parent
WORK = HERE / ".work"
RSS_MIB = 1024
INPUT_S = 10
INPUT_BYTES = 4096
LAYERS = ("theater",)


def run(name: str, seconds: int) -> None:
    """Fuzz a target. Ends the process: 0 if nothing was found."""
    if name not in TARGETS:
        sys.exit(f"there is no target {name!r}; there are {', '.join(TARGETS)}")
    with atheris.instrument_imports(include=list(LAYERS), enable_loader_override=False):
        from fuzz.targets import target

        one = target(name)
    found = WORK / name
    found.mkdir(parents=True, exist_ok=True)
    corpus = HERE / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    arguments = [
        f"fuzz {name}",
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={RSS_MIB}",
        f"-timeout={INPUT_S}",
        f"-max_len={INPUT_BYTES}",
        f"-artifact_prefix={WORK / name}-",
        "-print_final_stats=1",
        "-close_fd_mask=0",
    ]
    words = HERE / "words" / name
    if words.exists():
        arguments.append(f"-dict={words}")
    atheris.Setup([*arguments, str(found), str(corpus)], one)
    atheris.Fuzz()
