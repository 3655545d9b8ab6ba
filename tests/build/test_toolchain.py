"""What componentize-py prints becomes an error in the user's terms."""

from __future__ import annotations

from pathlib import Path

from theater.build.staging import Staged
from theater.build.toolchain import failure
from theater.errors import BuildError

STAGED = Staged(
    Path("/tmp/s/wit"),
    (Path("/tmp/s/entry"), Path("/tmp/s/project/src"), Path("/tmp/s/project"), Path("/tmp/s/sdk")),
    (
        (Path("/tmp/s/project/src"), Path("/home/me/src")),
        (Path("/tmp/s/project"), Path("/home/me")),
    ),
)
OUTER = """\
warning: site-packages directory not found under /tmp/s/no-site-packages/lib
Traceback (most recent call last):
  File "<string>", line 1, in <module>
AssertionError: printed at build
"""
END = """

Caused by:
    {}

Stack backtrace:
   0: <anyhow::Error>::msg::<alloc::string::String>
"""


def told(guest: str, cause: str) -> BuildError:
    printed = f"{OUTER}Traceback (most recent call last):\n{guest}{END.format(cause)}"
    return failure(printed, STAGED)


def test_frames_of_ours_are_left_out_and_the_users_are_named() -> None:
    error = told(
        '  File "/0/theater_entry.py", line 3, in <module>\n    import made\n'
        '  File "/1/made.py", line 7, in <module>\n    helper.f()\n'
        '  File "/2/helper.py", line 2, in f\n    return 1 / 0\n           ~~^~~\n'
        "ZeroDivisionError: division by zero\n",
        "ZeroDivisionError: division by zero",
    )
    assert str(error) == (
        "/home/me/helper.py:2: ZeroDivisionError: division by zero\n\n"
        '  File "/home/me/src/made.py", line 7, in <module>\n    helper.f()\n'
        '  File "/home/me/helper.py", line 2, in f\n    return 1 / 0\n           ~~^~~\n'
        "ZeroDivisionError: division by zero"
    )
    assert error.facts == {"file": "/home/me/helper.py", "line": 2}


def test_a_syntax_error_has_its_place() -> None:
    error = told(
        '  File "/0/theater_entry.py", line 3, in <module>\n    import made\n'
        '  File "/2/made.py", line 2\n    def f(:\n          ^\nSyntaxError: invalid syntax\n',
        "SyntaxError: invalid syntax (made.py, line 2)",
    )
    assert str(error).startswith("/home/me/made.py:2: SyntaxError: invalid syntax\n")
    assert "theater_entry" not in str(error)


def test_an_error_that_the_sdk_raises_is_its_text() -> None:
    error = told(
        '  File "/0/theater_entry.py", line 5, in <module>\n    exports = bind()\n'
        '  File "/3/theater_guest/exports.py", line 170, in bind\n    raise TypeError(x)\n'
        "TypeError: made defines no actor: a subclass of theater_guest.Actor\n",
        "TypeError: made defines no actor: a subclass of theater_guest.Actor",
    )
    assert str(error) == "TypeError: made defines no actor: a subclass of theater_guest.Actor"
    assert error.facts == {}


def test_places_in_such_a_text_are_the_users() -> None:
    error = told(
        '  File "/3/theater_guest/loading.py", line 9, in check\n    raise ImportError(x)\n'
        "ImportError: move to the top:\n/2/made.py:4: import a\n/1/other.py:7: from b import c\n",
        "ImportError: move to the top:",
    )
    assert str(error) == (
        "ImportError: move to the top:\n/home/me/made.py:4: import a\n"
        "/home/me/src/other.py:7: from b import c"
    )
    assert error.facts == {"file": "/home/me/made.py", "line": 4}


def test_a_failure_before_the_guests_python_is_shown_without_the_backtrace() -> None:
    error = failure("failed to parse WIT: no world\n\nStack backtrace:\n   0: std::rt\n", STAGED)
    assert str(error) == "componentize-py failed:\nfailed to parse WIT: no world"
