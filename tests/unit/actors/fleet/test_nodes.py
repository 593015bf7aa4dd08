"""Wishes of many holders become one request, which forgets the dead."""

from __future__ import annotations

import math

import pytest

from actors.fleet.nodes import LEASE_MS, REPEAT_MS, NodeWishes, shape_text
from storage.errors import InvalidRequest, Unavailable
from tests.fakes import FakeClock

SMALL = {"CPU": 1.0, "vw": 0.01}
LARGE = {"CPU": 8.0, "vw": 0.01, "memory": 1e10}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def wishes(clock: FakeClock) -> NodeWishes:
    return NodeWishes(now_ms=clock.monotonic_ms())


def test_wishes_of_all_holders_are_added_up(wishes: NodeWishes, clock: FakeClock) -> None:
    wishes.wish("a", [SMALL, LARGE], clock.moved_ms)
    wishes.wish("b", [SMALL], clock.moved_ms)
    assert sorted(wishes.bundles(clock.moved_ms), key=len) == [SMALL, SMALL, LARGE]
    assert wishes.holders(clock.moved_ms) == {"a": 2, "b": 1}


def test_the_request_does_not_depend_on_who_was_first(clock: FakeClock) -> None:
    one, other = NodeWishes(now_ms=0), NodeWishes(now_ms=0)
    one.wish("a", [SMALL, LARGE], 0)
    one.wish("b", [LARGE], 0)
    other.wish("b", [dict(reversed(LARGE.items()))], 0)
    other.wish("a", [LARGE, SMALL], 0)
    assert one.bundles(0) == other.bundles(0)


def test_a_new_wish_replaces_the_old_one(wishes: NodeWishes, clock: FakeClock) -> None:
    wishes.wish("a", [LARGE, LARGE], clock.moved_ms)
    wishes.wish("a", [SMALL], clock.moved_ms)
    assert wishes.bundles(clock.moved_ms) == [SMALL]


def test_an_empty_wish_removes_the_holder(wishes: NodeWishes, clock: FakeClock) -> None:
    wishes.wish("a", [SMALL], clock.moved_ms)
    wishes.wish("a", [], clock.moved_ms)
    assert wishes.bundles(clock.moved_ms) == []
    assert wishes.holders(clock.moved_ms) == {}


def test_a_wish_lapses_unless_it_is_renewed(wishes: NodeWishes, clock: FakeClock) -> None:
    wishes.wish("dead", [LARGE], clock.moved_ms)
    wishes.wish("alive", [SMALL], clock.moved_ms)
    clock.moved_ms += LEASE_MS - 1
    assert len(wishes.bundles(clock.moved_ms)) == 2
    wishes.wish("alive", [SMALL], clock.moved_ms)
    clock.moved_ms += 1
    assert wishes.bundles(clock.moved_ms) == [SMALL]


def test_ray_is_told_only_what_has_changed(wishes: NodeWishes, clock: FakeClock) -> None:
    wishes.wish("a", [SMALL], clock.moved_ms)
    assert wishes.changed(clock.moved_ms)
    wishes.told(wishes.bundles(clock.moved_ms), clock.moved_ms)
    assert not wishes.changed(clock.moved_ms)
    wishes.wish("a", [SMALL], clock.moved_ms)
    assert not wishes.changed(clock.moved_ms)
    wishes.wish("a", [SMALL, SMALL], clock.moved_ms)
    assert wishes.changed(clock.moved_ms)


def test_a_wish_that_lapses_is_a_change(wishes: NodeWishes, clock: FakeClock) -> None:
    wishes.wish("a", [SMALL], clock.moved_ms)
    wishes.told(wishes.bundles(clock.moved_ms), clock.moved_ms)
    clock.moved_ms += LEASE_MS
    assert wishes.changed(clock.moved_ms)
    wishes.told(wishes.bundles(clock.moved_ms), clock.moved_ms)
    assert not wishes.changed(clock.moved_ms)


def test_ray_is_reminded_of_what_is_asked_for_and_not_of_nothing(clock: FakeClock) -> None:
    wishes = NodeWishes(now_ms=0)
    wishes.wish("a", [SMALL], 0, lease_ms=10 * REPEAT_MS)
    wishes.told([SMALL], 0)
    assert not wishes.changed(REPEAT_MS - 1)
    assert wishes.changed(REPEAT_MS)
    wishes.wish("a", [], 0)
    wishes.told([], 0)
    assert not wishes.changed(REPEAT_MS)


def test_who_starts_tells_ray_once_even_that_nothing_is_wanted(wishes: NodeWishes) -> None:
    """What was asked for before is not known to be nothing."""
    assert wishes.changed(0)


def test_what_a_predecessor_asked_for_stands_until_all_had_time_to_renew() -> None:
    wishes = NodeWishes(inherited=[SMALL, SMALL, LARGE], now_ms=0, grace_ms=100)
    wishes.wish("a", [SMALL, SMALL, SMALL], 0)
    assert wishes.bundles(99) == wishes_of(LARGE, SMALL, SMALL, SMALL)
    assert wishes.bundles(100) == wishes_of(SMALL, SMALL, SMALL)


def wishes_of(*bundles: dict[str, float]) -> list[dict[str, float]]:
    one = NodeWishes(now_ms=0)
    one.wish("x", bundles, 0)
    return one.bundles(0)


def test_too_many_bundles_are_refused_and_the_wish_before_stands() -> None:
    wishes = NodeWishes(now_ms=0, bundles_max=3)
    wishes.wish("a", [SMALL], 0)
    wishes.wish("b", [SMALL, SMALL], 0)
    with pytest.raises(Unavailable, match=r"room for 3 workers, which makes 4 .* 3 are possible"):
        wishes.wish("b", [SMALL] * 3, 0)
    assert wishes.holders(0) == {"a": 1, "b": 2}
    wishes.wish("b", [LARGE] * 2, LEASE_MS)  # the wish of a has lapsed and does not count


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, True, "1"])
def test_an_amount_that_is_no_amount_is_refused(amount: float) -> None:
    with pytest.raises(InvalidRequest, match=r"'CPU' is .* expected a number"):
        NodeWishes(now_ms=0).wish("a", [{"CPU": amount}], 0)


def test_amounts_of_zero_are_left_out_and_a_bundle_of_nothing_is_refused() -> None:
    wishes = NodeWishes(now_ms=0)
    wishes.wish("a", [{"CPU": 1, "memory": 0}], 0)
    assert wishes.bundles(0) == [{"CPU": 1.0}]
    with pytest.raises(InvalidRequest, match="needs no node"):
        wishes.wish("a", [{"CPU": 0}], 0)


def test_bundles_are_written_for_people() -> None:
    assert shape_text(SMALL) == "{CPU: 1, vw: 0.01}"
