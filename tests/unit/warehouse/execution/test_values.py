"""VALUES: rows of constants, a column at a time."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from storage.errors import InvalidRequest
from storage.schema import ArrayType, DecimalType, EnumType, StructType
from warehouse.algebra.expressions import Call, Cast, ColumnRef, Expr, Literal
from warehouse.algebra.relations import Values
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INTEGER,
    INTERVAL,
    REAL,
    TEXT,
    UUID,
    AnyType,
)
from warehouse.execution.lowered import Context, Lowered
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import Range

MONEY = DecimalType(precision=12, scale=2)
LONG = DecimalType(precision=38, scale=2)


def lowered(kind: AnyType, *cells: Expr) -> Lowered:
    rows = tuple((cell,) for cell in cells)
    return lower_relation(Values(rows=rows, outputs=(ColumnRef(type=kind, id=1),)), Context())


def values(kind: AnyType, *cells: Expr) -> list[Any]:
    return lowered(kind, *cells).frame.collect()["c1"].to_list()


def literals(kind: AnyType, *found: Any) -> list[Literal]:
    return [Literal(type=kind, value=value) for value in found]


@pytest.mark.parametrize(
    ("kind", "given", "carried"),
    [
        (INTEGER, (1, None, -3), [1, None, -3]),
        (TEXT, ("a", None, ""), ["a", None, ""]),
        (BOOLEAN, (True, False, None), [True, False, None]),
        (MONEY, (Decimal("1.25"), None, Decimal(3)), [125, None, 300]),
        (LONG, (Decimal("1.25"), Decimal(10) ** 30), [Decimal("1.25"), Decimal(10) ** 30]),
        (DATE, (datetime.date(2026, 1, 2), None), [datetime.date(2026, 1, 2), None]),
        (UUID, (uuid.UUID(int=5),), [uuid.UUID(int=5).bytes]),
        (INTERVAL, ((1, 2, 3),), [{"months": 1, "days": 2, "microseconds": 3}]),
        (EnumType(name="m", labels=("b", "a")), ("a", None), ["a", None]),
        (ArrayType(element=MONEY), ((Decimal(1), None), None), [[100, None], None]),
        (StructType(name="p", fields=(("x", MONEY),)), ((Decimal(2),),), [{"x": 200}]),
        (INTEGER, (None, None), [None, None]),
    ],
)
def test_literals_become_carriers(
    kind: AnyType, given: tuple[Any, ...], carried: list[Any]
) -> None:
    assert values(kind, *literals(kind, *given)) == carried


def test_what_is_known_of_literals() -> None:
    known = lowered(INTEGER, *literals(INTEGER, 5, -2, 9)).columns[1]
    assert (known.range, known.nullable) == (Range(-2, 9), False)
    known = lowered(MONEY, *literals(MONEY, Decimal("1.5"), None)).columns[1]
    assert (known.range, known.nullable, known.wide) == (Range(150, 150), True, False)
    known = lowered(LONG, *literals(LONG, Decimal(10) ** 30)).columns[1]
    assert (known.range, known.wide) == (None, True)


def test_cells_of_several_kinds_keep_their_rows() -> None:
    cells = [
        Literal(type=INTEGER, value=1),
        Cast(type=INTEGER, arg=Literal(type=TEXT, value="2"), explicit=True),
        Call(type=INTEGER, fn="+(int4,int4)", args=tuple(literals(INTEGER, 1, 2))),
        Cast(type=INTEGER, arg=Literal(type=BIGINT, value=4)),
        Cast(type=INTEGER, arg=Literal(type=TEXT, value=" 5 "), explicit=True),
        Literal(type=INTEGER, value=None),
    ]
    assert values(INTEGER, *cells) == [1, 2, 3, 4, 5, None]


def test_one_wide_decimal_makes_the_column_wide() -> None:
    wide = Cast(type=LONG, arg=Literal(type=TEXT, value="1e30"), explicit=True)
    found = lowered(LONG, Literal(type=LONG, value=Decimal("1.5")), wide)
    assert found.columns[1].wide
    assert found.frame.collect()["c1"].to_list() == [Decimal("1.50"), Decimal(10) ** 30]


def test_a_cell_in_error_is_the_statements() -> None:
    bad = Cast(type=INTEGER, arg=Literal(type=TEXT, value="x"), explicit=True)
    zero = Call(type=INTEGER, fn="/(int4,int4)", args=tuple(literals(INTEGER, 1, 0)))
    for cells, sqlstate in (((bad,), "22P02"), ((*literals(INTEGER, 1), zero), "22012")):
        with pytest.raises(InvalidRequest) as caught:
            lowered(INTEGER, *cells)
        assert caught.value.sqlstate == sqlstate


def test_volatile_cells_are_computed_one_by_one() -> None:
    cell = Call(type=UUID, fn="gen_random_uuid()", args=())
    assert len(set(values(UUID, cell, cell, cell))) == 3


def test_rows_without_columns_are_rows() -> None:
    found = lower_relation(Values(rows=((), ()), outputs=()), Context())
    assert found.frame.collect().height == 2


def test_real_literals_keep_their_type() -> None:
    found = lowered(REAL, *literals(REAL, 0.5, 1.5)).frame.collect()
    assert found.schema["c1"] == pl.Float32()
