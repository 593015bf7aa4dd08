"""Where files are in an order, beside counting one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from storage.overlap import Extents, extents
from storage.snapshot.changes import ClusterBy
from tests.unit.storage.test_compaction_plan import LEXICAL, table_of


def overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """More than touching: some row of one may lie between two rows of the other."""
    if a == b:
        return a[0] < a[1]
    return max(a[0], b[0]) < min(a[1], b[1]) or any(
        x[0] == x[1] and y[0] < x[0] < y[1] for x, y in ((a, b), (b, a))
    )


@pytest.mark.parametrize("seed", range(20))
def test_depths_and_heaps_and_what_overlaps(seed: int) -> None:
    rng = random.Random(f"overlap {seed}")
    ends = [tuple(sorted(rng.choices(range(12), k=2))) for _ in range(rng.randrange(1, 9))]
    found = Extents(np.array([a for a, _ in ends]), np.array([b for _, b in ends]))
    edges, depths = found.depths()
    for left, right, depth in zip(edges, edges[1:], depths, strict=False):
        middle = (left + right) / 2
        assert depth == sum(a < middle < b for a, b in ends)
    for a, b in ends:
        if a < b:
            assert found.overlapping(a, b).tolist() == [overlap((a, b), end) for end in ends]
    heaps = [set(heap.tolist()) for heap in found.heaps()]
    of = {i: number for number, heap in enumerate(heaps) for i in heap}
    assert sum(len(heap) for heap in heaps) == len(of)
    for i, one in enumerate(ends):
        for j, other in enumerate(ends):
            if i != j and one[0] < one[1] and other[0] < other[1] and overlap(one, other):
                assert of[i] == of[j]


def test_files_of_another_order_are_everywhere_and_order_counts() -> None:
    files = [(1, [5, 9], 0), (2, [9, 12], 0)]
    known = extents(table_of(files).files, LEXICAL)
    assert (known.first.tolist(), known.last.tolist()) == ([1, 2], [2, 3])
    for order in (None, ClusterBy(column_ids=(2,)), ClusterBy(column_ids=(1, 2), order="zorder")):
        unknown = extents(table_of(files).files, order)
        assert set(unknown.first.tolist()) == {0}
        assert len(set(unknown.last.tolist())) == 1
