"""What the packages import is declared as a dependency: a development environment holds more."""

from __future__ import annotations

import re
import sys
import tomllib

import pytest

from tests.unit.house.source_tree import PACKAGES, imported_packages, sources, text

OPTIONAL = {"pandas", "ipywidgets", "IPython"}  # used where the user has them


def _declared() -> set[str]:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    names = (re.match(r"[A-Za-z0-9_.-]+", line) for line in project["dependencies"])
    return {name[0].replace("-", "_").lower() for name in names if name}


def _imported(path: str) -> set[str]:
    known = {*sys.stdlib_module_names, *PACKAGES, *OPTIONAL, ""}
    return imported_packages(path) - known


@pytest.mark.parametrize("path", sources(*PACKAGES))
def test_imports_are_declared(path: str) -> None:
    assert not _imported(path) - _declared()
