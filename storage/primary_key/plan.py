"""Which runs of an index to merge, so that few are probed and few entries are written again.

Runs are like the digits of a number: many small ones become one larger one, and large ones are
merged rarely. From the newest on, a run joins the ones before it while it is not larger than
`SIZE_RATIO` times all of them together; as soon as `RUNS_MIN` have joined, they are worth a merge.
An entry so takes part in about log(n) / log(RUNS_MIN) merges. If more than `RUNS_MAX` runs would be
left all the same, the neighbours whose merge costs least are merged.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["RUNS_MAX", "plan_merges"]

RUNS_MAX = 8
RUNS_MIN = 4
SIZE_RATIO = 1


def plan_merges(sizes: Sequence[int]) -> tuple[range, ...]:
    """The merges that are due.

    Args:
        sizes: entries of each run, newest first.
    Returns:
        positions of neighbouring runs to be made one, ranges of at least 2 that do not overlap;
        none while all is well. After all of them, at most `RUNS_MAX` runs are left.
    """
    due = _similar(sizes)
    left = len(sizes) - sum(len(group) - 1 for group in due)
    if left <= RUNS_MAX:
        return due
    return (_cheapest(sizes, len(sizes) - RUNS_MAX + 1),)


def _similar(sizes: Sequence[int]) -> tuple[range, ...]:
    """Neighbours of similar sizes, `RUNS_MIN` or more."""
    groups: list[range] = []
    start = 0
    while start < len(sizes):
        end, total = start + 1, sizes[start]
        while end < len(sizes) and sizes[end] <= total * SIZE_RATIO:
            total += sizes[end]
            end += 1
        if end - start >= RUNS_MIN:
            groups.append(range(start, end))
            start = end
        else:
            start += 1
    return tuple(groups)


def _cheapest(sizes: Sequence[int], count: int) -> range:
    """So many neighbours with the least entries together."""
    starts = range(len(sizes) - count + 1)
    best = min(starts, key=lambda start: sum(sizes[start : start + count]))
    return range(best, best + count)
