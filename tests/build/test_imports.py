"""Imports that would run too late are found in the source."""

from __future__ import annotations

from textwrap import dedent

import pytest

from theater.build.imports import late_imports


def found(source: str, module: str = "app", *, package: bool = False) -> list[tuple[int, str, str]]:
    listed = late_imports(dedent(source), module, package=package)
    return [(late.line, late.module, late.name) for late in listed]


def test_imports_at_the_top_are_not_late() -> None:
    source = """
        import json
        from a.b import c
        if True:
            import d
        class K:
            import e
    """
    assert found(source) == []


@pytest.mark.parametrize(
    "source, expected",
    [
        ("def f():\n    import json, a.b as c", [(2, "json", ""), (2, "a.b", "")]),
        ("async def f():\n    from a.b import c, d", [(2, "a.b", "c"), (2, "a.b", "d")]),
        ("class K:\n    def f(self):\n        from a import *", [(3, "a", "")]),
        ("f = lambda: __import__('json')", [(1, "json", "")]),
        ("def f():\n    importlib.import_module('a.b')", [(2, "a.b", "")]),
        ("def f():\n    try:\n        import a\n    finally:\n        pass", [(3, "a", "")]),
        (
            "def f():\n    try:\n        import a\n    except KeyError:\n        pass",
            [(3, "a", "")],
        ),
        (
            "def f():\n    try:\n        pass\n    except ImportError:\n        import b",
            [(5, "b", "")],
        ),
    ],
)
def test_imports_in_functions_are_late(source: str, expected: list[tuple[int, str, str]]) -> None:
    assert found(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    try:\n        import a\n    except ImportError:\n        a = None",
        "def f():\n    try:\n        import a\n    except (ValueError, ModuleNotFoundError):\n        pass",
        "def f():\n    try:\n        import a\n    except:\n        pass",
        "def f():\n    if TYPE_CHECKING:\n        import a",
        "def f():\n    if typing.TYPE_CHECKING:\n        import a",
        "def f():\n    import_module(name)",
    ],
)
def test_imports_that_may_fail_or_never_run_are_the_authors_business(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    "line, module, package, expected",
    [
        ("from . import x", "pkg.app", False, ("pkg", "x")),
        ("from .sub import x", "pkg.app", False, ("pkg.sub", "x")),
        ("from . import x", "pkg", True, ("pkg", "x")),
        ("from ..other import x", "pkg.sub.app", False, ("pkg.other", "x")),
    ],
)
def test_relative_imports_are_resolved(
    line: str, module: str, package: bool, expected: tuple[str, str]
) -> None:
    assert found(f"def f():\n    {line}", module, package=package) == [(2, *expected)]


def test_source_of_a_newer_python_is_left_to_the_guests_python() -> None:
    assert found("def f(:\n    import a") == []
