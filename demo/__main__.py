"""`python -m demo`: run the story; exit 0 only if every check held."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from demo.command import CommandFailed
from demo.control import TooSlow
from demo.processes import ProcessFailed
from demo.story import MODELS, ROOT, Story, fresh_folder

INTERRUPTED = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--model", choices=sorted(MODELS), default="smollm2-135m-instruct")
    parser.add_argument(
        "--folder", type=Path, help="an empty one for the run (default: demo/.runs)"
    )
    parser.add_argument("--svg", type=Path, help="write what was shown as a picture too")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, _end)
    folder = arguments.folder or fresh_folder(ROOT / "demo" / ".runs")
    if any(folder.iterdir()):
        parser.error(f"{folder} is not empty")
    story = Story(arguments.model, folder)
    try:
        held = story.tell()
    except (CommandFailed, ProcessFailed, TooSlow, subprocess.TimeoutExpired) as error:
        story.transcript.verdict(
            False, f"The story broke off: {error}\nLogs are in {story.folder}."
        )
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        story.close()
        if arguments.svg:
            story.transcript.save(arguments.svg)
    return 0 if held else 1


def _end(_number: int, _frame: FrameType | None) -> None:
    # As Ctrl-C: unwinding stops every process that was started.
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
