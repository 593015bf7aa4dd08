"""The rows that a window frame holds, as spans of positions in the sorted rows.

A frame is one span of its partition, from which EXCLUDE may cut a hole: at most three spans. Rows
whose frames are equal share one: a frame that is the whole partition is looked at once per
partition, a frame bounded by peers (RANGE, GROUPS) once per group of peers. `Frames.owners` says
which frame each row has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.expressions import Frame, FrameBound
from warehouse.execution.window_layout import Integers, Key, Layout
from warehouse.execution.window_range import Bound, range_bound

__all__ = ["FrameShape", "Frames", "Span", "checked_offset", "frames_of", "shape_of"]

Span = tuple[Integers, Integers]


@dataclass(frozen=True, slots=True)
class FrameShape:
    """A frame clause whose offsets are known."""

    mode: str
    start: Bound
    end: Bound
    exclude: str = ""

    @property
    def whole(self) -> bool:
        """Is the frame of every row all of its partition?"""
        unbounded = self.start.kind == "unbounded preceding"
        return unbounded and self.end.kind == "unbounded following" and not self.exclude

    @property
    def longest(self) -> int | None:
        """The most rows that a frame can hold, where the clause alone bounds it."""
        if self.mode != "rows":
            return None
        ends = [_distance(self.start), _distance(self.end)]
        if ends[0] is None or ends[1] is None:
            return None
        return max(ends[1] - ends[0] + 1, 0)


@dataclass(frozen=True)
class Frames:
    """Spans per frame, in their order; `owners` is the frame of each row, None if it is its own."""

    spans: tuple[Span, ...]
    owners: Integers | None

    @property
    def count(self) -> int:
        return len(self.spans[0][0])

    @property
    def lengths(self) -> Integers:
        """How many rows each frame has."""
        total = self.spans[0][1] - self.spans[0][0]
        for starts, ends in self.spans[1:]:
            total = total + (ends - starts)
        return total

    def per_row(self, values: pl.Series) -> pl.Series:
        """A value of each frame as a value of each row."""
        return values if self.owners is None else values.gather(pl.Series(self.owners))

    def of_rows(self) -> Frames:
        """The same with a frame for every row."""
        if self.owners is None:
            return self
        owners = self.owners
        return Frames(tuple((s[owners], e[owners]) for s, e in self.spans), None)

    def among(self, before: Integers) -> Frames:
        """The frames in the positions of a part of the rows.

        `before[p]` is how many rows of that part come before position p.
        """
        return Frames(tuple((before[s], before[e]) for s, e in self.spans), self.owners)


def checked_offset(mode: str, end: bool, value: Any) -> None:
    """Raises InvalidRequest for NULL, and for a negative number of rows or groups."""
    name = "ending" if end else "starting"
    if value is None:
        raise InvalidRequest(f"frame {name} offset must not be null", "22004")
    if mode != "range" and value < 0:
        raise InvalidRequest(f"frame {name} offset must not be negative", "22013")


def shape_of(frame: Frame, offsets: tuple[Any, Any]) -> FrameShape:
    """The shape of a frame whose bounds have these offsets (None where there is none)."""
    return FrameShape(
        frame.mode,
        _bound(frame.start, offsets[0]),
        _bound(frame.end, offsets[1]),
        frame.exclude,
    )


def _bound(bound: FrameBound, offset: Any) -> Bound:
    return Bound(bound.kind, offset, bound.offset.type if bound.offset else None)


def frames_of(layout: Layout, shape: FrameShape, order: tuple[Key, ...]) -> Frames:
    """The frames of all rows. `order` holds sorted values; RANGE offsets need the only one."""
    if shape.whole:
        spans = (layout.partition_heads, layout.partition_tails)
        return Frames((spans,), layout.partitions)
    starts = _edge(layout, shape, order, False)
    ends = np.maximum(_edge(layout, shape, order, True), starts)
    if shape.exclude:
        return Frames(_without(layout, shape.exclude, starts, ends), None)
    if shape.mode == "rows":
        return Frames(((starts, ends),), None)
    heads = layout.peer_heads
    return Frames(((starts[heads], ends[heads]),), layout.peers)


def _edge(layout: Layout, shape: FrameShape, order: tuple[Key, ...], end: bool) -> Integers:
    """The first position of each frame, or the one after its last."""
    bound = shape.end if end else shape.start
    match bound.kind:
        case "unbounded preceding":
            return layout.starts
        case "unbounded following":
            return layout.ends
        case "current" if shape.mode == "rows":
            return layout.positions + 1 if end else layout.positions
        case "current":
            return (layout.peer_tails if end else layout.peer_heads)[layout.peers]
    match shape.mode:
        case "rows":
            moved = layout.positions + _steps(bound, layout) + int(end)
            return np.clip(moved, layout.starts, layout.ends)
        case "groups":
            return _group_edge(layout, _steps(bound, layout), end)
        case _:
            return range_bound(layout, order[0], bound, end=end)


def _group_edge(layout: Layout, steps: int, end: bool) -> Integers:
    first = layout.peers[layout.starts]
    last = layout.peers[layout.ends - 1]
    target = layout.peers + steps
    inside = np.clip(target, first, last)
    edge = (layout.peer_tails if end else layout.peer_heads)[inside]
    edge = np.where(target < first, layout.starts, edge)
    return np.where(target > last, layout.ends, edge)


def _without(layout: Layout, exclude: str, starts: Integers, ends: Integers) -> tuple[Span, ...]:
    """The spans of the frame on both sides of what is left out, and for TIES the row itself."""
    own = layout.positions
    if exclude == "current row":
        hole = (own, own + 1)
    else:
        hole = (layout.peer_heads[layout.peers], layout.peer_tails[layout.peers])
    before = (starts, np.clip(hole[0], starts, ends))
    after = (np.clip(hole[1], starts, ends), ends)
    if exclude != "ties":
        return (before, after)
    return (before, (np.clip(own, starts, ends), np.clip(own + 1, starts, ends)), after)


def _steps(bound: Bound, layout: Layout) -> int:
    """The offset as a move, at most as far as there are rows."""
    distance = min(int(bound.offset), layout.length + 1)
    return -distance if bound.kind == "preceding" else distance


def _distance(bound: Bound) -> int | None:
    match bound.kind:
        case "current":
            return 0
        case "preceding":
            return -int(bound.offset)
        case "following":
            return int(bound.offset)
    return None
