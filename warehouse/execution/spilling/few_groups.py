"""Whether rows fall into few groups, asked of the first rows, where statistics do not say.

A GROUP BY of a text may give four groups or a million. If rows have been computed already, or come
straight from a scan, the first of them are soon there, and tell most of it.
"""

from __future__ import annotations

from storage.spill_space import SpillSpace
from warehouse.algebra.relations import Aggregate, Distinct, Filter, Project, Relation, Scan
from warehouse.execution.lowered import Lowered
from warehouse.execution.spilling.division import Side
from warehouse.execution.spilling.footprint import folds, hashed_bytes, width_bytes

__all__ = ["has_few_groups"]

FIRST_ROWS = 200_000
GROWTH_MAX = 1.1  # of the groups, by the second half of the rows, if most of them are known
MARGIN = 4.0
ROOM_SHARE = 0.25


def has_few_groups(node: Relation, below: Lowered, side: Side, space: SpillSpace) -> bool:
    """Is the operator's state small, as far as the first rows tell?

    If they are not like the others, the query may run out of memory, but it gives no wrong answer.
    Args: below, side: the operator's input, and its keys.
    """
    if space.limits.forced or not (_is_quick(node) and _is_grouping(node)):
        return False
    keys = [key.alias(f"k{i}") for i, key in enumerate(side.keys)]
    first = below.frame.head(FIRST_ROWS).select(keys).collect(engine="streaming")
    half = first.head(first.height // 2).n_unique()
    groups = first.n_unique()
    if groups > max(half, 1) * GROWTH_MAX:
        return False
    room = space.limits.memory_bytes * ROOM_SHARE
    return hashed_bytes(MARGIN * groups, width_bytes(node.columns)) < room


def _is_grouping(node: Relation) -> bool:
    return isinstance(node, Distinct) or (isinstance(node, Aggregate) and folds(node))


def _is_quick(node: Relation) -> bool:
    """Do the first rows of its input come at once?"""
    (below,) = node.inputs
    while isinstance(below, Filter | Project):
        below = below.input
    return isinstance(below, Scan)
