"""Window calls written as data: to SQL for PostgreSQL, and to the algebra for Mobula.

A case is a dictionary, so that a list of cases and PostgreSQL's answers can lie in a JSON file:

    {"fn": "sum(int4)", "args": ["i"], "partition": ["p"], "order": [["f", true, false]],
     "frame": ["rows", ["preceding", 2], ["current", null], "ties"], "filter": "bo"}

An argument is a column's name or a number; an order key says descending and nulls first. Rows are
in PostgreSQL's text form, by column; `id` is their key.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from storage.schema import ArrayType, DecimalType
from warehouse.algebra.expressions import (
    ColumnRef,
    Expr,
    Frame,
    FrameBound,
    Literal,
    SortKey,
    WindowCall,
)
from warehouse.algebra.relations import Scan, Window
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    NUMERIC,
    REAL,
    TEXT,
    TIME,
    TIMESTAMP,
    AnyType,
    is_float,
    is_integer,
)
from warehouse.execution.literals import from_carrier, to_carrier
from warehouse.execution.lowered import Context, Lowered, ScannedColumn, ScannedInput
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import carrier
from warehouse.execution.windows import lower_window

__all__ = ["COLUMNS", "case_sql", "context_of", "same", "scanned", "window_node", "window_values"]

WIDE = DecimalType(30, 4)
COLUMNS: dict[str, tuple[str, AnyType]] = {
    "id": ("int4", INTEGER),
    "p": ("int4", INTEGER),
    "q": ("text", TEXT),
    "i": ("int4", INTEGER),
    "b": ("int8", BIGINT),
    "d": ("numeric(12,2)", DecimalType(12, 2)),
    "w": ("numeric(30,4)", WIDE),
    "f": ("float8", DOUBLE),
    "g": ("float8", DOUBLE),
    "r": ("float4", REAL),
    "t": ("text", TEXT),
    "bo": ("bool", BOOLEAN),
    "dt": ("date", DATE),
    "ts": ("timestamp", TIMESTAMP),
    "tm": ("time", TIME),
    "iv": ("interval", INTERVAL),
    "a": ("int4[]", ArrayType(INTEGER)),
}
IDS = {name: number for number, name in enumerate(COLUMNS, 1)}
RESULT = 100


def case_sql(case: dict[str, Any]) -> str:
    """The call with its OVER clause."""
    name = case["fn"].partition("(")[0]
    args = "*" if case["fn"].endswith("(*)") else ", ".join(map(_sql_argument, case["args"]))
    parts = []
    if case.get("partition"):
        parts.append("partition by " + ", ".join(case["partition"]))
    if case.get("order"):
        keys = [
            f"{name} {'desc' if descending else 'asc'} nulls {'first' if first else 'last'}"
            for name, descending, first in case["order"]
        ]
        parts.append("order by " + ", ".join(keys))
    if case.get("frame"):
        mode, start, end, exclude = case["frame"]
        bounds = f"between {_sql_bound(start)} and {_sql_bound(end)}"
        parts.append(f"{mode} {bounds}" + (f" exclude {exclude}" if exclude else ""))
    condition = f" filter (where {case['filter']})" if case.get("filter") else ""
    return f"{name}({args}){condition} over ({' '.join(parts)})"


def _sql_argument(argument: Any) -> str:
    if isinstance(argument, str):
        return argument
    return "null::int4" if argument is None else f"({argument})"


def _sql_bound(bound: Sequence[Any]) -> str:
    kind, offset = bound
    if kind == "current":
        return "current row"
    if offset is None:
        return str(kind)
    if isinstance(offset, str):
        return f"'{offset}'::float8 {kind}"
    if isinstance(offset, list):
        months, days, microseconds = offset
        return f"'{months} months {days} days {microseconds} microseconds'::interval {kind}"
    return f"({offset}) {kind}"


def window_node(cases: Sequence[dict[str, Any]]) -> Window:
    """One relation with a call per case; their columns are RESULT, RESULT + 1, …"""
    outputs = tuple(ColumnRef(type=kind, id=IDS[name]) for name, (_, kind) in COLUMNS.items())
    scan = Scan("rows", outputs, tuple(COLUMNS))
    calls = [
        (ColumnRef(type=_result_type(case), id=RESULT + i), _call(case))
        for i, case in enumerate(cases)
    ]
    return Window(scan, tuple(calls))


def _call(case: dict[str, Any]) -> WindowCall:
    return WindowCall(
        type=_result_type(case),
        fn=case["fn"],
        args=tuple(_expr(argument) for argument in case["args"]),
        partition=tuple(_column(name) for name in case.get("partition", ())),
        order=tuple(
            SortKey(_column(name), descending=descending, nulls_first=first)
            for name, descending, first in case.get("order", ())
        ),
        frame=_frame(case) if case.get("frame") else None,
        filter=_column(case["filter"]) if case.get("filter") else None,
    )


def _frame(case: dict[str, Any]) -> Frame:
    mode, _, _, exclude = case["frame"]
    return Frame(mode, _bound(case, 1), _bound(case, 2), exclude)


def _column(name: str) -> ColumnRef:
    return ColumnRef(type=COLUMNS[name][1], id=IDS[name])


def _expr(argument: Any) -> Expr:
    if isinstance(argument, str):
        return _column(argument)
    return Literal(type=INTEGER, value=argument)


def _bound(case: dict[str, Any], place: int) -> FrameBound:
    kind, offset = case["frame"][place]
    if offset is None:
        return FrameBound(kind)
    if isinstance(offset, list):
        return FrameBound(kind, Literal(type=INTERVAL, value=tuple(offset)))
    if case["frame"][0] == "range" and is_float(COLUMNS[case["order"][0][0]][1]):
        return FrameBound(kind, Literal(type=DOUBLE, value=float(offset)))
    if isinstance(offset, float):
        return FrameBound(kind, Literal(type=DecimalType(12, 4), value=Decimal(str(offset))))
    return FrameBound(kind, Literal(type=BIGINT, value=offset))


RESULTS: dict[str, AnyType] = {
    "row_number": BIGINT,
    "rank": BIGINT,
    "dense_rank": BIGINT,
    "count": BIGINT,
    "regr_count": BIGINT,
    "percent_rank": DOUBLE,
    "cume_dist": DOUBLE,
    "ntile": INTEGER,
}


def _result_type(case: dict[str, Any]) -> AnyType:
    name = case["fn"].partition("(")[0]
    fixed = RESULTS.get(name)
    if fixed is not None:
        return fixed
    kind = COLUMNS[case["args"][0]][1]
    if name in ("string_agg", "array_agg"):
        return TEXT if name == "string_agg" else ArrayType(kind)  # type: ignore[arg-type]
    if name == "sum":
        return _sum_type(kind)
    if name.startswith(("avg", "stddev", "var", "covar", "corr", "regr")):
        return DOUBLE if is_float(kind) else INTERVAL if kind == INTERVAL else NUMERIC
    return kind


def _sum_type(kind: AnyType) -> AnyType:
    if kind == BIGINT:
        return DecimalType(38, 0)
    if isinstance(kind, DecimalType):
        return DecimalType(38, kind.scale)
    return BIGINT if is_integer(kind) else kind


def context_of(rows: dict[str, list[Any]]) -> Context:
    """The rows (in PostgreSQL's text form) as the input "rows"."""
    known = {name: ScannedColumn(kind, wide=kind == WIDE) for name, (_, kind) in COLUMNS.items()}
    return Context(inputs={"rows": ScannedInput(scanned(rows).lazy(), known)})


def scanned(rows: dict[str, list[Any]]) -> pl.DataFrame:
    """The carriers of rows in PostgreSQL's text form."""
    made = []
    for name, (_, kind) in COLUMNS.items():
        values = [None if text is None else _parsed(text, kind) for text in rows[name]]
        cells = [None if value is None else to_carrier(value, kind) for value in values]
        made.append(pl.Series(name, cells, dtype=carrier(kind, wide=kind == WIDE)))
    return pl.DataFrame(made)


def _parsed(text: str, kind: AnyType) -> Any:
    if is_integer(kind):
        return int(text)
    if isinstance(kind, DecimalType):
        return Decimal(text)
    if is_float(kind):
        return float(text)
    if isinstance(kind, ArrayType):
        return tuple(None if part is None else int(part) for part in json.loads(text))
    if kind == INTERVAL:
        return tuple(json.loads(text))
    if kind == BOOLEAN:
        return text == "true"
    if kind == DATE:
        return datetime.date.fromisoformat(text)
    if kind == TIMESTAMP:
        return datetime.datetime.fromisoformat(text)
    return datetime.time.fromisoformat(text) if kind == TIME else text


def window_values(cases: Sequence[dict[str, Any]], context: Context) -> list[dict[int, Any]]:
    """The results of each case by `id`, as Python values."""
    node = window_node(cases)
    lowered: Lowered = lower_window(node, lower_relation(node.input, context), context)
    frame = lowered.frame.collect()
    keys = frame.get_column(f"c{IDS['id']}").to_list()
    found = []
    for output, _ in node.calls:
        column = frame.get_column(f"c{output.id}")
        value = lowered.columns[output.id]
        assert column.dtype == carrier(output.type, wide=value.wide), (column.dtype, value)
        cells = [from_carrier(cell, output.type) for cell in column.to_list()]
        found.append(dict(zip(keys, cells, strict=True)))
    return found


def same(found: Any, expected: Any) -> bool:
    """Is a result PostgreSQL's, which came through JSON? Floats and averages up to rounding."""
    if isinstance(found, tuple) and isinstance(expected, list):
        pairs = zip(found, expected, strict=False)
        return len(found) == len(expected) and all(same(one, other) for one, other in pairs)
    if isinstance(found, float) and expected is not None:
        number = float(expected)
        if math.isnan(found) or math.isnan(number):
            return math.isnan(found) and math.isnan(number)
        return found == number or math.isclose(found, number, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(found, Decimal) and expected is not None:
        return found == Decimal(str(expected))
    if isinstance(found, datetime.date | datetime.time):
        return expected is not None and found == type(found).fromisoformat(expected)
    return type(found) is type(expected) and bool(found == expected)
