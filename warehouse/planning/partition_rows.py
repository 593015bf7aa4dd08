"""Which rows of a table may be, or may not be, in a partition: as a query that reads few of them.

The query gives the distinct values of the columns that decide. Its condition may let rows through
that do not matter, never leave one out that does: `storage.partitions.routing` has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.planner import QueryPlan
from storage.partitions.routing import partition_columns
from storage.partitions.scheme import Partition, Partitioning
from storage.partitions.values import value_text
from storage.schema import Column, Kind, ScalarType
from storage.snapshot.model import TableState
from warehouse.planning.parse import parse_text
from warehouse.planning.query import QueryPlanner
from warehouse.syntax.quoting import quoted

__all__ = ["rows_inside", "rows_outside"]

EVERY = "TRUE"


def rows_inside(table: TableState, parts: Sequence[Partition], queries: QueryPlanner) -> QueryPlan:
    """The values of rows of a partitioned table that may belong to these partitions."""
    assert table.partitioning is not None
    columns = partition_columns(table.partitioning, table.schema)
    conditions = [_may_be_in(part, columns) for part in parts]
    return _distinct(table, columns, " OR ".join(f"({c})" for c in conditions) or EVERY, queries)


def rows_outside(
    table: TableState, part: Partition, partitioning: Partitioning, queries: QueryPlanner
) -> QueryPlan:
    """The values of rows of another table that may not belong to this partition."""
    columns = partition_columns(partitioning, table.schema)
    return _distinct(table, columns, _may_not_be_in(part, columns), queries)


def _distinct(
    table: TableState, columns: Sequence[Column], condition: str, queries: QueryPlanner
) -> QueryPlan:
    names = ", ".join(quoted(column.name) for column in columns)
    whole = f"{quoted(queries.schema_of(table))}.{quoted(table.name)}"
    text = f"SELECT DISTINCT {names} FROM {whole} WHERE {condition}"
    return _with_text(queries, text).plan(parse_text(text).tree)


def _with_text(queries: QueryPlanner, text: str) -> QueryPlanner:
    return QueryPlanner(
        text=text,
        snapshots=queries.snapshots,
        session=queries.session,
        now=queries.now,
        store=queries.store,
        root=queries.root,
    )


def _may_be_in(part: Partition, columns: Sequence[Column]) -> str:
    if part.default or any(_is_float(column) for column in columns):
        return EVERY
    if part.values:
        return " AND ".join(_is_one_of(column, part, at) for at, column in enumerate(columns))
    first, alone = columns[0], len(columns) == 1
    name = quoted(first.name)
    found = []
    if not part.low[0].side:
        found.append(f"{name} >= {value_text(part.low[0].value, first.type)}")
    if not part.high[0].side:
        operator = "<" if alone else "<="
        found.append(f"{name} {operator} {value_text(part.high[0].value, first.type)}")
    return " AND ".join(found) or EVERY


def _may_not_be_in(part: Partition, columns: Sequence[Column]) -> str:
    if (not part.low and not part.values) or any(_is_float(column) for column in columns):
        return EVERY
    alone = len(columns) == 1
    if part.values:
        return f"NOT ({_is_one_of(columns[0], part, 0)})" if alone else EVERY
    first = columns[0]
    name = quoted(first.name)
    found = [f"{quoted(column.name)} IS NULL" for column in columns]
    if not part.low[0].side:
        operator = "<" if alone else "<="
        found.append(f"{name} {operator} {value_text(part.low[0].value, first.type)}")
    if not part.high[0].side:
        found.append(f"{name} >= {value_text(part.high[0].value, first.type)}")
    return " OR ".join(found)


def _is_one_of(column: Column, part: Partition, at: int) -> str:
    """Whether a column has one of the values that a list has for it; never NULL."""
    name = quoted(column.name)
    values = dict.fromkeys(row[at] for row in part.values)
    texts = [value_text(value, column.type) for value in values if value is not None]
    found = [f"({name} IS NOT NULL AND {name} IN ({', '.join(texts)}))"] if texts else []
    if None in values:
        found.append(f"{name} IS NULL")
    return "(" + " OR ".join(found) + ")"


def _is_float(column: Column) -> bool:
    """Literals of numbers are exact, and compare with floats in another way than bounds do."""
    return column.type in (ScalarType(Kind.REAL), ScalarType(Kind.DOUBLE))
