"""How a table lies in its files: what is deleted, what overlaps, what waits to be flushed; and what
that makes queries read and the store keep beyond what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from storage.overlap import Ranks, extents, levels
from storage.snapshot.model import TableState
from storage.table_options import options_text

__all__ = [
    "Amplification",
    "Space",
    "TableHealth",
    "amplification",
    "space_of",
    "table_health",
]


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
        read_amplification: rows of files and deltas, which a query of everything reads, for each
            that is there; 1.0 without rows. Where the table is asked by its order, `depth_mean` is
            how many files are read for one.
        space_amplification: bytes stored for each byte of what is there, see `Space`.
        options: those that were given, `name=value`; None: none were.
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
    read_amplification: float
    space_amplification: float
    options: str | None


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes that a snapshot refers to: files, deltas and runs of indexes.

    `live`: their share of rows that are there; entries of runs whose rows are not there, or that
    several runs have, count as dead.
    """

    stored: float = 0.0
    live: float = 0.0

    def __add__(self, other: Space) -> Space:
        return Space(self.stored + other.stored, self.live + other.live)

    @property
    def amplification(self) -> float:
        """Bytes stored for each that is live; 1.0 if none is."""
        return _ratio(self.stored, self.live)


@dataclass(frozen=True, slots=True)
class Amplification:
    """Of several tables: rows read, and bytes stored, for each that is there."""

    read: float
    space: float


def amplification(tables: Iterable[TableState]) -> Amplification:
    """Of tables together."""
    known = list(tables)
    return Amplification(
        read=_ratio(sum(t.stored_row_count for t in known), sum(t.row_count for t in known)),
        space=sum(map(space_of, known), Space()).amplification,
    )


def space_of(table: TableState) -> Space:
    """Of a table; a pure function of its snapshot."""
    files = table.files.table
    sizes = files["size_bytes"].to_numpy()
    rows = np.maximum(files["row_count"].to_numpy(), 1)
    deleted = np.array([table.deleted_count(i) for i in table.files.ids], np.float64)
    stored, live = float(sizes.sum()), float((sizes * (1 - deleted / rows)).sum())
    for delta in table.deltas:
        stored += len(delta.rows)
        live += len(delta.rows) * (1 - table.deleted_count(delta.id) / max(delta.row_count, 1))
    for key in table.keys:
        runs = [run for run in table.index_runs if run.key_id == key.id]
        size, keys = sum(run.size_bytes for run in runs), sum(run.key_count for run in runs)
        stored += size
        live += size * min(1.0, table.row_count / keys) if keys else 0.0
    return Space(stored, live)


def _ratio(found: float, wanted: float) -> float:
    return found / wanted if wanted else 1.0


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
        read_amplification=_ratio(table.stored_row_count, table.row_count),
        space_amplification=space_of(table).amplification,
        options=", ".join(options_text(table.options)) or None,
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
