"""Evaluate one registered function or operator, in every way that its arguments may come.

A case is a key of the registry, the arguments, and what PostgreSQL 16 answered: a value, or
`Fails(sqlstate, message)`. Arguments are Python values as `algebra.Literal` has them; `Typed` gives
one the type that the signature leaves open.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from storage.schema import ArrayType, CharType, DecimalType
from warehouse.algebra.expressions import Call, ColumnRef, Expr, Literal
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AnyType,
    base_name,
)
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.literals import from_carrier, to_carrier
from warehouse.execution.value import Value, carrier, fault_of, raised
from warehouse.functions.registry import function

NAMED: dict[str, AnyType] = {
    base_name(kind): kind
    for kind in (
        *(BOOLEAN, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, NUMERIC, TEXT, BYTEA, UUID),
        *(DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL),
    )
}
NAMED["bpchar"] = CharType(length=5)
NAMED["_text"] = ArrayType(element=TEXT)
_INFERRED = {bool: BOOLEAN, int: INTEGER, float: DOUBLE, str: TEXT, type(None): TEXT}


@dataclass(frozen=True)
class Fails:
    sqlstate: str
    message: str


@dataclass(frozen=True)
class Typed:
    value: Any
    type: AnyType


def literals(key: str, args: tuple[Any, ...]) -> list[Literal]:
    """The arguments with the types that the signature wants."""
    entry = function(key)
    wanted = list(entry.signature.arguments)
    while entry.signature.variadic and len(wanted) < len(args):
        wanted.append(wanted[-1])
    made = []
    for arg, name in zip(args, wanted, strict=False):
        if isinstance(arg, Typed):
            made.append(Literal(type=arg.type, value=arg.value))
        else:
            kind = NAMED.get(name) or _INFERRED[type(arg)]
            made.append(Literal(type=kind, value=arg))
    return made


def evaluated(key: str, args: tuple[Any, ...], columns: tuple[bool, ...]) -> Any:
    """The result, with these of the arguments being columns; or the error as `Fails`."""
    entry = function(key)
    given = literals(key, args)
    exprs: list[Expr] = []
    data: dict[str, pl.Series] = {"row": pl.Series([1, 2])}
    values: dict[int, Value] = {}
    for number, (literal, as_column) in enumerate(zip(given, columns, strict=True)):
        if not as_column:
            exprs.append(literal)
            continue
        name = f"c{number}"
        held = to_carrier(literal.value, literal.type)
        wide = isinstance(literal.type, DecimalType) and literal.type.precision > 18
        data[name] = pl.Series([held, None], dtype=carrier(literal.type, wide=wide))
        values[number] = Value(pl.col(name), literal.type, wide=wide)
        exprs.append(ColumnRef(type=literal.type, id=number))
    if entry.result is not None:
        kind = entry.result(exprs)
    else:
        kind = NAMED[entry.signature.returns]
        kind = ArrayType(element=kind) if entry.kind == "table" else kind
    call = Call(type=kind, fn=key, args=tuple(exprs))
    try:
        made = lower(call, Environment(columns=values))
        frame = pl.DataFrame(data).head(1)
        row = frame.lazy().with_columns(raised(made).alias("made")).collect()["made"]
    except pl.exceptions.PolarsError as error:
        found = fault_of(error)
        if found is None:
            raise
        return Fails(found.sqlstate, found.message)
    except InvalidRequest as error:
        return Fails(error.sqlstate, error.message)
    assert row.dtype == carrier(kind, wide=made.wide), (row.dtype, kind)
    if kind in (DATE, TIMESTAMP, TIMESTAMPTZ):
        # Python has no dates before Christ: days or microseconds since 1970.
        return row.cast(pl.Int64)[0]
    return from_carrier(row[0], made.type)


def every_way(key: str, args: tuple[Any, ...]) -> list[Any]:
    """The results with all constants, all columns, and the first or the others as columns."""
    count = len(args)
    ways = {
        tuple(itertools.repeat(False, count)),
        tuple(itertools.repeat(True, count)),
        tuple(number == 0 for number in range(count)),
        tuple(number != 0 for number in range(count)),
    }
    return [evaluated(key, args, columns) for columns in sorted(ways)]


def same(found: Any, expected: Any) -> bool:
    """Equal, floats up to the last bits; NaN is itself; NUMERIC is a float."""
    if isinstance(found, float) and isinstance(expected, Decimal):
        expected = float(expected)
    if isinstance(found, float) and isinstance(expected, float):
        if math.isnan(found) or math.isnan(expected):
            return math.isnan(found) and math.isnan(expected)
        return found == expected or math.isclose(found, expected, rel_tol=1e-15)
    return type(found) is type(expected) and found == expected


def check(key: str, args: tuple[Any, ...], expected: Any) -> None:
    """Assert PostgreSQL's answer, whichever arguments are columns."""
    for found in every_way(key, args):
        assert same(found, expected), f"{key} of {args!r}: {found!r}, PostgreSQL: {expected!r}"


def check_together(key: str, cases: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Assert the answers of all cases without errors as the rows of one frame.

    Cases whose arguments have other types than those of the first are left out.
    """
    rows = [(literals(key, args), expected) for args, expected in cases]
    rows = [row for row in rows if row[0] and not isinstance(row[1], Fails)]
    if not rows or function(key).result is not None:
        return
    kinds = [literal.type for literal in rows[0][0]]
    rows = [row for row in rows if [literal.type for literal in row[0]] == kinds]
    data, values = {}, {}
    for number, literal_type in enumerate(kinds):
        held = [to_carrier(given[number].value, literal_type) for given, _ in rows]
        data[f"c{number}"] = pl.Series(held, dtype=carrier(literal_type))
        values[number] = Value(pl.col(f"c{number}"), literal_type)
    refs = tuple(ColumnRef(type=kind, id=number) for number, kind in enumerate(kinds))
    kind = NAMED[function(key).signature.returns]
    kind = ArrayType(element=kind) if function(key).kind == "table" else kind
    made = lower(Call(type=kind, fn=key, args=refs), Environment(columns=values))
    column = pl.DataFrame(data).lazy().select(raised(made).alias("made")).collect()["made"]
    if kind in (DATE, TIMESTAMP, TIMESTAMPTZ):
        column = column.cast(pl.Int64)
    for value, (given, expected) in zip(column.to_list(), rows, strict=True):
        found = value if column.dtype == pl.Int64 else from_carrier(value, made.type)
        assert same(found, expected), f"{key} of {given!r}: {found!r}, PostgreSQL: {expected!r}"
