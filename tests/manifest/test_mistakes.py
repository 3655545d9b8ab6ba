"""Every mistake that a manifest can have: where it is told, that all are told at once, and nothing worse."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import theater.manifest
from theater.errors import ManifestError, Problem, TooLarge
from theater.handlers.grant_types import GRANT_TYPES
from theater.limits import MANIFEST_BYTES_MAX, MANIFEST_DEPTH_MAX, MANIFEST_PROBLEMS_MAX
from theater.manifest import Manifest, parse

SOURCES = Path(theater.manifest.__file__).parent

HEAD = 'name = "a"\ncomponent = "a.wasm"\n'
SECRET = "hunter2-hunter2"
VARIABLES = {"GOOD": "x", "LEAK": SECRET, "BAD": "\udcff"}

# Each is a text behind HEAD and where in it, counted from its own first line, a problem is told, with
# a word of what is told. "" stands for a warning, which is no problem.
MISTAKES: list[tuple[str, int, int, str]] = [
    # What is not TOML
    ("x = ", 1, 5, "Invalid value"),
    ("x = y", 1, 5, "in quotes"),
    ('x = "y', 1, 7, "Illegal character"),
    ("x", 1, 2, "Expected '='"),
    ("= 1", 1, 1, "Invalid statement"),
    ("version = '1' description = 'x'", 1, 15, "one key"),
    ('version = "1"\nversion = "2"', 2, 1, "twice"),
    ("[limits]\n[limits]", 2, 1, "twice"),
    ("initial_state = {a = 1, a = 2}", 1, 30, "twice"),
    ('version = "\\q"', 1, 14, "Unescaped"),
    ("[limits", 1, 8, "']'"),
    ("version = 'a\0b'", 1, 13, "invalid character"),
    ("x = [1, 2", 1, 1, "close the bracket"),
    ("x = '''abc\n\n\n", 1, 1, "close the quotes"),
    # What would break a reader
    (f"x = {'[' * 70}{']' * 70}", 1, 5 + MANIFEST_DEPTH_MAX, "deep"),
    (f"x = {'{a=' * 5000}1{'}' * 5000}", 1, 5 + 3 * MANIFEST_DEPTH_MAX, "deep"),
    (f"x = {'[' * 100_000}", 1, 5 + MANIFEST_DEPTH_MAX, "deep"),
    (".".join("a" * 5000) + " = 1", 1, 2 * MANIFEST_DEPTH_MAX, "deep"),
    (f"[{'.'.join('a' * 5000)}]", 1, 1 + 2 * MANIFEST_DEPTH_MAX, "deep"),
    (f"request_timeout_ms = {'9' * 5000}", 1, 22, "digits"),
    # Keys
    ("versoin = '1'", 1, 1, "did you mean version?"),
    ("zzzz = 1", 1, 1, "unknown key zzzz"),
    ('"\\u001b[31m" = 1', 1, 1, "\\x1b[31m"),
    ("\t  tabbed = 1", 1, 4, "unknown key tabbed"),
    ('version = "äöü" # ß\n"ünï" = {"bär" = 1}', 2, 1, "ünï"),
    ("description = 'x'\nlong_description = 'y'", 2, 1, "mean the same"),
    # Types and bounds
    ("version = 1", 1, 11, "must be a string"),
    ("version = 1979-05-27T07:32:00Z", 1, 11, "must be a string"),
    ("save_chain = 'yes'", 1, 14, "true or false"),
    ("chain_dir = 'chains'", 1, 1, ""),
    ("request_timeout_ms = 1.5", 1, 22, "an integer"),
    ("request_timeout_ms = true", 1, 22, "an integer"),
    ("request_timeout_ms = 0", 1, 22, "between 1 and 86400000, not 0"),
    (f"request_timeout_ms = 0x{'f' * 5000}", 1, 22, "between 1 and 86400000"),
    ("send_timeout_ms = -9223372036854775808", 1, 19, "between"),
    ("passivate_after_ms = inf", 1, 22, "an integer"),
    ("errors = 'contniue'", 1, 10, "did you mean continue?"),
    ("poison = 3", 1, 10, "one of: quarantine, retry, fail"),
    ("component_sha256 = 'AB'", 1, 20, "64 hexadecimal digits"),
    ("initial_state = 3", 1, 17, "a file, a reference or an inline table"),
    ("initial_state = {at = 1979-05-27}", 1, 17, "what JSON can hold"),
    ("initial_state = {x = nan}", 1, 17, "what JSON can hold"),
    ("limits = 3", 1, 10, "must be a table"),
    ("[[limits]]\nmailbox = 1", 1, 1, "must be a table"),
    ("[limits]\nmemory = '64 MegaBytes'", 2, 10, '"64KiB"'),
    ("[limits]\nmemory = []", 2, 10, '"64MiB"'),
    ("[limits]\nmessage_bytes = '1000GiB'", 2, 17, "between"),
    ("[limits]\nfeul = 3", 2, 1, "did you mean fuel?"),
    ("[supervision]\nstrategy = 'one_for_two'", 2, 12, "did you mean one_for_one?"),
    ("[supervision]\nintensity = 99999", 2, 13, "between 0 and 1000"),
    ("[interface]\nimplements = 3", 2, 14, "a list of strings"),
    ("[interface]\nrequires = ['a', 2]", 2, 18, "a list of strings"),
    # Variables
    ("description = '${NOT_SET}'", 1, 15, "--var NOT_SET=VALUE"),
    ("description = '${GOOOD}'", 1, 15, "did you mean GOOD?"),
    ("description = '${no name}'", 1, 15, "write ${NAME}"),
    ("description = '${LEAK}'", 1, 15, "secret"),
    ("description = '${BAD}'", 1, 15, "UTF-8"),
    ("description = '{{each x}}'", 1, 15, "not understood"),
    ("description = '{{a.b}}'", 1, 15, "no text or number at a.b"),
    # Handlers
    ("[[handler]]\ntype = 'supervsior'", 2, 8, "did you mean supervisor?"),
    ("[[handler]]\ntype = 'tcp'", 2, 8, "not available in this version"),
    ("[[handler]]\ntype = 3", 1, 3, "needs a type"),
    ("[[handler]]", 1, 3, "needs a type"),
    ("[handler]\ntype = 'store'", 1, 2, "write [[handler]]"),
    ("handler = 3", 1, 11, "a list of tables"),
    ("handler = [3]", 1, 12, "must be a table"),
    ("[[handler]]\ntype = 'store'\n[[handler]]\ntype = 'store'", 3, 3, "a second handler"),
    ("[[handler]]\ntype = 'store'\nmax_bytes = 1\nconfig = {}", 3, 1, "beside config"),
    ("[[handler]]\ntype = 'store'\nmax_bites = 1", 3, 1, "did you mean max_bytes?"),
    ("[[handler]]\ntype = 'message-server'\nport = 9000", 3, 1, ""),
    # The grant of the HTTP client
    ("[[handler]]\ntype = 'http-client'\nallowed_hosts = ['http://x']", 3, 18, "is not a host"),
    ("[[handler]]\ntype = 'http-client'\nallowed_hosts = ['x:99999']", 3, 18, "is not a host"),
    ("[[handler]]\ntype = 'http-client'\nallowed_methods = ['get']", 3, 20, "in capitals"),
    ("[[handler]]\ntype = 'http-client'\nallowed_methods = ['CONNECT']", 3, 20, "never"),
    ("[[handler]]\ntype = 'http-client'\nretry = ['POST x y']", 3, 10, "a pattern like"),
    ("[[handler]]\ntype = 'http-client'\nheaders = {'a b' = 'x'}", 3, 12, "the name of a header"),
    ("[[handler]]\ntype = 'http-client'\nheaders = {host = 'x'}", 3, 12, "set by the host"),
    ("[[handler]]\ntype = 'http-client'\nheaders = {x = 'a', X = 'b'}", 3, 21, "twice"),
    ("[[handler]]\ntype = 'http-client'\nheaders = {x = 3}", 3, 16, "printable"),
    ("[[handler]]\ntype = 'http-client'\nheaders = {x = 'secret:K y'}", 3, 16, "at the end"),
    ("[[handler]]\ntype = 'http-client'\nheaders = {x = 'secret:K'}", 3, 1, "allowed_hosts"),
    ("[[handler]]\ntype = 'http-client'\nallow_private = 'no'", 3, 17, "true or false"),
    # What children may have
    ("[permission_policy]\nstore = 3", 2, 9, "must be a table"),
    ("[permission_policy.stoer]", 1, 2, "did you mean store?"),
    ("[permission_policy.tcp]", 1, 2, ""),
    ("[permission_policy.store]\ntype = 'allow'", 2, 8, "inherit, restrict, disallow"),
    ("[permission_policy.store]\ntipe = 'inherit'", 2, 1, "did you mean type?"),
]

# Mistakes in the two keys that HEAD has; whole texts.
WHOLE: list[tuple[str, int, int, str]] = [
    ("component = 'a'", 1, 1, "name is missing"),
    ("name = 'a'", 1, 1, "theater build"),
    ("name = ''\ncomponent = 'a'", 1, 8, "1 to 128 printable"),
    (f"name = '{'x' * 129}'\ncomponent = 'a'", 1, 8, "1 to 128 printable"),
    ("name = 'a'\ncomponent = ''", 2, 13, "a path"),
    ("name = 'a'\npackage = 'ftp://x'", 2, 11, "ftp:// is not a reference"),
    ("name = 'a'\ncomponent = 'https://x/y'", 2, 13, "pin its hash"),
    ("", 1, 1, "name is missing"),
]


def read(text: str, **more: Any) -> Manifest:
    return parse(
        text, grant_types=GRANT_TYPES, variables=VARIABLES, secrets=(SECRET,), state={}, **more
    )


def told(text: str) -> tuple[Problem, ...]:
    """Every problem, or every warning of a manifest that is good."""
    try:
        return read(text).warnings
    except ManifestError as error:
        return error.problems


def has(found: tuple[Problem, ...], line: int, column: int, word: str) -> bool:
    return any(
        (problem.line, problem.column) == (line, column) and word in str(problem)
        for problem in found
    )


@pytest.mark.parametrize(("text", "line", "column", "word"), MISTAKES)
def test_a_mistake_is_told_at_its_place(text: str, line: int, column: int, word: str) -> None:
    found = told(HEAD + text + "\n")
    assert has(found, line + 2, column, word), found


@pytest.mark.parametrize(("text", "line", "column", "word"), WHOLE)
def test_a_mistake_in_what_every_manifest_has_is_told(
    text: str, line: int, column: int, word: str
) -> None:
    assert has(told(text), line, column, word), told(text)


def test_one_manifest_with_one_of_each_has_all_of_them_told_at_once() -> None:
    text, expected = "", []
    keys = {"limits"}
    for each, line, column, word in MISTAKES:
        # What takes the rest of the text with it, and a key that another one has, is left out.
        first = each.split("\n")[0].split("=")[0].strip()
        if word in ("deep", "digits", "close the bracket", "close the quotes", ""):
            continue
        if first in keys or first[:1] in ("[", "=") or "twice" in word or "same" in word:
            continue
        keys.add(first)
        expected.append((text.count("\n") + line, column, word))
        text += each + "\n"
    for header in ("[limits]", "[supervision]", "[interface]"):
        parts = [(e, c, w) for e, _, c, w in MISTAKES if e.startswith(f"{header}\n") and "=" in e]
        text += header + "\n"
        for each, column, word in parts:
            key, _, _ = each.split("\n")[1].partition(" =")
            if key not in keys:
                keys.add(key)
                text += each.split("\n")[1] + "\n"
                expected.append((text.count("\n"), column, word))
    found = told(text)
    assert len(expected) > 20
    for line, column, word in expected:
        assert has(found, line, column, word), (line, column, word, found)


def test_every_place_that_notes_a_problem_is_reached() -> None:
    """Which lines ran is recorded while all cases are read."""
    ran: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if Path(frame.f_code.co_filename).parent != SOURCES:
            return None
        if event == "line":
            ran.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for text, *_ in MISTAKES:
            if len(text) < 6000:
                told(HEAD + text + "\n")
        told(f"x = {'[' * 100}")
        for text, *_ in WHOLE:
            told(text)
    finally:
        sys.settrace(before)
    missed = [
        (path.name, call.lineno, ast.unparse(call)[:80])
        for path in sorted(SOURCES.glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and (
            (
                isinstance(call.func, ast.Attribute)
                and call.func.attr in ("add", "add_value", "warn", "_wrong")
                and "problems"
                in ast.unparse(call.func).lower() + "problems" * (call.func.attr == "_wrong")
            )
            or (isinstance(call.func, ast.Name) and call.func.id in ("Problem", "_at"))
        )
        and not any((path.name, n) in ran for n in range(call.lineno, (call.end_lineno or 0) + 1))
    ]
    assert missed == []


def test_a_manifest_that_is_too_large_is_refused_with_its_variables_filled_in_too() -> None:
    for text in (
        HEAD + "#" * MANIFEST_BYTES_MAX,
        HEAD + "description = '${BIG}'",
    ):
        with pytest.raises(TooLarge) as refusal:
            parse(text, grant_types=GRANT_TYPES, variables={"BIG": "x" * (MANIFEST_BYTES_MAX + 1)})
        assert refusal.value.code == "manifest.too_large"


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{n} = '${{NOPE{n}}}'\n" for n in range(20_000)),
        "".join(f"verzion{n} = {n}\n" for n in range(20_000)),
        "name = 3\n" + "\n".join(["["] * 5_000),
        "= 1\n" * 3_000,
    ],
)
def test_problems_without_end_are_told_up_to_a_bound(text: str) -> None:
    assert 1 <= len(told(HEAD + text)) <= MANIFEST_PROBLEMS_MAX


def test_how_many_problems_were_left_off_is_told() -> None:
    with pytest.raises(ManifestError) as refusal:
        read(HEAD + "".join(f"k{n} = 1\n" for n in range(MANIFEST_PROBLEMS_MAX + 7)))
    assert "… and 7 more" in refusal.value.message


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read("\ufeff" + HEAD).name == "a"
    assert [(at.line, at.column) for at in told(f"\ufeff{HEAD}x = 1\n")] == [(3, 1)]


def test_what_a_manifest_says_moves_no_cursor() -> None:
    text = HEAD + '"\\u001b[2J\\u0007" = 1\nversion = "${\\u001b[2J}"\n'
    assert all(str(problem).isprintable() for problem in told(text))


@given(st.text(st.sampled_from("ab =[]{}\"'.#\n\\1-_:,\t\0é"), max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    lines = text.split("\n")
    for problem in told(text):
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


@given(st.integers(0, len(MISTAKES) - 1), st.integers(0, len(MISTAKES) - 1))
def test_two_mistakes_never_break_the_reader(one: int, other: int) -> None:
    assert isinstance(told(f"{HEAD}{MISTAKES[one][0]}\n{MISTAKES[other][0]}\n"), tuple)
