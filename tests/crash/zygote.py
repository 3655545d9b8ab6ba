"""A process that has everything imported and forks a child for each run of a scenario.

Reads a JSON object a line: `data`, `told`, `cache`, the `scenario` (by default the clients'), and
one of: `point` and `number` (end the process at that failpoint), `point` and `copies` (copy at that
point of every record what the end of the process would leave there), `cut_after` (lose the power
after so many file operations), `operations` (write all of them there, by name). With `language`, `builds` and `instance_calls` the conversation with
a guest in it is run instead; `native` names a way in which a guest kills the process, over a node
with all that it has. Writes a JSON object a line: the child's exit `code`, and what it printed about
an error.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import traceback
from pathlib import Path

from tests.crash import languages, native
from tests.crash.scenario import Told
from tests.crash.scenarios import SCENARIOS
from tests.runtime.actors import guest
from theater.journal.port import Failpoint
from theater.journal.sqlite import SqliteJournal
from theater.runtime.node import Node
from theater.runtime.settings import NodeSettings
from theater.testing.lossy_files import LossyFiles
from theater.testing.lossy_vfs import LossyVfs, Power

CRASHED = 86
FINISHED = 0


def _ending_at(point: str, number: int) -> Failpoint:
    def failpoint(here: str, record: int) -> None:
        if here == point and record == number:
            os._exit(CRASHED)

    return failpoint


def _copying_at(point: str, data: Path, told: Path, copies: Path) -> Failpoint:
    def failpoint(here: str, record: int) -> None:
        if here == point:
            shutil.copytree(data, copies / str(record) / "data")
            if told.exists():
                shutil.copy(told, copies / str(record) / "told")

    return failpoint


def _run(order: dict[str, object]) -> int:
    logging.disable()
    if "native" in order:
        places = (Path(str(order[name])) for name in ("data", "cache"))
        native.run(*places, Told(Path(str(order["told"]))), str(order["native"]))
        os._exit(FINISHED)
    scenario = SCENARIOS[str(order.get("scenario", "clients"))]
    settings = NodeSettings(
        cache_dir=Path(str(order["cache"])),
        group_records_max=1,
        workers_max=scenario.workers_max,
    )
    data, told = Path(str(order["data"])), Told(Path(str(order["told"])))
    operations: list[str] = []
    if "cut_after" in order or "operations" in order:
        power = Power(cut_after=int(str(order["cut_after"])) if "cut_after" in order else None)
        power.fault = lambda operation, _path: operations.append(operation)
        journal = SqliteJournal.open(
            data, group_records_max=1, vfs=LossyVfs(power).name, files=LossyFiles(power)
        )
        journal.on_failure(lambda _error: os._exit(CRASHED))
    else:
        failpoint = None
        if "copies" in order:
            copies = Path(str(order["copies"]))
            failpoint = _copying_at(str(order["point"]), data, told.path, copies)
        elif "point" in order:
            failpoint = _ending_at(str(order["point"]), int(str(order["number"])))
        journal = SqliteJournal.open(data, group_records_max=1, failpoint=failpoint)
    node = Node.over(journal, settings)
    if "language" in order:
        builds, calls = Path(str(order["builds"])), int(str(order["instance_calls"]))
        languages.play(node, told, str(order["language"]), builds, calls)
    else:
        scenario.play(node, told)
    if "operations" in order:
        Path(str(order["operations"])).write_text(json.dumps(operations))
    told.note("records", str(journal.appended()))
    os._exit(FINISHED)


def main() -> None:
    for name in ("channels", "counter", "parent", "relay", "ending", "alarm", "defer", "obey"):
        guest(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                _run(order)
            except BaseException:
                # Without power nothing can be opened; whatever else went wrong shows afterwards.
                sys.stderr.write(traceback.format_exc())
                sys.stderr.flush()
                os._exit(CRASHED if "cut_after" in order else 1)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
