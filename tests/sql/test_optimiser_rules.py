"""The optimiser changes no answer: queries of the corpus run with each of its rules left out.

For each query, every rule of `optimize.RULES` is left out alone, then all of them together. Rows,
or the SQLSTATE of the error, must be those of the query with all rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from storage.errors import MobulaError
from storage.snapshot.model import TableState
from tests.sql import postgresql
from tests.sql.logic_file import Answer, LogicFile, Record
from tests.sql.test_against_postgresql import FILES, Databases
from warehouse import Database
from warehouse.algebra.relations import Query
from warehouse.optimizer import reduction
from warehouse.optimizer.optimize import RULES, optimized
from warehouse.planning import query as planning

QUERIES_MIN = 150
FEATURES = (
    "aggregates/company",
    "conditions/company",
    "grouping/company",
    "grouping/company_sets",
    "joins/company",
    "joins/company_lateral",
    "joins/company_types",
    "joins/kinds",
    "logic/company",
    "order/company",
    "set_operations/company",
    "subqueries/company",
    "subqueries/scopes",
    "windows/company",
    "with/company",
    "with/ctes",
)
CASES = [
    pytest.param(FILES[name], record, id=f"{name}.test:{record.line}")
    for name in FEATURES
    for record in FILES[name].records
    if record.query and (record.ours or record.answer or Answer()).error is None
]
CHOICES: tuple[frozenset[str], ...] = (*(frozenset((rule,)) for rule in RULES), frozenset(RULES))
CHANGED: Counter[frozenset[str]] = Counter()  # plans that were others without these rules


class Optimiser:
    """Stands in for `optimized` of planning; leaves out what it is told."""

    def __init__(self) -> None:
        self.without: frozenset[str] = frozenset()
        self.made: Query | None = None

    def __call__(self, query: Query, tables: Mapping[str, TableState]) -> Query:
        self.made = optimized(query, tables, without=self.without)
        return self.made


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    opened = Databases(tmp_path_factory.mktemp("corpus"))
    yield opened
    opened.close()


@pytest.fixture
def optimiser(monkeypatch: pytest.MonkeyPatch) -> Optimiser:
    stand_in = Optimiser()
    monkeypatch.setattr(planning, "optimized", stand_in)
    # So that tables of a few rows are worth a reduction.
    monkeypatch.setattr(reduction, "ROWS_MIN", 0.0)
    monkeypatch.setattr(reduction, "SHARE_MAX", 1e9)
    return stand_in


def test_there_are_enough_queries() -> None:
    assert len(CASES) >= QUERIES_MIN


@pytest.mark.parametrize(("file", "record"), CASES)
def test_no_rule_changes_the_answer(
    file: LogicFile, record: Record, databases: Databases, optimiser: Optimiser
) -> None:
    database = databases.before(file, record)
    expected = answer(database, record, "all rules")
    whole = optimiser.made
    for choice in CHOICES:
        optimiser.without = choice
        names = ", ".join(sorted(choice))
        found = answer(database, record, f"without {names}")
        assert found == expected, f"without {names}: {record.sql}"
        CHANGED[choice] += optimiser.made != whole


def test_every_rule_changed_plans() -> None:
    if sum(CHANGED.values()):  # the queries ran in this process
        assert all(CHANGED[choice] >= 5 for choice in CHOICES), CHANGED


def answer(database: Database, record: Record, comment: str) -> Any:
    """Rows in the order of the query, or in any order as texts, or a SQLSTATE.

    The comment makes the text another one, so that no kept plan is used.
    """
    text = f"{record.sql}\n-- {comment}"
    try:
        table = database.sql(text, postgresql.python_parameters(record.parameters)).arrow()
    except MobulaError as error:
        return error.sqlstate
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    rows = list(zip(*columns, strict=True))
    kinds = [str(field.type) for field in table.schema]
    return kinds, sorted(map(repr, rows)) if record.rowsort else rows


def _plain(value: Any) -> Any:
    """Floats to the digits that do not depend on the order of a sum."""
    return float(f"{value:.12g}") if isinstance(value, float) else value
