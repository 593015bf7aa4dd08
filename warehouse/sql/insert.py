"""INSERT INTO table [(columns)] VALUES … | query: a query whose rows the caller fits and appends.

A VALUES list of constants becomes one Polars VALUES table: constants that are expressions are
computed first, and texts for columns of other types are cast as a whole column. Rows that hold
anything else (a scalar query, a function) become SELECTs joined by UNION ALL.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from actors.messages import Session
from actors.planner import InsertPlan, Latest, QueryPlan, Version
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import Column, DecimalType, Kind, ScalarType, VarCharType
from storage.snapshot.model import Snapshot, TableState
from warehouse.sql.bind import find_table
from warehouse.sql.constants import UNKNOWN, constant
from warehouse.sql.dialect import Mobula
from warehouse.sql.later import not_yet
from warehouse.sql.polars_sql import polars_sql
from warehouse.sql.query import plan_query
from warehouse.sql.types import sqlglot_type

__all__ = ["plan_insert"]

UNION_ROWS_MAX = 1_000
_ALLOWED = {"this", "expression", "stored", "is_function"}
_BOOLEANS = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1"), True),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0"), False),
}
_TEXT = ScalarType(kind=Kind.TEXT)

_FLOATS = (ScalarType(kind=Kind.REAL), ScalarType(kind=Kind.DOUBLE))


def plan_insert(
    tree: exp.Insert, snapshots: Mapping[Version, Snapshot], session: Session
) -> InsertPlan:
    """Resolve table and columns, and plan the rows.

    Raises:
        UnknownObject: table or column.
        InvalidRequest: repeated columns, too many values, VALUES of unequal lengths.
        NotYet: ON CONFLICT, RETURNING, WITH before INSERT, DEFAULT.
    """
    refused = [key for key, value in tree.args.items() if value and key not in _ALLOWED]
    if refused:
        clause = refused[0].strip("_").replace("conflict", "on conflict").upper()
        raise not_yet(f"INSERT … {clause}")
    target = tree.this
    reference = target.this if isinstance(target, exp.Schema) else target
    named = target.expressions if isinstance(target, exp.Schema) else []
    reference = normalize_identifiers(reference, dialect=Mobula)
    table = find_table(snapshots[Latest()], reference, session)
    columns = _target_columns(table, named)
    source = tree.expression
    if isinstance(source, exp.Select) and isinstance(source.args.get("from_"), exp.From):
        source = _bare_values(source) or source

    def plan_rows(query: exp.Query) -> QueryPlan:
        return plan_query(query, snapshots, session)

    if isinstance(source, exp.Values):
        return _insert_values(source, table, columns, bool(named), plan_rows)
    if not isinstance(source, exp.Query):
        raise NotYet("INSERT without VALUES or a query is not available yet")
    query = plan_rows(source)
    taken = _fitted(columns, len(query.result_names), bool(named))
    return InsertPlan(table=table, columns=tuple(c.name for c in taken), query=query)


def _bare_values(source: exp.Select) -> exp.Values | None:
    """The list of `SELECT * FROM (VALUES …)` that the parser makes of a bare VALUES."""
    values = source.args["from_"].this
    plain = source.is_star and isinstance(values, exp.Values) and values.alias == "values"
    return values if plain and len(source.expressions) == 1 else None


def _target_columns(table: TableState, named: list[exp.Expr]) -> tuple[Column, ...]:
    if not named:
        return table.columns
    columns: list[Column] = []
    for node in named:
        name = normalize_identifiers(node.copy(), dialect=Mobula).name
        column = table.schema.find(name)
        if column is None:
            hint = nearest(name, table.schema.names)
            raise UnknownObject(
                f"column {name} of table {table.name} does not exist{hint}", "42703"
            )
        if column in columns:
            raise InvalidRequest(f"column {name} is named twice", "42701")
        columns.append(column)
    return tuple(columns)


def _fitted(columns: tuple[Column, ...], count: int, named: bool) -> tuple[Column, ...]:
    """The columns that get a value: without a list, the first `count`, as in PostgreSQL."""
    if count > len(columns):
        raise InvalidRequest(
            f"INSERT has {count} values for {len(columns)} columns"
            f" ({', '.join(c.name for c in columns)})",
            "42601",
        )
    if named and count < len(columns):
        raise InvalidRequest(
            f"INSERT names {len(columns)} columns and gives {count} values", "42601"
        )
    return columns[:count]


# --- VALUES ---------------------------------------------------------------------------------------


def _insert_values(
    values: exp.Values,
    table: TableState,
    columns: tuple[Column, ...],
    named: bool,
    plan_rows: Callable[[exp.Query], QueryPlan],
) -> InsertPlan:
    rows = [r.expressions if isinstance(r, exp.Tuple) else [r] for r in values.expressions]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise InvalidRequest("VALUES lists must all have the same length", "42601")
    taken = _fitted(columns, widths.pop(), named)
    names = tuple(c.name for c in taken)
    _refuse_default(rows)
    cells = [[_cell(node, c) for node, c in zip(row, taken, strict=True)] for row in rows]
    if all(cell is not None for row in cells for cell in row):
        query = _values_query([[c for c in row if c is not None] for row in cells], taken)
    else:
        query = plan_rows(_union(rows, taken))
    return InsertPlan(table=table, columns=names, query=query)


def _refuse_default(rows: list[list[exp.Expr]]) -> None:
    for node in (node for row in rows for node in row):
        if isinstance(node, exp.Var) and node.name.upper() == "DEFAULT":
            raise NotYet("DEFAULT in VALUES is not available yet; leave the column out")
        if isinstance(node, exp.Column):
            raise InvalidRequest(f"VALUES names a column, {node.name}", "42703")


def _cell(node: exp.Expr, column: Column) -> exp.Expr | None:
    """The cell as a plain literal; None if it is not a constant."""
    value = constant(node)
    if value is UNKNOWN:
        return None
    if isinstance(value, str):
        return _text_cell(value, column)
    if isinstance(value, Decimal) and column.type in _FLOATS:
        text = repr(float(value))
        return _signed(text if "e" in text else text + "e0")  # with an exponent: a DOUBLE
    return _literal(value)


def _text_cell(text: str, column: Column) -> exp.Expr:
    if column.type == ScalarType(kind=Kind.BOOLEAN):
        found = _BOOLEANS.get(text.strip().lower())
        if found is None:
            raise InvalidRequest(f"column {column.name}: {text!r} is no boolean", "22P02")
        return exp.Boolean(this=found)
    if column.type == ScalarType(kind=Kind.BYTEA):
        return exp.HexString(this=_bytes(text, column).hex())
    if isinstance(column.type, DecimalType):
        return _decimal_cell(text, column)
    return exp.Literal.string(text)


def _decimal_cell(text: str, column: Column) -> exp.Expr:
    """As a number of all its digits: whoever fits the rows rounds it, as PostgreSQL does."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise InvalidRequest(f"column {column.name}: {text!r} is no DECIMAL", "22P02")
    return _signed(format(value, "f"))


