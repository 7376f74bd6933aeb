"""The program's sources as syntax trees, for checks of what they may say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("supervision", "chargepoint_emulator")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True)
class Source:
    """One file: its path from the root of the checkout, and its tree."""

    path: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        """Return where a node stands, as editors open it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


@cache
def sources() -> tuple[Source, ...]:
    """Parse every file of the program (not its tests)."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple(
        Source(str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))) for path in paths
    )


@cache
def words(identifier: str) -> list[str]:
    """Split snake_case and CamelCase into lower-case words."""
    return [word.lower() for word in _WORD.findall(identifier)]


def named(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield every name that this file gives to something: definitions, arguments, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.arg):
            yield node.arg, node
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node


def columns(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names of tables and columns declared in this file."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"Table", "Column"}
        ):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, node


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for a chain of attributes, with ``?`` for what is no name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield every call of this file."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))
