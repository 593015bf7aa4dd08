"""Fitting a caller's rows to a table: any tabular object in, the table's logical Arrow types out.

1. Turn the object into an Arrow table (polars, pandas, anything with an Arrow C stream).
2. Match its columns to the table's by name; fill absent nullable columns with NULL.
3. Assign each column to its logical type (`assignment.py`), checking values: what would lose
   anything is refused.

Every refusal is an `InvalidRequest` that names table, column and both types, and nothing is
changed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pyarrow as pa

from storage.assignment import assign
from storage.errors import InvalidRequest
from storage.nearest import nearest
from storage.schema import TableSchema, arrow_schema, type_name

__all__ = ["conform", "match_columns", "to_arrow"]


def conform(frame: Any, schema: TableSchema, table_name: str) -> pa.Table:
    """The rows of `frame` as an Arrow table of exactly `arrow_schema(schema.columns)`.

    Args:
        frame: a polars DataFrame or LazyFrame (which is collected), a pandas DataFrame (its index
            is dropped), a pyarrow Table, RecordBatch or RecordBatchReader, or any other object with
            `__arrow_c_stream__`.
        table_name: for messages.
    Raises:
        InvalidRequest: the object is not tabular, a column is unknown, doubled or absent, a type
            does not assign, or a value does not fit.
    """
    table = to_arrow(frame, table_name)
    chosen = match_columns(table.column_names, schema, table_name)
    _check_missing(chosen, schema, table_name)
    arrays = []
    for column in schema.columns:
        source = chosen.get(column.id)
        values = pa.nulls(table.num_rows) if source is None else table.column(source)
        arrays.append(assign(values, column, table_name))
    return pa.Table.from_arrays(arrays, schema=arrow_schema(schema.columns))


def to_arrow(frame: Any, table_name: str) -> pa.Table:
    """The frame as an Arrow table in its own types. Raises InvalidRequest; see `conform`."""
    try:
        if isinstance(frame, pl.LazyFrame):
            frame = frame.collect()
        if isinstance(frame, pl.DataFrame):
            return frame.to_arrow()
        if isinstance(frame, pa.Table):
            return frame
        if isinstance(frame, pa.RecordBatch):
            return pa.Table.from_batches([frame])
        if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "columns"):
            return pa.Table.from_pandas(frame, preserve_index=False)
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.table(frame)
    except (pa.ArrowException, pl.exceptions.PolarsError, ValueError, TypeError) as error:
        kind = type(frame).__name__
        raise InvalidRequest(
            f"table {table_name}: the {kind} does not convert to Arrow: {error}"
        ) from error
    raise InvalidRequest(
        f"table {table_name}: expected a polars, pyarrow or pandas table, "
        f"found {type(frame).__module__}.{type(frame).__qualname__}"
    )


# --- columns by name ------------------------------------------------------------------------------


def match_columns(names: list[str], schema: TableSchema, table_name: str) -> dict[int, int]:
    """Position in `names` of each column id that is there.

    Raises InvalidRequest for a name that is given twice or is no column's.
    """
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise InvalidRequest(f"table {table_name}: column {doubled[0]!r} is given twice", "42701")
    positions = {name: position for position, name in enumerate(names)}
    chosen = {c.id: positions.pop(c.name) for c in schema.columns if c.name in positions}
    missing = [c for c in schema.columns if c.id not in chosen]
    for column in missing:
        alike = [name for name in positions if name.casefold() == column.name.casefold()]
        rivals = [c for c in missing if c.name.casefold() == column.name.casefold()]
        if len(alike) == 1 and len(rivals) == 1:
            chosen[column.id] = positions.pop(alike[0])
    if positions:
        unknown = next(iter(positions))
        hint = nearest(unknown, schema.names)
        raise InvalidRequest(f"table {table_name} has no column {unknown!r}{hint}", "42703")
    return chosen


def _check_missing(chosen: dict[int, int], schema: TableSchema, table_name: str) -> None:
    for column in schema.columns:
        if column.id not in chosen and not column.nullable:
            raise InvalidRequest(
                f"table {table_name}: column {column.name} {type_name(column.type)} is NOT NULL "
                "and absent from the data; add it",
                "23502",
            )
