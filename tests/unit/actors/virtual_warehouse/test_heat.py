"""Hot files: what is read often and lately; what a worker that joins is warmed with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.fragments import FileInput
from actors.virtual_warehouse.heat import HALF_LIFE_MS, FileHeat, HotFile, warm_list
from actors.virtual_warehouse.placement import Placement

NOW_MS = 1_790_000_000_000.0  # wall clock, to show that large numbers do no harm


def hot(name: str, size_bytes: int = 10) -> HotFile:
    return HotFile(name=name, checksum=f"sum-{name}", size_bytes=size_bytes)


def names(files: list[HotFile]) -> list[str]:
    return [file.name for file in files]


def test_what_is_read_more_often_is_hotter() -> None:
    heat = FileHeat()
    for file_names in ("abc", "bc", "c"):
        heat.touch([hot(name) for name in file_names], NOW_MS)
    assert names(heat.ranked()) == ["c", "b", "a"]
    assert [round(heat.heat(name, NOW_MS), 6) for name in "abcd"] == [1, 2, 3, 0]


def test_heat_halves_every_half_life() -> None:
    heat = FileHeat()
    for _ in range(8):
        heat.touch([hot("old")], NOW_MS)
    later_ms = NOW_MS + 3 * HALF_LIFE_MS
    assert heat.heat("old", later_ms) == pytest.approx(1.0, rel=1e-6)
    heat.touch([hot("new")], later_ms + 1_000.0)
    assert names(heat.ranked()) == ["new", "old"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e7)), max_size=30))
@settings(max_examples=200)
def test_heat_is_the_sum_of_all_reads_each_faded(reads: list[tuple[str, float]]) -> None:
    """In any order of times, since queries end in any order."""
    heat = FileHeat(half_life_ms=1e6)
    for name, at_ms in reads:
        heat.touch([hot(name)], NOW_MS + at_ms)
    for name in "abc":
        exact = sum(2 ** ((at_ms - 1e7) / 1e6) for read, at_ms in reads if read == name)
        assert math.isclose(heat.heat(name, NOW_MS + 1e7), exact, rel_tol=1e-5, abs_tol=1e-12)


def test_years_without_a_read_do_no_harm() -> None:
    heat = FileHeat()
    heat.touch([hot("a"), hot("b")], NOW_MS)
    heat.touch([hot("b")], NOW_MS + 4e11)
    assert heat.heat("a", NOW_MS + 4e11) == 0.0
    assert heat.heat("b", NOW_MS + 4e11) == pytest.approx(1.0)


def test_hottest_fit_into_the_budget_and_colder_ones_fill_it() -> None:
    heat = FileHeat()
    sizes = {"first": 60, "second": 50, "third": 30, "fourth": 10, "fifth": 1}
    for reads, (name, size_bytes) in enumerate(reversed(sizes.items()), 1):
        for _ in range(reads):
            heat.touch([hot(name, size_bytes)], NOW_MS)
    assert names(heat.hottest(100)) == ["first", "third", "fourth"]
    assert names(heat.hottest(1_000)) == list(sizes)
    assert heat.hottest(0) == []


def test_equally_hot_files_come_smaller_first_then_by_name() -> None:
    heat = FileHeat()
    heat.touch([hot("b", 5), hot("large", 90), hot("a", 5)], NOW_MS)
    assert names(heat.ranked()) == ["a", "b", "large"]


def test_files_come_back_as_a_cache_needs_them() -> None:
    heat = FileHeat()
    read = FileInput(
        file_id=1, name="data/1", checksum="abc", size_bytes=7, row_count=1, stripe_count=1,
        schema_version=1, bitmap=b"kept nowhere",
    )  # fmt: skip
    heat.touch([read], NOW_MS)
    assert heat.hottest(100) == [HotFile(name="data/1", checksum="abc", size_bytes=7)]


def test_files_that_are_gone_are_forgotten() -> None:
    heat = FileHeat()
    heat.touch([hot("a"), hot("b")], NOW_MS)
    heat.forget(["a", "never there"])
    assert names(heat.ranked()) == ["b"]
    assert len(heat) == 1
    assert heat.heat("a", NOW_MS) == 0.0


def test_beyond_its_bound_it_forgets_the_coldest() -> None:
    heat = FileHeat(files_max=80)
    for number in range(80):
        heat.touch([hot(f"{number:03}")], NOW_MS + number)
    assert len(heat) == 80
    heat.touch([hot("000"), hot("new")], NOW_MS + 100)
    assert len(heat) == 70
    left = names(heat.ranked())
    assert {"000", "new", "079"} <= set(left)
    assert left[-1] == "012"  # 001 to 011 have gone


def test_a_query_of_more_files_than_the_bound_leaves_no_more_than_the_bound() -> None:
    heat = FileHeat(files_max=10)
    heat.touch([hot(str(number)) for number in range(1_000)], NOW_MS)
    assert len(heat) <= 10


def test_nothing_known_nothing_hot() -> None:
    assert FileHeat().ranked() == []
    assert warm_list(FileHeat(), Placement(["a"]), "b", 100) == []


def test_a_worker_that_joins_is_warmed_with_the_hottest_files_that_will_be_its_own() -> None:
    heat, placement = FileHeat(), Placement(["a", "b"])
    for number in range(300):
        for _ in range(1 + number % 3):
            heat.touch([hot(f"data/{number}")], NOW_MS)
    after = Placement(["a", "b", "c"])
    own = [file for file in heat.ranked() if after.owner(file.name) == "c"]
    assert warm_list(heat, placement, "c", 10_000) == own
    assert warm_list(heat, placement, "c", 55) == own[:5]
    assert placement.workers == ("a", "b")
    assert warm_list(heat, after, "c", 55) == own[:5]  # it has joined already
    assert 50 < len(own) < 150
