"""Operators on the disk: what each kind makes of its inputs, its parts, and the order of its rows.

What can be divided works in parts (`parts`); what cannot (a window over all rows, a join without
equalities, groups that are none) has its inputs stored and measured first, and runs in memory if
they fit, or is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from warehouse.algebra.expressions import ColumnRef
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Join,
    Project,
    Relation,
    SetOperation,
    Sort,
    Window,
)
from warehouse.execution.keys import any_of, order_of
from warehouse.execution.lowered import Context, Lowered, column_of
from warehouse.execution.relations import lower_node, lower_relation
from warehouse.execution.spilling.division import division_of
from warehouse.execution.spilling.external_sort import sorted_on_disk
from warehouse.execution.spilling.few_groups import has_few_groups
from warehouse.execution.spilling.footprint import folds
from warehouse.execution.spilling.parts import in_parts, kept, needed_bytes, refused
from warehouse.execution.spilling.rows_on_disk import joined

__all__ = ["lower_on_disk"]


def lower_on_disk(node: Relation, context: Context) -> Lowered:
    """The operator's rows; what has to be computed for them is.

    Raises: faults of rows; OutOfMemory: rows that must be in memory together do not fit (53200), or
        the disk has no room (53100).
    """
    lowering = _LOWERINGS.get(type(node))
    return _simple(node, context) if lowering is None else lowering(node, context)


def _simple(node: Relation, context: Context) -> Lowered:
    return _over(node, [lower_relation(below, context) for below in node.inputs], context)


def _over(node: Relation, inputs: Sequence[Lowered], context: Context) -> Lowered:
    """Over these inputs."""
    division = division_of(node, inputs, context)
    if division is None:
        return _whole(node, inputs, context)
    assert context.spill is not None
    if len(inputs) == 1 and has_few_groups(node, inputs[0], division[0], context.spill.space):
        return _directly(node, inputs, context)
    return in_parts(node, inputs, division, context)


def _whole(node: Relation, inputs: Sequence[Lowered], context: Context) -> Lowered:
    """Over inputs that fit into memory, or refused."""
    assert context.spill is not None
    space = context.spill.space
    measured = [kept(lowered, space) for lowered in inputs]
    rows = tuple(rows for _, rows in measured)
    size = sum(one.size_bytes for one in rows)
    small = isinstance(node, Aggregate) and folds(node)
    if not small and size > space.limits.memory_bytes < needed_bytes(node, rows):
        raise refused(node, size, space)
    return _directly(node, [lowered for lowered, _ in measured], context)


def _directly(node: Relation, inputs: Sequence[Lowered], context: Context) -> Lowered:
    """As without spilling, over inputs that are lowered already."""
    held = {id(below): lowered for below, lowered in zip(node.inputs, inputs, strict=True)}
    return lower_node(node, replace(context, held={**context.held, **held}, spill=None))


# --- kinds ----------------------------------------------------------------------------------------


def _join(node: Join, context: Context) -> Lowered:
    assert context.spill is not None
    if node.lateral:
        return lower_node(node, context)
    left, right = (lower_relation(below, context) for below in node.inputs)
    if node.null_aware:  # its rows may be asked for twice
        right, _ = kept(right, context.spill.space)
    return _over(node, [left, right], context)


def _sort(node: Sort, context: Context) -> Lowered:
    assert context.spill is not None
    below = lower_relation(node.input, context)
    order = order_of(node.keys, below, context)
    return sorted_on_disk(below, order, context.spill.space) if order.by else below


def _distinct(node: Distinct, context: Context) -> Lowered:
    """DISTINCT ON gives its rows in the order that decides which are the first."""
    assert context.spill is not None
    found = _simple(node, context)
    order = order_of(node.order, found, context)
    return sorted_on_disk(found, order, context.spill.space) if order.by else found


def _window(node: Window, context: Context) -> Lowered:
    """Calls with one PARTITION BY after those with another."""
    found = lower_relation(node.input, context)
    below, calls = node.input, list(node.calls)
    while calls:
        partition = calls[0][1].partition
        step = Window(below, tuple(call for call in calls if call[1].partition == partition))
        calls = [call for call in calls if call[1].partition != partition]
        found = _over(step, [found], context)
        below = step
    return Lowered(found.frame, {c.id: found.columns[c.id] for c in node.columns})


def _aggregate(node: Aggregate, context: Context) -> Lowered:
    below = lower_relation(node.input, context)
    if node.sets is not None and len(node.sets) > 1:
        return _grouping_sets(node, below, context)
    first = _distinct_first(node)
    if first is None:
        return _over(node, [below], context)
    outer, rows = first
    inner = replace(context, held={**context.held, id(node.input): below})
    found = _simple(rows, inner)
    return _over(outer, [found], context) if node.keys else _directly(outer, [found], context)


def _grouping_sets(node: Aggregate, below: Lowered, context: Context) -> Lowered:
    """Each set by itself, over rows that are computed once."""
    assert context.spill is not None
    assert node.sets is not None
    space = context.spill.space
    shared, _ = kept(below, space)
    results = []
    for positions in node.sets:
        part = msgspec.structs.replace(node, sets=(positions,))
        results.append(kept(_over(part, [shared], context), space))
    whole = joined(results[0][1].schema, [rows for _, rows in results])
    columns = {
        key: column_of(key, any_of([lowered.columns[key] for lowered, _ in results]))
        for key in results[0][0].columns
    }
    return Lowered(whole.frame(), columns)


def _distinct_first(node: Aggregate) -> tuple[Aggregate, Distinct] | None:
    """Aggregates of the distinct values of one argument, as aggregates over distinct rows.

    So neither a large group nor rows that are no groups are in memory.
    """
    calls = [call for _, call in node.calls]
    args = {call.args for call in calls}
    plain = all(c.distinct and c.filter is None and not (c.order or c.within) for c in calls)
    if not plain or len(args) != 1 or len(calls[0].args) != 1 or node.sets is not None:
        return None
    (arg,) = calls[0].args
    column = ColumnRef(type=arg.type, id=-1)  # no column of a statement has such an id
    rows = Distinct(Project(node.input, (*node.keys, (column, arg))))
    changed = tuple(
        (output, msgspec.structs.replace(call, args=(column,), distinct=False))
        for output, call in node.calls
    )
    keys = tuple((key, key) for key, _ in node.keys)
    return Aggregate(rows, keys, changed), rows


_LOWERINGS: dict[type[Relation], Callable[[Any, Context], Lowered]] = {
    Aggregate: _aggregate,
    Distinct: _distinct,
    Join: _join,
    SetOperation: _simple,
    Sort: _sort,
    Window: _window,
}
