"""Aggregates over frames without a kernel: each frame's rows written out as a group of their own.

Frames become groups of an `Aggregate` over a small scan, lowered and run like any other, with the
frame's order as the order of the aggregate. Work is proportional to the lengths of all frames
(equal frames are one), in portions that bound the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from warehouse.algebra.expressions import AggregateCall, ColumnRef, SortKey, WindowCall
from warehouse.algebra.relations import Aggregate, Scan
from warehouse.algebra.types import BIGINT
from warehouse.execution.lowered import Context, Lowered, ScannedColumn, ScannedInput, column_name
from warehouse.execution.value import Value, carrier, raised
from warehouse.execution.window_aggregates import argument
from warehouse.execution.window_frames import Frames
from warehouse.execution.window_layout import Integers
from warehouse.execution.window_plan import Plan, Scope
from warehouse.execution.window_sums import running

__all__ = ["PORTION_ROWS", "plan_general"]

PORTION_ROWS = 1 << 21
GROUP, PLACE, RESULT, FIRST_ARGUMENT = 0, 1, 2, 3  # columns of the small query


def plan_general(
    call: WindowCall, values: Sequence[Value], condition: pl.Expr | None, context: Context
) -> Plan:
    """An aggregate that needs nothing but its registration."""
    inputs = [raised(argument(value, condition)) for value in values]
    query = _GroupQuery(call, tuple(values), context)

    def kernel(scope: Scope, columns: Sequence[pl.Series]) -> pl.Series:
        frames = scope.frames
        arguments = list(columns[: len(inputs)])
        if condition is not None:
            taken = columns[len(inputs)].fill_null(False)
            arguments = [column.filter(taken) for column in arguments]
            frames = frames.among(running(taken.to_numpy().astype(np.int64)))
        return frames.per_row(query.run(frames, arguments))

    conditions = () if condition is None else (condition,)
    known = query.lowered(query.rows([], [], [])).columns[RESULT]
    return Plan((*inputs, *conditions), kernel, replace(known, nullable=True))


@dataclass(frozen=True, slots=True)
class _GroupQuery:
    """The aggregate as a query over (group, place, arguments)."""

    call: WindowCall
    values: tuple[Value, ...]
    context: Context

    def run(self, frames: Frames, arguments: Sequence[pl.Series]) -> pl.Series:
        """The aggregate of each frame."""
        none = self.lowered(self.rows([], [], []), grouped=False)
        empty = none.frame.select(column_name(RESULT)).collect().to_series()
        parts = [empty.clear()]
        for first, last in _portions(frames.lengths):
            groups, places = _written_out(frames, first, last)
            rows = self.rows(groups, places, [a.gather(pl.Series(places)) for a in arguments])
            found = self.lowered(rows).frame.collect()
            wanted = pl.DataFrame({"wanted": np.arange(last - first, dtype=np.int64)})
            found = found.with_columns(pl.lit(True).alias("found"))
            joined = wanted.join(
                found,
                left_on="wanted",
                right_on=column_name(GROUP),
                how="left",
                maintain_order="left",
            )
            results = joined.get_column(column_name(RESULT))
            there = joined.get_column("found").is_not_null()
            parts.append(results.zip_with(there, empty))
        return pl.concat(parts, rechunk=True)

    def rows(
        self,
        groups: Integers | list[int],
        places: Integers | list[int],
        arguments: Sequence[pl.Series],
    ) -> pl.DataFrame:
        """The input of the small query."""
        made = [
            pl.Series(column_name(GROUP), groups, dtype=pl.Int64),
            pl.Series(column_name(PLACE), places, dtype=pl.Int64),
        ]
        for i, value in enumerate(self.values):
            name, dtype = column_name(FIRST_ARGUMENT + i), carrier(value.type, wide=value.wide)
            made.append(arguments[i].alias(name) if arguments else pl.Series(name, [], dtype=dtype))
        return pl.DataFrame(made)

    def lowered(self, rows: pl.DataFrame, *, grouped: bool = True) -> Lowered:
        """The aggregate of each group, or with `grouped` off of all rows."""
        from warehouse.execution.relations import lower_relation

        group, place = (ColumnRef(type=BIGINT, id=i) for i in (GROUP, PLACE))
        refs = tuple(
            ColumnRef(type=value.type, id=FIRST_ARGUMENT + i) for i, value in enumerate(self.values)
        )
        known = {
            column_name(group.id): ScannedColumn(BIGINT, nullable=False),
            column_name(place.id): ScannedColumn(BIGINT, nullable=False),
        }
        for ref, value in zip(refs, self.values, strict=True):
            known[column_name(ref.id)] = ScannedColumn(
                value.type, value.range, value.nullable, value.wide
            )
        outputs = (group, place, *refs)
        scan = Scan("frames", outputs, tuple(column_name(ref.id) for ref in outputs))
        aggregate = AggregateCall(
            type=self.call.type, fn=self.call.fn, args=refs, order=(SortKey(place),)
        )
        result = ColumnRef(type=self.call.type, id=RESULT)
        keys = ((group, group),) if grouped else ()
        source = ScannedInput(rows.lazy(), known)
        inside = replace(self.context, inputs={"frames": source}, held={}, ctes={})
        return lower_relation(Aggregate(scan, keys, ((result, aggregate),)), inside)


def _portions(lengths: Integers) -> Iterator[tuple[int, int]]:
    """Ranges of frames of about `PORTION_ROWS` rows together, at least one frame each."""
    upto = running(lengths)
    first = 0
    while first < len(lengths):
        last = int(np.searchsorted(upto, upto[first] + PORTION_ROWS, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _written_out(frames: Frames, first: int, last: int) -> tuple[Integers, Integers]:
    """The number of the frame (from `first`) and the position of each row of each frame."""
    starts = np.stack([start[first:last] for start, _ in frames.spans], axis=1).ravel()
    ends = np.stack([end[first:last] for _, end in frames.spans], axis=1).ravel()
    lengths = ends - starts
    owners = np.repeat(np.arange(last - first, dtype=np.int64), len(frames.spans))
    before = running(lengths)[:-1]
    places = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - before, lengths)
    return np.repeat(owners, lengths), places
