"""The cells of an INSERT that say DEFAULT for an identity column, filled with numbers.

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

__all__ = ["with_numbers"]


async def with_numbers(
    rows: pa.Table, plan: InsertPlan, reserve: Callable[[int, int], Awaitable[int]]
) -> pa.Table:
    """The rows of the plan's query under the names of its columns, marks replaced by numbers.

    Args:
        reserve: see `Reservations.reserve`.
    Raises: InvalidRequest (2200H): the identity has no more numbers.
    """
    width = len(plan.columns)
    marks = rows.columns[width:]
    rows = rows.select(range(width)).rename_columns(list(plan.columns))
    for name, mark in zip(plan.numbered, marks, strict=True):
        column = plan.table.schema.find(name)
        if column is None or column.identity is None:
            raise InternalError(f"{name} of table {plan.table.name} is no identity column")
        asked = pc.fill_null(mark, False).combine_chunks()
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
