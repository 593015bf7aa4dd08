"""Which runs to merge: few are left, neighbours only, and little is written again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.primary_key.plan import RUNS_MAX, plan_merges


def merged(sizes: list[int], groups: tuple[range, ...]) -> list[int]:
    """The sizes after these merges."""
    left = []
    at = 0
    for group in groups:
        left += [*sizes[at : group.start], sum(sizes[group.start : group.stop])]
        at = group.stop
    return left + sizes[at:]


@given(st.lists(st.integers(0, 10**9), max_size=200))
def test_plans_are_neighbours_and_leave_few_runs(sizes: list[int]) -> None:
    groups = plan_merges(sizes)
    ends = [0, *(group.stop for group in groups)]
    assert all(g.start >= end and len(g) >= 2 for g, end in zip(groups, ends, strict=False))
    assert ends[-1] <= len(sizes)
    assert len(merged(sizes, groups)) <= RUNS_MAX


def test_few_runs_are_left_alone() -> None:
    assert plan_merges([]) == ()
    assert plan_merges([10]) == ()
    assert plan_merges([10, 10, 10]) == ()
    assert plan_merges([1, 10, 100, 1000, 10**4, 10**5, 10**6, 10**7]) == ()


def test_runs_of_one_size_are_merged_together() -> None:
    assert plan_merges([10] * 77) == (range(77),)
    assert plan_merges([10, 10, 10, 10, 10**6]) == (range(4),)


def test_one_run_too_many_costs_the_cheapest_merge() -> None:
    assert plan_merges([3**n for n in range(9)]) == (range(2),)
    assert plan_merges([9, 1, 2, 10**3, 10**4, 10**5, 10**6, 10**7, 10**8]) == (range(1, 3),)


def test_a_stream_of_equal_runs_is_written_again_a_few_times() -> None:
    sizes: list[int] = []
    written = 0
    for _ in range(1000):
        sizes.insert(0, 1)
        while groups := plan_merges(sizes):
            written += sum(sum(sizes[g.start : g.stop]) for g in groups)
            sizes = merged(sizes, groups)
        assert len(sizes) <= RUNS_MAX
    assert written <= 6 * 1000
