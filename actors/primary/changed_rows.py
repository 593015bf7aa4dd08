"""The rows of a query that says how a table's rows change (`planner.RowLayout`), taken apart.

A row of the table that is met several times: of UPDATE and DELETE the first match is the one, as in
PostgreSQL; MERGE refuses it (21000).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from actors.planner import ModifyPlan, OnConflictPlan, RowAction, RowLayout
from storage.errors import InvalidRequest

__all__ = [
    "ChangedRows",
    "first_of_each",
    "refuse_second_touch",
    "take_apart",
    "with_each_once",
]

_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """Rows that do something, in order; the tables have a row for each.

    Attributes:
        actions: `RowAction` of each.
        old: what tells the row of the table (`RowLayout.old`); NULL where there is none.
        new: the rows as they shall be.
        asks: of each identity column that may ask for numbers, whether the row does.
        extra: see `RowLayout`.
    """

    actions: npt.NDArray[np.int32]
    old: pa.Table
    new: pa.Table
    asks: pa.Table
    extra: pa.Table

    def __len__(self) -> int:
        return len(self.actions)

    def taken(self, positions: npt.NDArray[np.int64]) -> ChangedRows:
        """The rows at these positions."""
        parts = {
            name: getattr(self, name).take(pa.array(positions))
            for name in ("old", "new", "asks", "extra")
        }
        return dataclasses.replace(self, actions=self.actions[positions], **parts)

    def are(self, *actions: RowAction) -> _Flags:
        """Of which rows is the action one of these?"""
        return np.isin(self.actions, [int(action) for action in actions])


def take_apart(rows: pa.Table, layout: RowLayout) -> ChangedRows:
    """The rows of a query of this layout, without those that do nothing."""
    columns = list(rows.columns)
    if layout.action is None:
        found = columns.pop(0).to_numpy(zero_copy_only=False).astype(np.int32)
    else:
        found = np.full(rows.num_rows, int(layout.action), np.int32)
    names = [layout.old, layout.new, layout.asks, [column.name for column in layout.extra]]
    parts = []
    for own in names:
        mine, columns = columns[: len(own)], columns[len(own) :]
        parts.append(_table(mine, own, rows.num_rows))
    changed = ChangedRows(found, *parts)
    acting = np.flatnonzero(found != RowAction.NOTHING)
    return changed if len(acting) == len(found) else changed.taken(acting)


def _table(columns: Sequence[pa.ChunkedArray], names: Sequence[str], count: int) -> pa.Table:
    if columns:
        return pa.Table.from_arrays(list(columns), names=list(names))
    return pa.table({"": pa.nulls(count)}).select([])


def with_each_once(changed: ChangedRows, plan: ModifyPlan) -> ChangedRows:
    """With each row of the table touched once. Raises InvalidRequest (21000): `plan.once`."""
    touching = np.flatnonzero(changed.are(RowAction.UPDATE, RowAction.DELETE))
    first = first_of_each(changed.old.take(pa.array(touching)))
    if first.all():
        return changed
    if plan.once:
        raise _second_time(plan.verb)
    keep = np.ones(len(changed), np.bool_)
    keep[touching] = first
    return changed.taken(np.flatnonzero(keep))


def first_of_each(rows: pa.Table) -> _Flags:
    """Which rows have no equal before them? NULL equals nothing."""
    if not rows.num_rows:
        return np.zeros(0, np.bool_)
    frame = _frame(rows)
    first = frame.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    return (first | _has_null(frame)).to_numpy()


def refuse_second_touch(changed: ChangedRows, rows: pa.Table, plan: OnConflictPlan) -> None:
    """Refuse rows of an INSERT … ON CONFLICT DO UPDATE that meet a row which the statement has
    inserted or updated.

    Args:
        changed: what the rows do; its `extra` is their position in `rows`.
    Raises InvalidRequest (21000).
    """
    names = list(plan.arbiters[0])
    frame = _frame(rows.select(names))
    if not frame.select(pl.struct(pl.all()).is_duplicated()).to_series().any():
        return
    acting = np.zeros(rows.num_rows, np.bool_)
    acting[changed.extra.column(0).to_numpy()] = True
    groups = (
        frame.with_columns(pl.Series("\x01acts", acting))
        .filter(~_has_null(frame))
        .group_by(names, maintain_order=True)
        .agg(pl.col("\x01acts"))
    )
    for flags in groups["\x01acts"].to_list():
        if any(flags[:-1]):
            raise _second_time("ON CONFLICT DO UPDATE")


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _has_null(frame: pl.DataFrame) -> pl.Series:
    return frame.select(pl.any_horizontal(pl.all().is_null())).to_series()


def _second_time(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"{what} command cannot affect row a second time: make sure that at most one source row"
        " matches any one row of the table",
        "21000",
    )
