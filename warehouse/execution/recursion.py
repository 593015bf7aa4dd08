"""WITH RECURSIVE: rounds that are computed one after the other, while the plan is built.

1. The base is computed. Its carriers are those that the types alone decide, because what a round
   proves of its values does not hold in the next one.
2. Whatever in the step does not refer to the working table is computed once and held.
3. The step runs over the rows of the round before, until a round adds none. With UNION, rows that
   any earlier round had are dropped.

A LIMIT right above ends the rounds when it has its rows; nothing else bounds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from warehouse.algebra.expressions import ColumnRef
from warehouse.algebra.relations import Recursive, Relation, WorkingTable
from warehouse.execution.lowered import Context, Lowered, collected, materialised, narrowed
from warehouse.execution.ranges import type_range
from warehouse.execution.relations import lower_relation
from warehouse.execution.scaled import canonical
from warehouse.execution.sets import distinct_rows, matched
from warehouse.execution.value import Value

__all__ = ["first_rows", "lower_recursive"]


def first_rows(node: Recursive, context: Context, rows: int) -> Context:
    """A context in which the recursion may stop when it has so many rows."""
    return replace(context, wanted={**context.wanted, node.id: rows})


def lower_recursive(node: Recursive, context: Context) -> Lowered:
    """All rows of all rounds, in memory."""
    rows = _computed(_shaped(node.base, node.outputs, context), distinct=node.distinct)
    columns = rows.columns
    held = {id(part): _held(part, context) for part in _invariant(node.step, node.id)}
    inner = replace(context, held={**context.held, **held})
    found = [_frame(rows)]
    seen = found[0]
    enough = context.wanted.get(node.id)
    while found[-1].height and (enough is None or sum(f.height for f in found) < enough):
        last = Lowered(found[-1].lazy(), columns)
        running = replace(inner, working={**context.working, node.id: last})
        step = _shaped(node.step, node.outputs, running)
        if node.distinct:
            step = _new(step, seen)
        found.append(_frame(_computed(step, distinct=node.distinct)))
        if node.distinct:
            seen = pl.concat([seen, found[-1]])
    return Lowered(pl.concat(found).lazy(), columns)


def _shaped(node: Relation, outputs: tuple[ColumnRef, ...], context: Context) -> Lowered:
    """The relation under the names of the recursion, with its carriers."""
    lowered = lower_relation(node, context)
    items = {}
    for output, source in zip(outputs, node.columns, strict=True):
        value = canonical(lowered.columns[source.id])
        items[output.id] = _unproven(replace(value, type=output.type))
    return materialised(lowered.frame, items)


def _unproven(value: Value) -> Value:
    """With what the type alone says of the values."""
    bounds = None if value.wide else type_range(value.type)
    return replace(value, range=bounds, nullable=True)


def _computed(lowered: Lowered, *, distinct: bool) -> Lowered:
    rows = distinct_rows(lowered) if distinct else lowered
    return Lowered(collected(rows.frame).lazy(), lowered.columns)


def _frame(lowered: Lowered) -> pl.DataFrame:
    return lowered.frame.collect()


def _new(step: Lowered, seen: pl.DataFrame) -> Lowered:
    if not step.columns:
        return Lowered(step.frame.head(0) if seen.height else step.frame, step.columns)
    kept = matched(step.frame, seen.lazy(), list(step.columns.values()), "anti")
    return narrowed(kept, step.columns)


# --- what the rounds share ------------------------------------------------------------------------


def _invariant(node: Relation, recursion: int) -> Iterator[Relation]:
    """The largest parts of a step that do not refer to the working table."""
    if not _refers(node, recursion):
        yield node
        return
    for part in node.inputs:
        yield from _invariant(part, recursion)


def _refers(node: Relation, recursion: int) -> bool:
    if isinstance(node, WorkingTable) and node.id == recursion:
        return True
    return any(_refers(part, recursion) for part in node.inputs)


def _held(node: Relation, context: Context) -> Lowered:
    return _computed(lower_relation(node, context), distinct=False)
