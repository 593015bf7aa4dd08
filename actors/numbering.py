"""The cells of a statement that say DEFAULT for an identity column, filled with numbers.

A column that every row leaves to its identity is simply not among the rows: `storage.target`
numbers it. Where some rows give a value and others say DEFAULT, the query marks the latter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.planner import InsertPlan
from storage.errors import InternalError
from storage.schema import TableSchema

__all__ = ["Reserve", "numbered_cells", "with_numbers"]

Reserve = Callable[[int, int], Awaitable[int]]


async def with_numbers(rows: pa.Table, plan: InsertPlan, reserve: Reserve) -> pa.Table:
    """The rows of an INSERT's query under the names of its columns, marks replaced by numbers.

    Args:
        reserve: see `Reservations.reserve`.
    Raises: InvalidRequest (2200H): the identity has no more numbers.
    """
    width = len(plan.columns)
    marks = pa.Table.from_arrays(rows.columns[width:], names=list(plan.numbered))
    rows = rows.select(range(width)).rename_columns(list(plan.columns))
    return await numbered_cells(rows, marks, plan.table.schema, reserve, plan.table.name)


async def numbered_cells(
    rows: pa.Table, marks: pa.Table, schema: TableSchema, reserve: Reserve, table: str
) -> pa.Table:
    """The rows with numbers where they ask for them.

    Args:
        marks: a BOOLEAN column for each identity column that may be asked of, under its name.
        table: its name, for messages.
    """
    for name in marks.column_names:
        column = schema.find(name)
        if column is None or column.identity is None:
            raise InternalError(f"{name} of table {table} is no identity column")
        asked = pc.fill_null(marks.column(name), False).combine_chunks()
        count = pc.sum(asked).as_py() or 0
        if not count:
            continue
        first = await reserve(column.identity.sequence_id, count)
        numbers = first + np.arange(count, dtype=np.int64) * column.identity.increment
        position = rows.column_names.index(name)
        given = rows.column(position).combine_chunks()
        filled = pc.replace_with_mask(given, asked, pa.array(numbers).cast(given.type))
        rows = rows.set_column(position, name, filled)
    return rows
