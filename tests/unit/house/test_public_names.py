"""`__all__` everywhere, true and in order, and pinned where users and colleagues build on it."""

from __future__ import annotations

import ast
import importlib
import itertools

import pytest

from tests.unit.house.source_tree import PACKAGES, sources, text, tree

MODULES = [
    path
    for path in sources(*PACKAGES)
    if text(path).strip() and not path.endswith("/__main__.py")  # nobody imports from those
]

PINNED = {
    "warehouse": [
        "Cancelled",
        "Commit",
        "Conflict",
        "CorruptData",
        "Database",
        "Fenced",
        "IngestToken",
        "InternalError",
        "Interval",
        "InvalidRequest",
        "MobulaError",
        "NodeType",
        "NotYet",
        "OutOfMemory",
        "RaySettings",
        "Result",
        "RowStream",
        "Settings",
        "SqlSyntaxError",
        "StoreOptions",
        "Table",
        "TransactionScope",
        "Unavailable",
        "UnknownObject",
        "VirtualWarehouse",
        "connect",
    ],
    "storage.objects": [
        "CountingStore",
        "Created",
        "Exists",
        "Fault",
        "FaultyStore",
        "HeldLock",
        "LocalStore",
        "LockingStore",
        "MemoryStore",
        "ObjectInfo",
        "ObjectStore",
        "Plan",
        "RequestCounts",
        "RetryingStore",
        "StagingStore",
        "StoreOptions",
        "backoff_ms",
        "check_name",
        "create_settled",
        "open_store",
        "scripted",
        "seeded",
    ],
}


def _public_names(path: str) -> list[str]:
    for node in tree(path).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
                return list(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no __all__")


def _target_names(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _defined_names(path: str) -> set[str]:
    """Names bound at the top of a module, those that are for type checkers included."""
    found: set[str] = set()
    body = tree(path).body
    typed = [node.body for node in body if isinstance(node, ast.If) and not node.orelse]
    for node in [*body, *itertools.chain.from_iterable(typed)]:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in names}
            case ast.Assign(targets=targets):
                found |= {name for target in targets for name in _target_names(target)}
            case ast.AnnAssign(target=target):
                found |= _target_names(target)
    return found


def _kind_then_name(name: str) -> tuple[int, str]:
    """Constants, classes, the rest; each by name, as ruff's RUF022 has it."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1, name) if name[0].isupper() else (2, name)


@pytest.mark.parametrize("path", MODULES)
def test_every_public_name_exists(path: str) -> None:
    assert not set(_public_names(path)) - _defined_names(path)


@pytest.mark.parametrize("path", MODULES)
def test_public_names_are_sorted_and_distinct(path: str) -> None:
    names = _public_names(path)
    assert names == sorted(set(names), key=_kind_then_name)


@pytest.mark.parametrize("path", MODULES)
def test_no_public_name_starts_with_an_underscore(path: str) -> None:
    assert not [name for name in _public_names(path) if name.startswith("_")]


@pytest.mark.parametrize("path", MODULES)
def test_every_module_opens_with_a_docstring(path: str) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("module", sorted(PINNED))
def test_pinned_names_change_on_purpose_only(module: str) -> None:
    found = importlib.import_module(module)
    assert found.__all__ == PINNED[module]
    assert not [name for name in found.__all__ if not hasattr(found, name)]
