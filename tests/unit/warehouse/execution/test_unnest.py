"""Unnest and TABLESAMPLE."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from storage.errors import InternalError, InvalidRequest
from storage.schema import ArrayType, DecimalType, StructType
from tests.unit.warehouse.execution.relation_cases import Row, Tables, lit
from warehouse.algebra.expressions import ColumnRef, Expr
from warehouse.algebra.relations import Empty, Relation, Sample, Unnest
from warehouse.algebra.types import BIGINT, DOUBLE, INTEGER, TEXT, AnyType, RecordType

NUMBERS = ArrayType(INTEGER)
TEXTS = ArrayType(TEXT)
ROWS: list[Row] = [
    (1, (10, 20), ("a",)),
    (2, None, ("b", "c")),
    (3, (), ()),
    (4, (None,), None),
]


def unnested(
    tables: Tables, relation: Relation, *items: tuple[Expr, tuple[AnyType, ...]], **how: Any
) -> list[Row]:
    made = tuple((tuple(map(tables.column, kinds)), expr) for expr, kinds in items)
    return tables.run(Unnest(input=relation, items=made, **how))


def short(rows: list[Row]) -> list[Row]:
    """Without the two columns of arrays."""
    return [(row[0], *row[3:]) for row in rows]


def test_one_array_gives_a_row_per_element() -> None:
    tables = Tables()
    rows = tables.scan(ROWS, INTEGER, NUMBERS, TEXTS)
    item = (rows.columns[1], (INTEGER,))
    assert short(unnested(tables, rows, item)) == [(1, 10), (1, 20), (4, None)]
    outer = short(unnested(tables, rows, item, outer=True))
    assert outer == [(1, 10), (1, 20), (2, None), (3, None), (4, None)]


def test_elements_are_numbered_from_one() -> None:
    tables = Tables()
    rows = tables.scan(ROWS, INTEGER, NUMBERS, TEXTS)
    number = tables.column(BIGINT)
    found = unnested(tables, rows, (rows.columns[1], (INTEGER,)), ordinality=number, outer=True)
    assert short(found) == [(1, 10, 1), (1, 20, 2), (2, None, None), (3, None, None), (4, None, 1)]


def test_shorter_arrays_are_padded() -> None:
    tables = Tables()
    rows = tables.scan(ROWS, INTEGER, NUMBERS, TEXTS)
    items = ((rows.columns[1], (INTEGER,)), (rows.columns[2], (TEXT,)))
    inner = [(1, 10, "a"), (1, 20, None), (2, None, "b"), (2, None, "c"), (4, None, None)]
    assert short(unnested(tables, rows, *items)) == inner
    outer = short(unnested(tables, rows, *items, outer=True))
    assert outer == [*inner[:4], (3, None, None), inner[4]]


def test_arrays_of_rows_spread_over_columns() -> None:
    tables = Tables()
    record = RecordType((INTEGER, TEXT))
    value = lit(((1, "x"), None, (3, None)), ArrayType(record))
    found = unnested(tables, Empty(), (value, (INTEGER, TEXT)))
    assert found == [(1, "x"), (None, None), (3, None)]
    named = ArrayType(StructType("pair", (("a", INTEGER), ("b", TEXT))))
    assert unnested(tables, Empty(), (lit(((1, "x"),), named), (INTEGER, TEXT))) == [(1, "x")]
    whole = unnested(tables, Empty(), (lit(((1, "x"),), named), (named.element,)))
    assert whole == [((1, "x"),)]


def test_decimals_come_out_as_their_type_says() -> None:
    tables = Tables()
    for kind in (DecimalType(10, 1), DecimalType(30, 1)):
        value = lit((Decimal("1.5"), None), ArrayType(kind))
        found = unnested(tables, Empty(), (value, (kind,)))
        assert found == [(Decimal("1.5"),), (None,)]


def test_only_arrays_can_be_unnested() -> None:
    tables = Tables()
    with pytest.raises(InternalError, match="no array"):
        unnested(tables, Empty(), (lit(1), (INTEGER,)))
    pairs = lit((), ArrayType(RecordType((INTEGER, TEXT))))
    with pytest.raises(InternalError, match="3 columns for rows of 2 fields"):
        unnested(tables, Empty(), (pairs, (INTEGER, TEXT, TEXT)))


# --- samples --------------------------------------------------------------------------------------


def sampled(percent: float | None, method: str = "bernoulli", seed: Any = None) -> list[Row]:
    tables = Tables()
    rows = tables.scan([(i,) for i in range(20_000)], INTEGER)
    chosen = None if seed is None else lit(*seed)
    return tables.run(Sample(input=rows, method=method, percent=lit(percent, DOUBLE), seed=chosen))


def test_samples_are_about_as_large_as_asked() -> None:
    for method in ("bernoulli", "system"):
        assert sampled(0.0, method) == []
        assert len(sampled(100.0, method)) == 20_000
    assert 8_000 < len(sampled(50.0, seed=(1.0, DOUBLE))) < 12_000


def test_repeatable_samples_repeat() -> None:
    for method in ("bernoulli", "system"):
        first = sampled(50.0, method, (3.0, DOUBLE))
        assert sampled(50.0, method, (3.0, DOUBLE)) == first
        assert sampled(50.0, method, (4.0, DOUBLE)) != first


def test_percentages_are_checked() -> None:
    for percent in (-1.0, 100.5, float("nan")):
        with pytest.raises(InvalidRequest, match="between 0 and 100") as caught:
            sampled(percent)
        assert caught.value.sqlstate == "2202H"
    with pytest.raises(InvalidRequest, match="TABLESAMPLE parameter cannot be null"):
        sampled(None)
    with pytest.raises(InvalidRequest, match="REPEATABLE parameter cannot be null"):
        sampled(1.0, seed=(None, DOUBLE))


def test_columns_of_the_input_are_kept() -> None:
    tables = Tables()
    rows = tables.scan([(1, (5,), None)], INTEGER, NUMBERS, TEXTS)
    column: ColumnRef = rows.columns[1]
    assert unnested(tables, rows, (column, (INTEGER,))) == [(1, (5,), None, 5)]
