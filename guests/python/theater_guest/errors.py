"""What can go wrong between an actor and its host.

    HostError     a host function answered with an error
    NotGranted    the manifest doesn't grant the interface
    Rejected      raised by the actor: the caller gets the text as it is
    BadMessage    a message that is not what the actor's codec or annotation expects
    BadState      a state that doesn't fit the actor's fields

Uncaught, each becomes the caller's error text, `NameOfTheError: text`; Rejected without the name.
"""

from __future__ import annotations


class HostError(Exception):
    """A host function answered with an error; `code` is its stable part, empty if there is none."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        code, separator, message = text.partition(": ")
        known = bool(separator) and all(c.isalnum() or c in "._-" for c in code)
        self.code = code if known else ""
        self.message = message if known else text


class NotGranted(ImportError):
    """The manifest doesn't grant the interface; the text has the lines to add."""


class Rejected(Exception):
    """Raise it to answer with an error of your own: its text is what the caller gets."""


class BadMessage(ValueError):
    """A message that is not what the actor's codec or its annotation expects."""


class BadState(ValueError):
    """A state that doesn't fit the actor's fields."""
