"""The story that the demo tells, from the build to the proof."""

from __future__ import annotations

import json
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from demo.checks import Check, judge, posts
from demo.command import Theater
from demo.control import GateControl
from demo.ledger import Statistics, read
from demo.processes import Process, uninterrupted
from demo.transcript import Transcript

ROOT: Final = Path(__file__).resolve().parent.parent
RESEARCHER: Final = ROOT / "examples" / "researcher"
ANSWERS_BEFORE_FIRST_KILL: Final = 2
PAUSE_S: Final = 0.5
MODELS: Final = {
    "smollm2-135m-instruct": ("demo.model", "SmolLM2-135M-Instruct on llama.cpp, sampling"),
    "scripted": ("demo.scripted", "a scripted stand-in, no language model"),
}


@dataclass
class Story:
    """One run of the demo in a folder of its own. `close` ends every process that it started."""

    model: str
    folder: Path
    transcript: Transcript = field(default_factory=Transcript)
    checks: list[Check] = field(default_factory=list)
    _exit: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        self._exit.close()

    def tell(self) -> bool:
        """Run all of it; whether every check held."""
        begun = time.monotonic()
        show = self.transcript
        show.title(
            "Theater: an agent that is killed in the middle of its work, goes on, and is proven"
        )
        self._build()
        self._start_model()
        self._start_server("a Theater server, with an empty data directory")
        self._start_agent()

        show.title("At work")
        self._kill_between_two_steps()
        self._kill_in_an_open_post()
        self._wait_for_result()

        show.title("What the agent found")
        show.answers(self.found)

        show.title("Checked")
        self._judge()
        self._verify()
        self._tamper()
        self._replay()

        took = f"{time.monotonic() - begun:.0f} s"
        failed = sum(not check.ok for check in self.checks)
        if failed:
            text = f"{failed} of {len(self.checks)} checks failed, in {took}; see {self.folder}"
        else:
            text = f"All {len(self.checks)} checks hold, in {took}."
        show.verdict(not failed, text)
        return not failed

    # The cast

    def _build(self) -> None:
        # Before there is a server: a command that needs none must not ask for one.
        self.theater = Theater(self.folder / "data", {})
        # In a copy: a build writes the component's hash into the manifest.
        self.project = self.folder / "researcher"
        shutil.copytree(RESEARCHER, self.project, ignore=shutil.ignore_patterns("build"))
        with self.transcript.step("build the agent", "built examples/researcher"):
            self.theater.run("build", str(self.project))

    def _start_model(self) -> None:
        module, name = MODELS[self.model]
        with self.transcript.step("load the model", f"a model: {name}"):
            self.model_process = self._start("model", "-m", module)
            address = self.model_process.next_line()
        with self.transcript.step(
            "start the gate", "the gate that counts idempotency keys"
        ) as said:
            self.log = self.folder / "gate.jsonl"
            self.gate_process = self._start(
                "gate", "-m", "demo.gate", "--model", address, "--log", str(self.log)
            )
            self.gate = GateControl(self.gate_process.next_line())
            said.append(self.gate.address)

    def _start(self, name: str, *arguments: str) -> Process:
        command = [sys.executable, *arguments]
        return self._keep(lambda: Process(name, command, self.folder / f"{name}.log"))

    def _keep(self, make: Callable[[], Process]) -> Process:
        with uninterrupted():
            return self._exit.enter_context(make())

    def _start_server(self, done: str) -> None:
        with self.transcript.step("start the server", done) as said:
            data_dir = self.theater.data_dir
            command = [self.theater.program, "server", "--port", "0", "--data-dir", str(data_dir)]
            log, environment = self.folder / "server.log", self.theater.environment
            self.server = self._keep(lambda: Process("server", command, log, environment))
            said.append(self.server.next_line())

    def _start_agent(self) -> None:
        manifest = self.project / "manifest.toml"
        state = tomllib.loads(manifest.read_text())["initial_state"]
        state |= {"base_url": f"{self.gate.address}/v1", "model": self.model, "pause_s": PAUSE_S}
        state_file = self.folder / "state.json"
        state_file.write_text(json.dumps(state))
        with self.transcript.step("start the agent", "started the agent") as said:
            _, printed = self.theater.run(
                "start", str(manifest), "--id-only", "--state", str(state_file)
            )
            self.actor = printed.strip()
            said.append(self.actor)

    # What happens to it

    def _kill_between_two_steps(self) -> None:
        seen = self._freeze_between_two_steps()
        self.server.kill()
        self.transcript.kill("the server, between two steps")
        self._expect(
            "no request was open",
            self.gate.statistics() == seen,
            f"{seen.asked} questions asked, {seen.delivered} answered",
        )
        self._resurrect(seen.delivered)

    def _freeze_between_two_steps(self) -> Statistics:
        """Stop the server where a step is over and the next question is not asked yet."""
        following = self._keep(lambda: self.theater.follow(self.actor, self.folder / "events.log"))
        events: list[Mapping[str, Any]] = []
        while True:
            events.append(json.loads(following.next_line()))
            step_is_over = events[-1]["event_type"] == "wasm-result"
            if step_is_over and _answered(events) >= ANSWERS_BEFORE_FIRST_KILL:
                # On a busy machine the news comes late: look whether the moment has passed.
                self.server.freeze()
                seen = self.gate.statistics()
                if seen.asked == seen.delivered:
                    return seen
                self.server.thaw()

    def _kill_in_an_open_post(self) -> None:
        self.gate.hold_next()
        self.gate.wait(holding=1)
        self.server.kill()
        self.transcript.kill("the server, while the gate holds an answer back")
        seen = self.gate.statistics()
        self._expect(
            "a POST was open",
            seen.asked == seen.delivered + 1 and seen.holding == 1,
            f"{seen.asked} questions asked, {seen.delivered} answered",
        )
        self.in_flight = next(line.key for line in read(self.log) if line.kind == "held")
        self.gate.release()
        self._resurrect(seen.delivered)

    def _resurrect(self, delivered: int) -> None:
        self._start_server("the server again, on what was left")
        with self.transcript.step("wait for the agent", "the agent goes on") as said:
            seen = self.gate.wait(delivered=delivered + 1)
            said.append(f"question {seen.delivered} is answered")

    def _wait_for_result(self) -> None:
        with self.transcript.step("wait for the agent", "the agent works on, and has its result"):
            outcome = self.theater.json("wait", self.actor, "--timeout", "120")
            result = json.loads(outcome["outcome"]["text"])
        self.found = [(item["question"], item["answer"]) for item in result["findings"]]

    # What is true of it

    def _judge(self) -> None:
        self.chain = self.theater.events(self.actor)
        found = judge(
            read(self.log), _lines(self.chain), questions=len(self.found), in_flight=self.in_flight
        )
        for check in found:
            self._note(check)

    def _verify(self) -> None:
        with self.transcript.timing("theater verify") as watch:
            report = self.theater.json("verify", self.actor, codes=(0, 1))
        self.head = report["head"]
        self._expect(
            "theater verify: the chain holds",
            report["ok"] and report["complete"],
            f"{report['events']} events, head {self.head[:16]}…",
            watch.seconds,
        )

    def _tamper(self) -> None:
        """Change one byte of an answer in a copy; verification must name that very event."""
        path = self.folder / "copy" / f"{self.actor}.jsonl"
        path.parent.mkdir()
        path.write_text(self.chain)
        with self.transcript.timing("theater verify, on a copy") as watch:
            whole = self.theater.json("verify", str(path), codes=(0, 1))
        self._expect(
            "theater verify: a copy of it holds too",
            whole["ok"] and whole["head"] == self.head,
            f"head {whole['head'][:16]}…",
            watch.seconds,
        )

        changed = ANSWERS_BEFORE_FIRST_KILL
        target = posts(_lines(self.chain))[changed].answer_seq
        lines = self.chain.splitlines(keepends=True)
        index = next(i for i, line in enumerate(lines) if json.loads(line)["seq"] == target)
        lines[index], change = _change_one_byte(lines[index])
        path.write_text("".join(lines))
        with self.transcript.timing("theater verify, on the changed copy") as watch:
            report = self.theater.json("verify", str(path), codes=(0, 1))
        problem: Mapping[str, Any] = report["problem"] or {}
        self._expect(
            "theater verify: with one byte changed it does not, and the place is named",
            not report["ok"] and problem.get("seq") == target,
            f"{change} in event {target}, the answer to question {changed + 1}; "
            f"found: event {problem.get('seq')}, {problem.get('reason')}",
            watch.seconds,
        )

    def _replay(self) -> None:
        self.gate_process.stop()
        self.model_process.stop()
        gone = not self.gate_process.alive() and not self.model_process.alive()
        with self.transcript.timing("theater replay") as watch:
            report = self.theater.json("replay", self.actor, codes=(0, 1))
        self._expect(
            "theater replay: the same head, with model and gate stopped",
            gone and report["equal"] and report["head"] == self.head,
            f"{report['calls']} calls, head {report['head'][:16]}…",
            watch.seconds,
        )

    def _expect(self, claim: str, ok: bool, seen: str, seconds: float | None = None) -> None:
        self._note(Check(claim, ok, seen), seconds)

    def _note(self, check: Check, seconds: float | None = None) -> None:
        self.checks.append(check)
        self.transcript.check(check, seconds)


def _answered(events: Sequence[Mapping[str, Any]]) -> int:
    return sum(post.answer_seq is not None for post in posts(events))


def _lines(chain: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in chain.splitlines()]


def _change_one_byte(line: str) -> tuple[str, str]:
    """A chain's line with one character of its data changed, and what was changed."""
    data = json.loads(line)["data_cbor"]
    place = line.index(data) + len(data) // 2
    old = line[place]
    new = "A" if old != "A" else "B"
    return line[:place] + new + line[place + 1 :], f"{old} became {new}"


def fresh_folder(parent: Path) -> Path:
    """An empty folder for this run under `parent`, where only the last run is kept."""
    shutil.rmtree(parent, ignore_errors=True)
    folder = parent / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    return folder