def _bytes(text: str, column: Column) -> bytes:
    if not text.startswith("\\x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise InvalidRequest(f"column {column.name}: {text!r} is no hexadecimal", "22P02") from None


def _literal(value: Any) -> exp.Expr | None:
    match value:
        case None:
            return exp.Null()
        case bool():
            return exp.Boolean(this=value)
        case bytes():
            return exp.HexString(this=value.hex())
        case datetime.datetime():
            return exp.Literal.string(value.isoformat(sep=" "))
        case datetime.date():
            return exp.Literal.string(value.isoformat())
        case float():
            text = repr(value) if math.isfinite(value) else ""
            return _signed(text if "e" in text else f"{text}e0") if text else None
        case int() | Decimal():
            return _signed(format(value, "f") if isinstance(value, Decimal) else str(value))
        case _:
            return None


def _signed(text: str) -> exp.Expr:
    literal = exp.Literal.number(text.removeprefix("-"))
    return exp.Neg(this=literal) if text.startswith("-") else literal


def _values_query(rows: list[list[exp.Expr]], columns: tuple[Column, ...]) -> QueryPlan:
    names = [exp.to_identifier(c.name, quoted=True) for c in columns]
    alias = exp.TableAlias(this=exp.to_identifier("v"), columns=names)
    table = exp.Values(expressions=[exp.Tuple(expressions=row) for row in rows], alias=alias)
    outputs = []
    for position, column in enumerate(columns):
        node: exp.Expr = exp.column(exp.to_identifier(column.name, quoted=True), table="v")
        if _needs_cast([row[position] for row in rows], column):
            node = exp.Cast(this=node, to=sqlglot_type(column.type))
        outputs.append(exp.alias_(node, column.name, quoted=True))
    query = exp.select(*outputs, copy=False).from_(table, copy=False)
    return QueryPlan(
        sql=polars_sql(query),
        scans=(),
        result_names=tuple(c.name for c in columns),
        result_types=(None,) * len(columns),
    )


def _needs_cast(cells: list[exp.Expr], column: Column) -> bool:
    """Texts of a column that is no text, or nothing but NULLs."""
    if all(isinstance(cell, exp.Null) for cell in cells):
        return True
    text = isinstance(column.type, VarCharType) or column.type == _TEXT
    return not text and any(cell.is_string for cell in cells)


def _union(rows: list[list[exp.Expr]], columns: tuple[Column, ...]) -> exp.Query:
    if len(rows) > UNION_ROWS_MAX:
        raise NotYet(
            f"{len(rows):,} rows of VALUES with expressions that are not constants: at most"
            f" {UNION_ROWS_MAX:,} are available"
        )
    selects: list[exp.Query] = []
    for row in rows:
        outputs = [
            exp.alias_(node.copy(), c.name, quoted=True)
            for node, c in zip(row, columns, strict=True)
        ]
        selects.append(exp.select(*outputs, copy=False))
    # Joined in pairs, so that the tree stays shallow.
    while len(selects) > 1:
        pairs = [selects[i : i + 2] for i in range(0, len(selects), 2)]
        selects = [
            exp.union(*pair, distinct=False, copy=False) if len(pair) == 2 else pair[0]
            for pair in pairs
        ]
    return selects[0]
