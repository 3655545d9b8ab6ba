"""`python -m fuzz run TARGET SECONDS`, `keep TARGET` and `seed TARGET`."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent


def main(words: list[str]) -> None:
    match words:
        case ["run", name, seconds]:
            from fuzz.running import run

            run(name, int(seconds))
        case ["keep", name]:
            keep(name)
        case ["seed", name]:
            from fuzz.seeds import seeds

            folder = HERE / ".work" / name
            folder.mkdir(parents=True, exist_ok=True)
            for data in seeds(name):
                (folder / sha256(data).hexdigest()[:16]).write_bytes(data)
        case _:
            sys.exit(f"usage: {__doc__}")


def keep(name: str) -> None:
    """Make the corpus of a target of all that was found; what once found a mistake stays."""
    from fuzz.choosing import chosen

    corpus = HERE / "corpus" / name
    found = [path.read_bytes() for path in (HERE / ".work" / name).iterdir() if path.is_file()]
    old = {path: path.read_bytes() for path in corpus.iterdir() if path.is_file()}
    inputs, reached = chosen(name, [*found, *old.values()])
    for path in old:
        if not path.name.startswith("mistake-"):
            path.unlink()
    for data in inputs:
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    size = sum(map(len, inputs))
    print(f"{name}: {len(inputs)} inputs of {len(found)}, {size} bytes, {reached} jumps")


main(sys.argv[1:])
