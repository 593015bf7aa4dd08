"""A ratchet on size: functions of at most 60 lines and files of at most 500, but for those listed.

A number in a list is the size on the day it was written down. It may go down, never up; what has
become small enough leaves the list, and nothing joins it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.unit.house.source_tree import PACKAGES, sources, text, tree

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500

LARGE_FUNCTIONS: dict[str, int] = {}
LARGE_FILES: dict[str, int] = {}

MODULES = sources(*PACKAGES, "benchmarks")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    """Qualified names and sizes, docstrings included, decorators not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{child.name}" if prefix else child.name
            if not isinstance(child, ast.ClassDef):
                yield name, (child.end_lineno or child.lineno) - child.lineno + 1
            yield from _functions(child, name)
        else:
            yield from _functions(child, prefix)


def _check(sizes: dict[str, int], limit: int, listed: dict[str, int]) -> None:
    grown = {k: v for k, v in sizes.items() if v > listed.get(k, limit)}
    assert not grown, f"over {limit} lines, or over the listed size: {grown}"
    settled = [k for k in listed if sizes.get(k, 0) <= limit]
    assert not settled, f"small enough now; take them off the list: {settled}"


def test_functions_stay_small() -> None:
    sizes: dict[str, int] = {}
    for path in MODULES:
        for name, lines in _functions(tree(path), ""):
            key = f"{path}::{name}"
            sizes[key] = max(lines, sizes.get(key, 0))
    _check(sizes, FUNCTION_LINES_MAX, LARGE_FUNCTIONS)


def test_files_stay_small() -> None:
    sizes = {path: len(text(path).splitlines()) for path in MODULES}
    _check(sizes, FILE_LINES_MAX, LARGE_FILES)
