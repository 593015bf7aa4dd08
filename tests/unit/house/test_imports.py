"""Imports point one way, jobs -> warehouse -> actors -> storage, and inside warehouse from the
grammar to the planner; few modules may know Ray and SQL; none imports in a circle."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest

import warehouse
from tests.unit.house.source_tree import (
    PACKAGES,
    ROOT,
    imported_modules,
    imported_packages,
    sources,
    tree,
)

MODULES = sources(*PACKAGES)
RAY_SHELLS = {
    "actors/node_broker.py",
    "actors/ray_calls.py",
    "actors/ray_engine.py",
    "actors/ray_ingest.py",
    "actors/ray_metrics.py",
    "actors/ray_tasks.py",
    "actors/shells/coordinator.py",
    "actors/shells/fleet.py",
    "actors/shells/handles.py",
    "actors/shells/listening.py",
    "actors/shells/opening.py",
    "actors/shells/primary.py",
    "actors/shells/rows.py",
    "actors/shells/worker.py",
    "actors/spawn.py",
}
OUTSIDE = {"tests", "benchmarks", "notebooks"}
# Each imports from earlier layers and its own; whatever is in none comes last.
LAYERS = (
    {"syntax", "algebra"},
    {"functions", "execution", "values"},
    {"binder"},
    {"optimizer", "catalogue_tables"},
    {"planning"},
)
# Functions that tools call to ask about types and settings share their names with pg_catalog.
EXCEPTIONS = {
    "warehouse/functions/catalogue_lookups.py": {
        "warehouse.catalogue_tables.type_names",
    },
    "warehouse/functions/system.py": {
        "warehouse.catalogue_tables.server",
        "warehouse.catalogue_tables.type_names",
    },
}


def test_every_package_is_looked_at() -> None:
    assert {path.partition("/")[0] for path in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("path", MODULES)
def test_imports_point_right_only(path: str) -> None:
    package = path.partition("/")[0]
    left = set(PACKAGES[: PACKAGES.index(package)])
    assert not imported_packages(path) & left


@pytest.mark.parametrize("path", MODULES)
def test_no_module_imports_tests_or_benchmarks(path: str) -> None:
    assert not imported_packages(path) & OUTSIDE


@pytest.mark.parametrize("path", MODULES)
def test_imports_are_absolute(path: str) -> None:
    assert not {name for name in imported_modules(path) if name.startswith(".")}


@pytest.mark.parametrize("path", sources("storage"))
def test_storage_knows_neither_ray_nor_sql(path: str) -> None:
    assert "ray" not in imported_packages(path)
    names = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not names & {"SQLContext", "sql_expr"}
    assert not {
        n for n in imported_modules(path) if n.startswith("polars.sql") or "SQLContext" in n
    }


@pytest.mark.parametrize("path", sources("actors"))
def test_in_actors_only_the_shells_import_ray(path: str) -> None:
    assert path in RAY_SHELLS or "ray" not in imported_packages(path)


def test_workers_load_what_they_run_and_nothing_else() -> None:
    """A worker is waited for while it loads; a planner would double that."""
    script = (
        "import sys, actors.shells.worker_process, warehouse.execution.program\n"
        "print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "warehouse.functions.all" in loaded
    others = ("planning", "syntax", "binder", "optimizer", "database", "session")
    unwanted = {f"warehouse.{name}" for name in others} | {"actors.service", "actors.planner"}
    assert not loaded & (unwanted | {"actors.primary.primary", "actors.messages", "pandas"})


def test_each_shell_exists() -> None:
    assert set(sources("actors")) >= RAY_SHELLS


@pytest.mark.parametrize("path", MODULES)
def test_sql_is_parsed_here_and_run_by_expressions(path: str) -> None:
    assert not imported_packages(path) & {"sqlglot", "duckdb", "sqlalchemy"}
    names = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not names & {"SQLContext", "sql_expr"}


@pytest.mark.parametrize("path", sources("warehouse"))
def test_inside_warehouse_imports_point_to_earlier_layers(path: str) -> None:
    own = layer(path.removesuffix(".py").replace("/", "."))
    later = {
        name
        for name in imported_modules(path)
        if name.startswith("warehouse.") and layer(name) > own and is_file(name)
    }
    assert later == EXCEPTIONS.get(path, set())


@pytest.mark.parametrize(("package", "other"), [("syntax", "algebra"), ("algebra", "syntax")])
def test_trees_of_text_and_of_meaning_know_nothing_of_each_other(package: str, other: str) -> None:
    for path in sources(f"warehouse/{package}"):
        assert not [n for n in imported_modules(path) if n.startswith(f"warehouse.{other}")], path


def test_no_module_imports_itself_in_a_circle() -> None:
    """By what is imported when a module is; what functions import comes later."""
    known = {path.removesuffix(".py").replace("/", ".") for path in MODULES}
    graph = {name: imported_at_once(name) & known for name in known}
    done: set[str] = set()
    for name in sorted(known):
        find_circle(name, graph, done, [])


def find_circle(name: str, graph: dict[str, set[str]], done: set[str], way: list[str]) -> None:
    assert name not in way, " -> ".join([*way[way.index(name) :], name])
    if name not in done:
        for following in sorted(graph[name]):
            find_circle(following, graph, done, [*way, name])
        done.add(name)


def imported_at_once(module: str) -> set[str]:
    found: set[str] = set()
    for node in tree(f"{module.replace('.', '/')}.py").body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def layer(module: str) -> int:
    """The layer of a module of `warehouse` by its full name; the last one if it is in none."""
    part = module.split(".")[1] if "." in module else ""
    found = [number for number, parts in enumerate(LAYERS) if part in parts]
    return found[0] if found else len(LAYERS)


def is_file(name: str) -> bool:
    return (ROOT / f"{name.replace('.', '/')}.py").is_file()


@pytest.mark.parametrize("path", [p for p in MODULES if p.endswith("/__init__.py")])
def test_init_files_only_re_export(path: str) -> None:
    late = {"__getattr__", "__dir__"} if path == "warehouse/__init__.py" else set()
    for node in tree(path).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_list = isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(node)
        is_late = bool(late) and (
            isinstance(node, ast.If)
            or (isinstance(node, ast.FunctionDef) and node.name in late)
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES")
        )
        assert is_text or is_import or is_list or is_late, ast.unparse(node)


def test_public_names_are_what_type_checkers_see() -> None:
    """They are loaded late; the imports above are for tools alone."""
    (block,) = [n for n in tree("warehouse/__init__.py").body if isinstance(n, ast.If)]
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == sorted(warehouse.__all__)
    for name, module in seen.items():
        assert getattr(warehouse, name) is getattr(importlib.import_module(str(module)), name)
    assert set(warehouse.__all__) <= set(dir(warehouse))
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        warehouse.__getattr__("conect")


@pytest.mark.parametrize("path", MODULES)
def test_no_module_is_a_drawer_for_anything(path: str) -> None:
    assert path.rpartition("/")[2] not in {"utils.py", "helpers.py", "common.py", "misc.py"}
