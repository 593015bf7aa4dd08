"""The sources of the four packages, read as text and as syntax trees: nothing is imported."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("jobs", "warehouse", "actors", "storage")  # each may import those to its right


def sources(*directories: str) -> list[str]:
    """Paths of all Python files below the directories, relative to the root, sorted."""
    found = [path for directory in directories for path in (ROOT / directory).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def text(path: str) -> str:
    """A file of the project, by its path from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(text(path), path)


def imported_modules(path: str) -> set[str]:
    """Full names of the modules that a file imports, anywhere in it.

    `from a import b` gives `a` and `a.b`, since `b` may be a module.
    """
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def imported_packages(path: str) -> set[str]:
    """The first parts of those names."""
    return {name.partition(".")[0] for name in imported_modules(path)}
