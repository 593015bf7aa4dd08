"""Scans, projections, filters, VALUES, common table expressions, and what they leave to Polars."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import warehouse.functions.arithmetic
from storage.errors import InternalError, InvalidRequest
from storage.schema import DecimalType
from tests.unit.warehouse.execution.relation_cases import Tables, agg, asc, call, eq, every, lit
from warehouse.algebra.relations import (
    Cte,
    CteScan,
    Empty,
    Filter,
    Join,
    Limit,
    Project,
    Relation,
    Scan,
    Sort,
    Values,
)
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER, TEXT
from warehouse.execution.lowered import Context, ScannedColumn, ScannedInput
from warehouse.execution.relations import lower_relation

assert warehouse.functions.arithmetic

ONE_BY_ZERO = call("/(int4,int4)", lit(1), lit(0), kind=INTEGER)


def test_constants_come_once_per_row() -> None:
    tables = Tables()
    three = tables.scan([(1,), (2,), (3,)], INTEGER)
    assert tables.run(tables.project(three, lit(7))) == [(7,)] * 3
    assert tables.run(tables.project(three, lit(7), three.columns[0])) == [(7, 1), (7, 2), (7, 3)]
    assert tables.run(tables.project(three)) == [()] * 3
    assert tables.run(tables.project(Empty(), lit("x", TEXT))) == [("x",)]


def test_rows_without_columns_can_be_counted() -> None:
    tables = Tables()
    three = tables.scan([(1,), (2,), (3,)], INTEGER)
    assert tables.run(tables.aggregate(tables.project(three), [], agg("count(*)"))) == [(3,)]


def test_a_filter_keeps_what_is_true() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (2,), (None,)], INTEGER)
    assert tables.run(Filter(input=rows, predicate=call(">", rows.columns[0], lit(1)))) == [(2,)]


def test_a_filter_is_tried_left_to_right() -> None:
    tables = Tables()
    rows = tables.scan([(0,), (2,), (None,)], INTEGER)
    column = rows.columns[0]
    quotient = call("/(int4,int4)", lit(4), column, kind=INTEGER)
    guarded = every(call("<>", column, lit(0)), call("=", quotient, lit(2)))
    assert tables.run(Filter(input=rows, predicate=guarded)) == [(2,)]
    with pytest.raises(InvalidRequest, match="division by zero"):
        tables.run(Filter(input=rows, predicate=call("=", quotient, lit(2))))


def test_values_of_several_widths_share_a_carrier() -> None:
    from decimal import Decimal

    tables = Tables()
    kind = DecimalType(38, 0)
    rows = [Decimal(1), None, Decimal(10) ** 37]
    values = Values(rows=tuple((lit(row, kind),) for row in rows), outputs=(tables.column(kind),))
    assert tables.run(values) == [(row,) for row in rows]


def test_errors_in_values_are_errors_of_the_statement() -> None:
    tables = Tables()
    values = Values(rows=((ONE_BY_ZERO,),), outputs=(tables.column(INTEGER),))
    with pytest.raises(InvalidRequest, match="division by zero"):
        tables.run(values)


def test_all_references_to_a_cte_see_the_same_rows() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (2,)], INTEGER)
    one, other = (CteScan(cte=4, outputs=(tables.column(INTEGER),)) for _ in range(2))
    join = Join(kind="inner", left=one, right=other, condition=eq(one.outputs[0], other.outputs[0]))
    context = Context(inputs=tables.inputs, definitions={4: Cte(name="x", relation=rows)})
    frame = lower_relation(join, context).frame
    assert frame.explain().count("CACHE") == 2
    assert sorted(frame.collect().rows()) == [(1, 1), (2, 2)]


def test_what_cannot_be_lowered_is_named() -> None:
    with pytest.raises(InternalError, match="no input t7"):
        lower_relation(Scan(input="t7", outputs=(), sources=()), Context())
    with pytest.raises(InternalError, match="no common table expression 3"):
        lower_relation(CteScan(cte=3, outputs=()), Context())
    with pytest.raises(InternalError, match="no lowering of Relation"):
        lower_relation(Relation(), Context())


# --- plans ----------------------------------------------------------------------------------------


@pytest.fixture
def parquet(tmp_path: Path) -> tuple[Tables, Scan]:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6], "c": ["x", "y", "z"]}).write_parquet(path)
    tables = Tables()
    known = {"a": ScannedColumn(BIGINT), "b": ScannedColumn(BIGINT), "c": ScannedColumn(TEXT)}
    tables.inputs["t"] = ScannedInput(pl.scan_parquet(path), known)
    outputs = (tables.column(BIGINT), tables.column(BIGINT), tables.column(TEXT))
    return tables, Scan(input="t", outputs=outputs, sources=("a", "b", "c"))


def test_filters_and_projections_reach_the_scan(parquet: tuple[Tables, Scan]) -> None:
    tables, scan = parquet
    kept = Filter(input=scan, predicate=call(">", scan.columns[0], lit(1, BIGINT)))
    total = tables.aggregate(kept, [], agg("count(any)", scan.columns[1]))
    text = lower_relation(total, Context(inputs=tables.inputs)).frame.explain()
    assert 'SELECTION: col("a") > 1' in text
    assert "PROJECT 2/3 COLUMNS" in text
    assert tables.run(total) == [(2,)]


def test_a_sort_with_a_limit_is_a_top_k(parquet: tuple[Tables, Scan]) -> None:
    tables, scan = parquet
    top = Limit(input=Sort(input=scan, keys=(asc(scan.columns[1]),)), count=lit(2, BIGINT))
    text = lower_relation(top, Context(inputs=tables.inputs)).frame.explain()
    assert "slice: (0, 2" in text
    assert tables.run(top) == [(1, 4, "x"), (2, 5, "y")]


def test_a_limit_reaches_the_scan(parquet: tuple[Tables, Scan]) -> None:
    tables, scan = parquet
    shown = Project(input=scan, items=((tables.column(TEXT), scan.columns[2]),))
    limited = Limit(input=shown, count=lit(1, BIGINT))
    text = lower_relation(limited, Context(inputs=tables.inputs)).frame.explain()
    assert "SLICE" in text
    assert text.index("SLICE") > text.index("Parquet SCAN") or "SLICE: (0, 1)" in text
    assert tables.run(limited) == [("x",)]


def test_conditions_that_are_always_true_are_no_filters(parquet: tuple[Tables, Scan]) -> None:
    tables, scan = parquet
    kept = Filter(input=scan, predicate=lit(True, BOOLEAN))
    assert "FILTER" not in lower_relation(kept, Context(inputs=tables.inputs)).frame.explain()
