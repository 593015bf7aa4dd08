"""Errors keep what they say on their way between processes, and their tree is drawn truthfully."""

from __future__ import annotations

import copy
import importlib
import pickle
import re
from collections.abc import Iterator

import pytest

from storage import errors
from storage.errors import MobulaError
from tests.unit.house.source_tree import PACKAGES, sources, text

SQLSTATE = re.compile(r"[0-9A-Z]{5}")
MESSAGE = "table orders: expected DATE, found TEXT – mend the column 'day'\nor cast it"


def _import_modules_that_define_errors() -> None:
    """So that `__subclasses__` knows every one of them."""
    for path in sources(*PACKAGES):
        if re.search(r"^class \w+\(.*(Error|InvalidRequest|Unavailable)", text(path), re.MULTILINE):
            importlib.import_module(path.removesuffix(".py").replace("/", "."))


def _tree(base: type[MobulaError]) -> Iterator[type[MobulaError]]:
    yield base
    for child in base.__subclasses__():
        yield from _tree(child)


_import_modules_that_define_errors()
ERRORS = sorted(set(_tree(MobulaError)), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("sqlstate", [None, "42P01"])
def test_an_error_survives_pickling_and_copying(
    kind: type[MobulaError], sqlstate: str | None
) -> None:
    error = kind(MESSAGE, sqlstate)
    for _ in range(2):
        error = copy.deepcopy(copy.copy(pickle.loads(pickle.dumps(error))))
    assert type(error) is kind
    assert error.message == MESSAGE
    assert str(error) == (f"{MESSAGE}; {kind.next_step}" if kind.next_step else MESSAGE)
    assert error.sqlstate == (sqlstate or kind.sqlstate)
    assert error.args == (MESSAGE, sqlstate)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_has_a_sqlstate(kind: type[MobulaError]) -> None:
    assert SQLSTATE.fullmatch(kind.sqlstate)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_lives_in_the_one_tree(kind: type[MobulaError]) -> None:
    assert kind.__module__ == "storage.errors"
    assert kind.__name__ in errors.__all__


def _drawn() -> dict[str, str | None]:
    """Each class in the module's docstring and the one it hangs from."""
    parents: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"([ |`-]*)([A-Z]\w+)(  +.*)?", line)
        if found is None or not line.startswith("    "):
            continue
        depth = len(found[1])
        path = [(d, name) for d, name in path if d < depth]
        parents[found[2]] = path[-1][1] if path else None
        path.append((depth, found[2]))
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    real = {
        kind.__name__: None if kind is MobulaError else kind.__bases__[0].__name__
        for kind in ERRORS
    }
    assert _drawn() == real


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_says_what_it_means(kind: type[MobulaError]) -> None:
    assert kind.__doc__
