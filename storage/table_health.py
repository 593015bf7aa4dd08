"""How a table lies in its files: what is deleted, what overlaps, what waits to be flushed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storage.overlap import Ranks, extents, levels
from storage.snapshot.model import TableState

__all__ = ["TableHealth", "table_health"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHealth:
    """Of one table at one snapshot.

    Attributes:
        rows: that are there; deleted_rows: that files and deltas still hold.
        delta_rows, deltas: not yet flushed.
        level_0, level_1: files; those that are sorted otherwise than the table count as level 0.
        size_bytes: of the files; index_runs, index_bytes: of all keys.
        order: as in DDL, by column names; None: rows have none.
        depth_max, depth_mean: files of a partition that may have rows between the same two keys: at
            most, and where a row of a file is, on average; None: there is no order to look at.
        space_amplification: rows stored for each that is there; 1.0 without rows.
    """

    rows: int
    deleted_rows: int
    deltas: int
    delta_rows: int
    level_0: int
    level_1: int
    size_bytes: int
    index_runs: int
    index_bytes: int
    order: str | None
    depth_max: int | None
    depth_mean: float | None
    space_amplification: float


def table_health(table: TableState) -> TableHealth:
    """Of a table; a pure function of its snapshot."""
    files, order = table.files, table.sort_order
    level_1 = int((levels(files, order) == 1).sum())
    depth_max, depth_mean = _depths(table)
    return TableHealth(
        rows=table.row_count,
        deleted_rows=table.stored_row_count - table.row_count,
        deltas=len(table.deltas),
        delta_rows=sum(delta.row_count for delta in table.deltas),
        level_0=len(files) - level_1,
        level_1=level_1,
        size_bytes=files.size_bytes,
        index_runs=len(table.index_runs),
        index_bytes=sum(run.size_bytes for run in table.index_runs),
        order=_order_text(table),
        depth_max=depth_max,
        depth_mean=depth_mean,
        space_amplification=table.stored_row_count / table.row_count if table.row_count else 1.0,
    )


def _order_text(table: TableState) -> str | None:
    order = table.sort_order
    if order is None:
        return None
    columns = [table.schema.by_id(column_id) for column_id in order.column_ids]
    names = ", ".join(column.name for column in columns if column is not None)
    return f"{'ZORDER ' if order.order == 'zorder' else ''}({names})"


def _depths(table: TableState) -> tuple[int | None, float | None]:
    files, order = table.files, table.sort_order
    if order is None or order.order != "lexical" or not len(files):
        return None, None
    deepest: list[int] = []
    rows: list[int] = []
    for part in files.by_partition().values():
        found = extents(part, order)
        edges, depths = found.depths()
        ends = zip(found.first.tolist(), found.last.tolist(), strict=True)
        deepest += [_deepest(edges, depths, first, last) for first, last in ends]
        rows += part.table["row_count"].to_pylist()
    mean = float(np.average(deepest, weights=rows)) if sum(rows) else 1.0
    return max(deepest), round(mean, 2)


def _deepest(edges: Ranks, depths: Ranks, first: int, last: int) -> int:
    """The most files that lie anywhere above a file."""
    a, b = np.searchsorted(edges, [first, last])
    return int(depths[a:b].max()) if b > a else 1
