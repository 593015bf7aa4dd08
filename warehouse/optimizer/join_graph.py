"""Which order of inner joins makes the smallest intermediate results.

The graph: relations, and classes of columns that the query says are equal (transitively: a = b and
b = c put all three into one class, so that a may join c first).

1. The expected rows of a set of relations are the product of their rows and of one selectivity for
   each relation added, from the smaller number of distinct values of each pair of joined columns.
   A set's estimate does not depend on the order that leads to it.
2. The cost of an order is the sum of the rows of its intermediate results (C_out: Cluet and
   Moerkotte, 1995). Up to `EXACT_MAX` relations the best left-deep order is found exactly, by
   dynamic programming over connected sets (Selinger et al., 1979); above, greedily.
3. Sets without an equality between them are ordered each for itself, the largest set first.

Of equally good orders the one nearest to the text wins, so that a plan does not change by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from warehouse.optimizer.cardinality import Estimate, common_values

__all__ = ["EXACT_MAX", "JoinGraph", "JoinKey"]

EXACT_MAX = 10

ClassColumns = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class JoinKey:
    """Column ids of one class: those of the relation that joins, and one joined before."""

    right: tuple[int, ...]
    left_relation: int
    left: int


class JoinGraph:
    """Estimates by position in the text; `classes`: the equal columns by relation."""

    def __init__(self, relations: Sequence[Estimate], classes: Sequence[ClassColumns]) -> None:
        self._relations = relations
        self._classes = classes
        self._neighbours = [0] * len(relations)
        for members in classes:
            mask = sum(1 << i for i in members)
            for i in members:
                self._neighbours[i] |= mask & ~(1 << i)
        by_size = sorted(range(len(relations)), key=lambda i: (-relations[i].rows_total, i))
        self._rank = {relation: rank for rank, relation in enumerate(by_size)}
        self._rows: dict[int, float] = {}
        self._order: list[int] = []
        self.all = (1 << len(relations)) - 1

    # --- the graph --------------------------------------------------------------------------------

    def components(self) -> list[list[int]]:
        """The connected sets, each in the order of the text; larger sets first."""
        left, found = set(range(len(self._relations))), []
        while left:
            mask = reached = 1 << min(left)
            while reached:
                reached = self._around(mask)
                mask |= reached
            members = list(_members(mask))
            left -= set(members)
            found.append(members)
        return sorted(found, key=lambda members: (-len(members), members))

    def keys(self, right: int, left: int) -> list[JoinKey]:
        """By which columns `right` joins the relations of the mask `left`.

        One key per class, from as few relations of `left` as possible: keys of several columns stay
        together.
        """
        shared = [c for c in self._classes if right in c and any(left >> i & 1 for i in c)]
        found: list[JoinKey] = []
        while shared:
            sources = sorted({i for members in shared for i in members if left >> i & 1})
            best = max(sources, key=lambda i: sum(i in members for members in shared))
            found += [JoinKey(c[right], best, c[best][0]) for c in shared if best in c]
            shared = [c for c in shared if best not in c]
        return found

    def _around(self, mask: int) -> int:
        around = 0
        for i in _members(mask):
            around |= self._neighbours[i]
        return around & ~mask

    # --- estimates --------------------------------------------------------------------------------

    def rows(self, mask: int) -> float:
        """Expected rows of the join of a set of relations."""
        if not mask:
            return 1.0
        found = self._rows.get(mask)
        if found is None:
            last = max(_members(mask), key=lambda i: self._rank[i])
            rest = mask & ~(1 << last)
            found = self.rows(rest) * self._relations[last].rows * self._selectivity(last, rest)
            self._rows[mask] = found
        return found

    def _selectivity(self, right: int, left: int) -> float:
        combinations: dict[int, float] = {}
        share, rows_total = 1.0, self._relations[right].rows_total
        for key in self.keys(right, left):
            count, overlap = common_values(
                self._relations[right],
                key.right[0],
                self._relations[key.left_relation],
                key.left,
            )
            before = combinations.get(key.left_relation, 1.0)
            combinations[key.left_relation] = before * count
            share *= overlap
        for relation, count in combinations.items():
            share /= max(1.0, min(count, rows_total, self._relations[relation].rows_total))
        return share

    def cost(self, order: Iterable[int]) -> float:
        """The sum of the rows of all intermediate results."""
        mask, total = 0, 0.0
        for i in order:
            joined = mask | 1 << i
            total += max(1.0, self.rows(joined)) if mask else 0.0
            mask = joined
        return total

    # --- orders -----------------------------------------------------------------------------------

    def order(self) -> list[int]:
        """All relations, each joined to those before it; of equal costs the text's own order."""
        if not self._order:
            for members in self.components():
                exact = len(members) <= EXACT_MAX
                self._order += self._exact(members) if exact else self._greedy(members)
        return list(self._order)

    def _exact(self, members: list[int]) -> list[int]:
        best: dict[int, tuple[float, tuple[int, ...]]] = {1 << i: (0.0, (i,)) for i in members}
        for _ in range(len(members) - 1):
            longer: dict[int, tuple[float, tuple[int, ...]]] = {}
            for mask, (cost, order) in best.items():
                for i in _members(self._around(mask)):
                    joined = mask | 1 << i
                    candidate = (cost + max(1.0, self.rows(joined)), (*order, i))
                    if joined not in longer or candidate < longer[joined]:
                        longer[joined] = candidate
            best = longer
        ((_, order),) = best.values()
        return list(order)

    def _greedy(self, members: list[int]) -> list[int]:
        pairs = [(i, j) for i in members for j in _members(self._neighbours[i]) if i < j]
        first = min(pairs, key=lambda pair: (self.rows(1 << pair[0] | 1 << pair[1]), pair))
        order = list(first)
        mask = sum(1 << i for i in order)
        while around := self._around(mask):
            following = min(_members(around), key=lambda i: (self.rows(mask | 1 << i), i))
            order.append(following)
            mask |= 1 << following
        return order


def _members(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
