"""Which operators of a query work on the disk.

From the leaves up: what the operators of one pipeline hold at a time is added up. The operator that
makes it more than a comfortable share of the memory works on the disk, and what is below it runs by
itself, before. An operator that cannot be divided runs over inputs that are on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage.spill_space import SpillLimits, SpillSpace
from warehouse.algebra.expressions import Call, conjuncts
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Empty,
    Join,
    Limit,
    Query,
    Recursive,
    Relation,
    SetOperation,
    Sort,
    Window,
)
from warehouse.algebra.walk import nodes
from warehouse.execution.spilling.footprint import sorted_below, state_bytes, width_bytes

__all__ = ["Spill", "chosen", "may_spill", "relations_of"]

COMFORTABLE_SHARE = 0.5  # expectations are no measurements
RESULT_COPIES = 2  # Polars' and Arrow's
RESULT_SHARE_MAX = 0.75


@dataclass(frozen=True, slots=True)
class Spill:
    """Where the rows go, and the operators (by identity) that write there."""

    space: SpillSpace
    operators: frozenset[int]


def relations_of(query: Query) -> Iterator[Relation]:
    """Every relation of a query once, in a fixed order: what is expected of them goes by it."""
    for relation in (query.relation, *(cte.relation for _, cte in sorted(query.ctes.items()))):
        yield from nodes(relation, subqueries=False)


def may_spill(query: Query) -> bool:
    """Whether there is an operator that could work on the disk."""
    roots = (query.relation, *(cte.relation for cte in query.ctes.values()))
    return any(_may_spill(node) for root in roots for node in _outside_recursion(root))


def chosen(query: Query, expected: Sequence[float], space: SpillSpace) -> Spill | None:
    """What works on the disk; None: nothing.

    Args: expected: rows of each of `relations_of`; empty if nothing is known.
    """
    choice = _Choice(query, expected, space.limits)
    operators = frozenset(choice.forced() if space.limits.forced else choice.made())
    return Spill(space, operators) if operators else None


class _Choice:
    def __init__(self, query: Query, expected: Sequence[float], limits: SpillLimits) -> None:
        self._query = query
        self._limits = limits
        found = list(relations_of(query))
        rows = list(expected) if len(expected) == len(found) else [0.0] * len(found)
        self._rows: Mapping[int, float] = {
            id(node): count for node, count in zip(found, rows, strict=True)
        }
        self._operators: set[int] = set()

    def forced(self) -> Iterator[int]:
        for relation in self._roots():
            for node in _outside_recursion(relation):
                if _may_spill(node):
                    yield id(node)

    def made(self) -> set[int]:
        result = RESULT_COPIES * self._count(self._query.relation)
        result *= width_bytes(self._query.outputs)
        memory = self._limits.memory_bytes
        room = COMFORTABLE_SHARE * max(memory - result, memory * (1 - RESULT_SHARE_MAX))
        for relation in self._roots():
            self._held(relation, room)
        return self._operators

    def _roots(self) -> list[Relation]:
        return [self._query.relation, *(cte.relation for cte in self._query.ctes.values())]

    def _count(self, node: Relation) -> float:
        return self._rows.get(id(node), 0.0)

    def _held(self, node: Relation, room: float) -> float:
        """What the pipeline up to this operator holds."""
        if isinstance(node, Recursive):
            return 0.0
        inputs = node.inputs
        if isinstance(node, Limit) and (sort := sorted_below(node)) is not None:
            inputs = sort.inputs
        below = sum(self._held(part, room) for part in inputs)
        own = state_bytes(node, self._count)
        if below + own <= room or not _may_spill(node) or not own:
            return below + own
        self._operators.add(id(node))
        return 0.0 if _divides(node) else own


def _outside_recursion(node: Relation) -> Iterator[Relation]:
    if not isinstance(node, Recursive):
        yield node
        for below in node.inputs:
            yield from _outside_recursion(below)


def _may_spill(node: Relation) -> bool:
    match node:
        case Join(kind="inner", left=Empty()):
            return False
        case Join(lateral=lateral):
            return not lateral
        case SetOperation(kind="union", all=True) | SetOperation(outputs=()):
            return False
        case Distinct():
            return bool(node.columns)
        case Aggregate() | SetOperation() | Sort() | Window():
            return True
        case _:
            return False


def _divides(node: Relation) -> bool:
    """As far as its form tells."""
    match node:
        case Aggregate():
            return bool(node.keys) or node.sets is not None
        case Join():
            return any(
                isinstance(part, Call) and part.fn.startswith(("=", "is not distinct", "not"))
                for part in conjuncts(node.condition)
            )
        case Window():
            return all(call.partition for _, call in node.calls)
        case _:
            return True
