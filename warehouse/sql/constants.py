"""The value of an expression without columns, as Polars computes it.

Plain literals are read directly; anything else made of deterministic nodes runs through Polars, so
that a folded constant is exactly what the query would compare with.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import polars as pl
from sqlglot import exp

from warehouse.sql.polars_sql import polars_sql

__all__ = ["UNKNOWN", "constant"]

UNKNOWN = object()  # not a constant, or not computable: the query itself will say why

_DETERMINISTIC = (
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Neg,
    exp.Paren,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
    exp.Interval,
    exp.Var,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.IntDiv,
    exp.Mod,
    exp.Round,
    exp.Substring,
    exp.HexString,
)
_KNOWN = (bool, int, float, Decimal, str, datetime.date, datetime.datetime, bytes)


def constant(node: exp.Expr) -> Any:
    """The Python value (None for NULL), or `UNKNOWN`."""
    if isinstance(node, exp.Literal):
        return _literal(node)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Paren):
        return constant(node.this)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal | exp.Paren):
        value = constant(node.this)
        return -value if isinstance(value, int | float | Decimal) else UNKNOWN
    if any(not isinstance(part, _DETERMINISTIC) for part in node.walk()):
        return UNKNOWN
    if isinstance(node, exp.Cast) and node.to.this == exp.DType.DATE and node.this.is_string:
        return _date(node.this.this)
    return _computed(node)


def _literal(node: exp.Literal) -> Any:
    if node.is_string:
        return str(node.this)
    text = str(node.this)
    if "e" in text.lower():
        return float(text)
    return Decimal(text) if "." in text else int(text)


def _date(text: str) -> Any:
    try:
        return datetime.date.fromisoformat(text) if len(text) == len("2000-01-01") else UNKNOWN
    except ValueError:
        return UNKNOWN


def _computed(node: exp.Expr) -> Any:
    sql = polars_sql(exp.select(exp.alias_(node.copy(), "value", quoted=True)))
    try:
        value = pl.SQLContext().execute(sql, eager=True).item()
    except pl.exceptions.PolarsError:
        return UNKNOWN
    return value if value is None or isinstance(value, _KNOWN) else UNKNOWN
