"""Finds late imports: those in functions, which run after the component's modules were fixed.

A component has the modules that were loaded when it was built and no others; there are no files to
import from at run time. Pure: source text in, facts out. Which of the modules are loaded anyway is
known only inside the component's Python, where the generated entry module asks.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

TOLERATED = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True, slots=True)
class LateImport:
    """An import in a function. `name` is what is imported from the module, empty for the module."""

    line: int
    module: str
    name: str


def late_imports(source: str, module: str, *, package: bool = False) -> tuple[LateImport, ...]:
    """The late imports of a module's source, in the order of their lines.

    Imports inside `try` with a handler for ImportError are the author's own business. Source that
    this Python can't parse gives nothing: the guest's Python may know more syntax.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    parent = module if package else module.rpartition(".")[0]
    finder = _Finder(parent)
    finder.visit(tree)
    return tuple(sorted(finder.found, key=lambda late: late.line))


class _Finder(ast.NodeVisitor):
    def __init__(self, parent: str) -> None:
        self.parent = parent
        self.found: list[LateImport] = []
        self.depth = 0

    def _function(self, node: ast.AST) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.dump(node.test):
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        if any(_tolerates(handler) for handler in node.handlers):
            for child in [*node.handlers, *node.orelse, *node.finalbody]:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        if self.depth:
            self.found += [LateImport(node.lineno, alias.name, "") for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if self.depth:
            module = self._absolute(node)
            self.found += [
                LateImport(node.lineno, module, "" if alias.name == "*" else alias.name)
                for alias in node.names
            ]

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else None
        called = function.id if isinstance(function, ast.Name) else called
        if self.depth and called in ("import_module", "__import__") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self.found.append(LateImport(node.lineno, first.value, ""))
        self.generic_visit(node)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.parent.split(".")
        parts = parts[: len(parts) - (node.level - 1)]
        return ".".join([*parts, node.module] if node.module else parts)


def _tolerates(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(
        isinstance(node, ast.Name) and node.id in TOLERATED for node in ast.walk(handler.type)
    )
