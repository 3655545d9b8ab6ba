"""An agent that works through a list of questions, one message to itself for each step.

A step asks a language model over HTTP, in the form of OpenAI's chat completions, and keeps the answer
in the state. So whatever happens to the node, no question that was answered is asked again.
"""

import time
from dataclasses import dataclass, field

from theater_guest import Actor, HostError, log, send, shutdown
from theater_guest.http import Response, post

ATTEMPTS = 3
INSTRUCTION = "Answer the question in one short sentence."


@dataclass
class Finding:
    """A question and what came of it; `answer` is None if the model could not be asked."""

    question: str
    answer: str | None
    error: str | None = None


@dataclass
class Researcher(Actor):
    """Its first fields come from the manifest's initial state.

    `pause_s` is how long it rests before each question, for a model that limits its clients.
    """

    questions: list[str]
    base_url: str
    model: str
    temperature: float = 0.7
    max_tokens: int = 60
    pause_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    attempts: int = 0

    def on_start(self) -> None:
        log(f"{len(self.questions)} questions for {self.model} at {self.base_url}")
        send(self.actor_id, "step")

    def on_send(self, message: str) -> None:
        if len(self.findings) < len(self.questions):
            time.sleep(self.pause_s)
            self.take_step(self.questions[len(self.findings)])
        if len(self.findings) < len(self.questions):
            send(self.actor_id, "step")
        else:
            shutdown({"model": self.model, "findings": self.findings})

    def on_request(self, message: object) -> dict[str, int]:
        return {"done": len(self.findings), "of": len(self.questions)}

    def take_step(self, question: str) -> None:
        """Ask one question; keep the answer, or after some attempts the error."""
        self.attempts += 1
        try:
            finding = Finding(question, self.ask(question))
        except (HostError, ValueError, LookupError, TypeError) as error:
            log(f"attempt {self.attempts} of {ATTEMPTS} failed: {error}")
            if self.attempts < ATTEMPTS:
                return
            finding = Finding(question, None, str(error))
        self.findings.append(finding)
        self.attempts = 0
        log(f"{len(self.findings)} of {len(self.questions)}: {question} {finding.answer}")

    def ask(self, question: str) -> str:
        """The model's answer. There is no seed: the model samples, and the chain remembers."""
        response: Response = post(
            f"{self.base_url}/chat/completions",
            json={
                "model": self.model,
                "messages": [
                    {"role": "system", "content": INSTRUCTION},
                    {"role": "user", "content": question},
                ],
                "temperature": self.temperature,
                "max_tokens": self.max_tokens,
            },
        )
        if not response.ok:
            raise ValueError(f"HTTP {response.status}: {response.text[:200]}")
        return str(response.json()["choices"][0]["message"]["content"]).strip()
