"""An operator worked on part by part: its inputs divided on disk, each part run by itself.

1. Every input is computed once and divided by the hash of its keys (`division`).
2. Parts, several at a time as long as memory has room for them, become the inputs of the operator,
   which is lowered and run over them as ever. Its rows are stored as well.
3. A part that memory has no room for is divided again by another hash. If that does not help, most
   of its rows have one key. A join then takes one side in blocks; an aggregate that folds its rows
   into a small state, DISTINCT and set operations, which then hold few rows, run as they are; what
   would have to hold all of those rows is refused.

Sizes are those of the rows that were written, not expectations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from storage.errors import OutOfMemory
from storage.spill_space import SpillSpace
from warehouse.algebra.relations import Aggregate, Distinct, Join, Relation, SetOperation, Window
from warehouse.execution.lowered import Context, Lowered
from warehouse.execution.relations import lower_node
from warehouse.execution.spilling.division import PART, Division, part_of
from warehouse.execution.spilling.footprint import (
    BOTH_SIDES,
    WINDOWED,
    folds,
    hashed_bytes,
    width_bytes,
)
from warehouse.execution.spilling.rows_on_disk import StoredRows, divided, joined, stored

__all__ = ["in_parts", "kept", "needed_bytes", "refused"]

DEPTH_MAX = 4
TOGETHER_SHARE = 0.6
BLOCK_SHARE = 0.125
HELPED_SHARE = 0.9  # a division helped if no part has more of the rows

Inputs = tuple[StoredRows, ...]


def needed_bytes(node: Relation, inputs: Inputs) -> float:
    """What the operator holds at most while it runs over these rows."""
    hashed = [hashed_bytes(rows.row_count, rows.row_bytes) for rows in inputs]
    size = sum(rows.size_bytes for rows in inputs)
    match node:
        case Join(kind="inner" | "semi"):
            return min(hashed)
        case Join():
            return BOTH_SIDES * size
        case Window():
            return WINDOWED * size
        case Aggregate() if folds(node):  # a group's state is wider than its key
            (rows,) = inputs
            state = width_bytes(column for column, _ in node.calls)
            return hashed_bytes(rows.row_count, rows.row_bytes + state)
        case _:
            return sum(hashed)


def in_parts(
    node: Relation, inputs: Sequence[Lowered], division: Division, context: Context
) -> Lowered:
    """The operator's rows, stored. Args: context: its `spill` is where."""
    assert context.spill is not None
    space = context.spill.space
    everywhere = tuple(side.everywhere for side in division)
    work = _Work(node, tuple(inputs), division, context, space, everywhere)
    work.divide([lowered.frame for lowered in inputs], 0)
    return work.result()


def kept(lowered: Lowered, space: SpillSpace) -> tuple[Lowered, StoredRows]:
    """The relation, with its rows on disk."""
    rows = stored(lowered.frame, space)
    return Lowered(rows.frame(), lowered.columns), rows


def refused(node: Relation, size_bytes: float, space: SpillSpace) -> OutOfMemory:
    """The error for rows that have to be in memory together."""
    return OutOfMemory(
        f"{_NAMES.get(type(node), type(node).__name__)} has to hold {size_bytes:,.0f} bytes of "
        f"rows at once, and the query may hold {space.limits.memory_bytes:,} bytes; use a virtual "
        "warehouse whose workers have more memory, or read less"
    )


_NAMES: Mapping[type[Relation], str] = {
    Aggregate: "a group of GROUP BY",
    Join: "a join",
    Window: "a partition of a window function",
}


