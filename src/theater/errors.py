"""Every error that Theater raises, in one tree.

    TheaterError
    ├── UsageError              the caller asked for something that makes no sense
    │   ├── ManifestError       a manifest that can't be used; carries every problem found
    │   ├── ComponentError      bytes that are not an actor's component, or one that can't be loaded
    │   ├── BuildError          sources that can't be made into a component
    │   └── TooLarge            something is above its named bound
    ├── NotFound                no such actor, event, content, export …
    ├── Conflict                the request contradicts what is already so
    ├── Denied                  a grant, a token or a bound forbids it
    ├── Unavailable             not now: full, stopping, unreachable
    │   └── TimedOut            a deadline passed
    ├── ActorFailed             the actor answered with an error, or its call failed
    ├── CodecError              bytes that are not what they should be (CBOR, chain files, protocol)
    ├── IntegrityError          stored or received data contradicts its own hash
    ├── Diverged                a re-execution did not follow its recording
    └── JournalFailed           storage failed; the node stops

Each class of failure has a stable dotted `code`; facts are attributes; the message is for people
and says what to do. HTTP status, exit code and the text that a guest sees are mapped at the edges.
"""

from __future__ import annotations

from dataclasses import dataclass


class TheaterError(Exception):
    """Root of the tree. `code` is stable; `message` is for people; `facts` are for programs."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.facts = facts


class UsageError(TheaterError):
    """The caller asked for something that makes no sense."""

    code = "usage"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a text. Line and column count from 1, columns in characters."""

    line: int
    column: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.line}:{self.column}: {self.message}{hint}"


class ManifestError(UsageError):
    """A manifest that can't be used; `problems` has everything found, in the text's order."""

    code = "manifest.invalid"

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class ComponentError(UsageError):
    """Bytes that are not an actor's component, or one that can't be loaded."""

    code = "component.invalid"


class BuildError(UsageError):
    """Sources that can't be made into a component."""

    code = "build.failed"


class TooLarge(UsageError):
    """Something is above its named bound."""

    code = "too_large"


class NotFound(TheaterError):
    """No such actor, event, content or export."""

    code = "not_found"


class Conflict(TheaterError):
    """The request contradicts what is already so."""

    code = "conflict"


class Denied(TheaterError):
    """A grant, a token or a bound forbids it."""

    code = "permission.denied"


class Unavailable(TheaterError):
    """Not now: full, stopping or unreachable."""

    code = "unavailable"


class TimedOut(Unavailable):
    """A deadline passed."""

    code = "timed_out"


class ActorFailed(TheaterError):
    """The actor answered with an error, or its call failed."""

    code = "actor.failed"


class CodecError(TheaterError):
    """Bytes that are not what they should be."""

    code = "encoding"


class IntegrityError(TheaterError):
    """Stored or received data contradicts its own hash."""

    code = "integrity"


class Diverged(TheaterError):
    """A re-execution did not follow its recording."""

    code = "replay.diverged"


class JournalFailed(TheaterError):
    """Storage failed; nothing more may be acknowledged."""

    code = "journal.failed"
