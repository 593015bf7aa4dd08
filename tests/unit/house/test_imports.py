"""Imports point one way, jobs -> warehouse -> actors -> storage; few may know Ray and SQL."""

from __future__ import annotations

import ast

import pytest

from tests.unit.house.source_tree import (
    PACKAGES,
    imported_modules,
    imported_packages,
    sources,
    tree,
)

MODULES = sources(*PACKAGES)
RAY_SHELLS = {"actors/shells.py", "actors/spawn.py", "actors/ray_engine.py"}
OUTSIDE = {"tests", "benchmarks", "notebooks"}


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
    assert not imported_packages(path) & {"ray", "sqlglot"}
    names = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not names & {"SQLContext", "sql_expr"}
    assert not {
        n for n in imported_modules(path) if n.startswith("polars.sql") or "SQLContext" in n
    }


@pytest.mark.parametrize("path", sources("actors"))
def test_in_actors_only_the_shells_import_ray(path: str) -> None:
    assert path in RAY_SHELLS or "ray" not in imported_packages(path)


def test_each_shell_exists() -> None:
    assert set(sources("actors")) >= RAY_SHELLS


@pytest.mark.parametrize("path", sources("actors"))
def test_actors_never_parse_sql(path: str) -> None:
    assert "sqlglot" not in imported_packages(path)


@pytest.mark.parametrize("path", [p for p in MODULES if p.endswith("/__init__.py")])
def test_init_files_only_re_export(path: str) -> None:
    for node in tree(path).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_list = isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(node)
        assert is_text or is_import or is_list, ast.unparse(node)


@pytest.mark.parametrize("path", MODULES)
def test_no_module_is_a_drawer_for_anything(path: str) -> None:
    assert path.rpartition("/")[2] not in {"utils.py", "helpers.py", "common.py", "misc.py"}
