"""Compare answers of different systems to one TPC-H query, digit by digit.

An `Answer` is a result in a form that no system owns: values as exact strings. What counts as equal
(this is the whole list of what is normalised away):

- Integers: any width, and DECIMAL of scale 0 (DuckDB's HUGEINT reaches Arrow so). Values are exact.
- DECIMAL: any precision; the scale and every digit are exact.
- DOUBLE in the reference (DuckDB's `avg`, and its `/` of DECIMAL): a DOUBLE within the relative
  tolerance 1e-9, or a DECIMAL within that or one unit of its last digit.
- Text: plain, large, view and dictionary encodings are the same.
- Column names: letter case; and the name of a column whose reference name is an expression, such
  as `sum(l_quantity)`, since each system makes up its own.
- Order: the values of the ORDER BY columns must agree row by row. Whole rows then only need to be
  the same bag, since rows that tie may come in any order. (A tie across a LIMIT would show as a
  difference; the data have none at scale factors 0.01, 0.1 and 1.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

__all__ = ["Answer", "Column", "answer_of", "difference"]

_RELATIVE_TOLERANCE = 1e-9

_ORDER_BY: dict[int, tuple[int, ...]] = {
    1: (0, 1),
    2: (0, 2, 1, 3),
    3: (1, 2),
    4: (0,),
    5: (1,),
    7: (0, 1, 2),
    8: (0,),
    9: (0, 1),
    10: (2,),
    11: (1,),
    12: (0,),
    13: (1, 0),
    15: (0,),
    16: (3, 0, 1, 2),
    18: (4, 3),
    20: (0,),
    21: (1, 0),
    22: (0,),
}
"""Positions of the ORDER BY columns in each query's result; the queries left out give one row."""

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}

Value = str | None
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's name, and its type in DuckDB's words (`BIGINT`, `DECIMAL(38,4)`, `DOUBLE`, …)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The result of one query: its columns, and rows of exact strings (None is NULL)."""

    query: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def answer_of(query: int, table: pa.Table) -> Answer:
    """The answer that an Arrow table holds.

    Raises:
        TypeError: a column of a type that no TPC-H query returns.
    """
    columns = tuple(Column(name=field.name, type=_type_name(field.type)) for field in table.schema)
    texts = [
        [None if value is None else _text(value) for value in column.to_pylist()]
        for column in table.columns
    ]
    return Answer(query=query, columns=columns, rows=tuple(zip(*texts, strict=True)))


def difference(found: Answer, expected: Answer) -> str | None:
    """What sets two answers to the same query apart, in one sentence; None when they are the same.

    Args:
        expected: the reference, whose types decide how each column is compared.
    """
    if len(found.columns) != len(expected.columns):
        names = ", ".join(column.name for column in found.columns)
        return f"expected {len(expected.columns)} columns, found {len(found.columns)}: {names}"
    if len(found.rows) != len(expected.rows):
        return f"expected {len(expected.rows)} rows, found {len(found.rows)}"
    for mine, theirs in zip(found.columns, expected.columns, strict=True):
        apart = _column_difference(mine, theirs)
        if apart is not None:
            return apart
    rules = [_rule(*pair) for pair in zip(found.columns, expected.columns, strict=True)]
    order = _ORDER_BY.get(expected.query, ())
    return _row_difference(
        "row",
        [rules[at] for at in order],
        _project(found.rows, order),
        _project(expected.rows, order),
    ) or _row_difference(
        "sorted row", rules, _sorted(found.rows, rules), _sorted(expected.rows, rules)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """How the values of one column are compared: text by text, or as numbers with some slack."""

    name: str
    is_exact: bool
    slack: float


def _rule(found: Column, expected: Column) -> _Rule:
    scale = _scale(found.type)
    slack = 0.0 if scale is None else 10.0**-scale
    return _Rule(name=expected.name, is_exact=expected.type != "DOUBLE", slack=slack)


def _column_difference(found: Column, expected: Column) -> str | None:
    if "(" not in expected.name and found.name.lower() != expected.name.lower():
        return f"expected column {expected.name}, found {found.name}"
    is_rounded = expected.type == "DOUBLE" and _scale(found.type) is not None
    if not is_rounded and _family(found.type) != _family(expected.type):
        return f"column {expected.name}: expected {expected.type}, found {found.type}"
    return None


def _row_difference(
    what: str, rules: Sequence[_Rule], found: Sequence[Row], expected: Sequence[Row]
) -> str | None:
    for index, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        for rule, value, wanted in zip(rules, mine, theirs, strict=True):
            if not _same(rule, value, wanted):
                return f"{what} {index}, column {rule.name}: expected {wanted}, found {value}"
    return None


def _same(rule: _Rule, value: Value, wanted: Value) -> bool:
    if rule.is_exact or value is None or wanted is None:
        return value == wanted
    return math.isclose(
        float(value), float(wanted), rel_tol=_RELATIVE_TOLERANCE, abs_tol=rule.slack
    )


def _project(rows: Sequence[Row], positions: Sequence[int]) -> list[Row]:
    return [tuple(row[at] for at in positions) for row in rows]


def _sorted(rows: Sequence[Row], rules: Sequence[_Rule]) -> list[Row]:
    """Rows in an order that does not depend on the last digits of a DOUBLE."""
    exact = [at for at, rule in enumerate(rules) if rule.is_exact]
    return sorted(rows, key=lambda row: [(row[at] is None, row[at] or "") for at in exact])


def _family(type_name: str) -> str:
    scale = _scale(type_name)
    if type_name in _INTEGERS or scale == 0:
        return "integer"
    return type_name if scale is None else f"DECIMAL of scale {scale}"


def _scale(type_name: str) -> int | None:
    """Scale of a DECIMAL type, None for any other."""
    if not type_name.startswith("DECIMAL("):
        return None
    return int(type_name.rstrip(")").split(",")[1])


def _type_name(type_: pa.DataType) -> str:
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_dictionary(type_):
        return _type_name(type_.value_type)
    for belongs, name in _ARROW_TYPES:
        if belongs(type_):
            return name
    raise TypeError(f"no TPC-H query returns a column of type {type_}")


_ARROW_TYPES = (
    (pa.types.is_integer, "BIGINT"),
    (pa.types.is_floating, "DOUBLE"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_string, "VARCHAR"),
    (pa.types.is_large_string, "VARCHAR"),
    (pa.types.is_string_view, "VARCHAR"),
)


def _text(value: object) -> str:
    """Exact text: DECIMAL with all digits of its scale, DOUBLE so that it reads back the same."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