@dataclass(slots=True)
class _Work:
    """What is known of the operator, and the results so far."""

    node: Relation
    inputs: tuple[Lowered, ...]
    division: Division
    context: Context
    space: SpillSpace
    everywhere: tuple[pl.LazyFrame | None, ...]
    results: list[StoredRows] = field(default_factory=list)
    lowered: Lowered | None = None

    def result(self) -> Lowered:
        """All rows. Without any input there is a result without rows."""
        if self.lowered is None:
            self.run(tuple(_nothing(lowered) for lowered in self.inputs))
        assert self.lowered is not None
        rows = joined(self.results[0].schema, self.results)
        return Lowered(rows.frame(), self.lowered.columns)

    def divide(self, frames: Sequence[pl.LazyFrame], depth: int) -> None:
        """Divide the inputs and work on all parts."""
        count = self.space.limits.partitions
        parts = [
            divided(part_of(side, frame, count, depth), pl.col(PART), self.space)
            for side, frame in zip(self.division, frames, strict=True)
        ]
        for group in self.groups(parts):
            self.work(group, depth)

    def groups(self, parts: Sequence[Mapping[int, StoredRows]]) -> Iterator[Inputs]:
        """Parts that are worked on together."""
        limits = self.space.limits
        together = limits.together_bytes
        if together is None:
            together = int(limits.memory_bytes * TOGETHER_SHARE)
        held: list[Inputs] = []
        for number in sorted(set().union(*parts)):
            found = tuple(
                part.get(number, StoredRows(_schema(lowered), ()))
                for part, lowered in zip(parts, self.inputs, strict=True)
            )
            if held and needed_bytes(self.node, _together([*held, found])) > together:
                yield _together(held)
                held = []
            held.append(found)
        if held:
            yield _together(held)

    def work(self, inputs: Inputs, depth: int) -> None:
        """Run over one part, or divide it again."""
        if needed_bytes(self.node, inputs) <= self.space.limits.memory_bytes:
            self.run(inputs)
        elif depth < DEPTH_MAX and not self.is_one_key(inputs):
            self.divide([rows.frame() for rows in inputs], depth + 1)
        else:
            self.run_undivided(inputs)
        for rows in inputs:
            rows.remove()

    def is_one_key(self, inputs: Inputs) -> bool:
        """Would another hash leave most of the rows together? Asked of the largest input."""
        sides = zip(inputs, self.division, strict=True)
        rows, side = max(sides, key=lambda found: found[0].size_bytes)
        again = part_of(side, rows.frame(), self.space.limits.partitions, seed=DEPTH_MAX + 1)
        counts = again.group_by(PART).agg(pl.len()).collect(engine="streaming")["len"]
        return bool(counts.max() > HELPED_SHARE * counts.sum())  # type: ignore[operator]

    def run_undivided(self, inputs: Inputs) -> None:
        """Over rows that are of one key."""
        memory = self.space.limits.memory_bytes
        size = sum(rows.size_bytes for rows in inputs)
        match self.node:
            case Join():
                for block in _blocks(self.node, inputs, int(memory * BLOCK_SHARE)):
                    if needed_bytes(self.node, block) > memory:
                        raise refused(self.node, size, self.space)
                    self.run(block)
            case Distinct(keys=()) | SetOperation():
                self.run(inputs)
            case Aggregate() if folds(self.node):
                self.run(inputs)
            case _ if size > memory:
                raise refused(self.node, size, self.space)
            case _:
                self.run(inputs)

    def run(self, inputs: Inputs) -> None:
        """The operator over these rows."""
        held = {}
        every = zip(self.node.inputs, inputs, self.inputs, self.everywhere, strict=True)
        for node, rows, lowered, more in every:
            frame = rows.frame() if more is None else pl.concat([rows.frame(), more])
            held[id(node)] = Lowered(frame, lowered.columns)
        inner = replace(self.context, held={**self.context.held, **held}, spill=None)
        self.lowered = lower_node(self.node, inner)
        self.results.append(stored(self.lowered.frame, self.space))


def _blocks(node: Join, inputs: Inputs, size_bytes: int) -> Iterator[Inputs]:
    """Pieces of the sides that may meet each other by themselves."""
    left, right = inputs
    match node.kind:
        case "inner":
            for one in left.blocks(size_bytes):
                for other in right.blocks(size_bytes):
                    yield one, other
        case "right":
            for other in right.blocks(size_bytes):
                yield left, other
        case "full":
            yield inputs
        case _:
            for one in left.blocks(size_bytes):
                yield one, right


def _together(several: Sequence[Inputs]) -> Inputs:
    sides = zip(*several, strict=True)
    return tuple(joined(side[0].schema, side) for side in sides)


def _nothing(lowered: Lowered) -> StoredRows:
    return StoredRows(_schema(lowered), ())


def _schema(lowered: Lowered) -> pl.Schema:
    return lowered.frame.collect_schema()
