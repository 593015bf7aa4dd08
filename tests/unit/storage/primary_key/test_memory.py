"""Entries in memory: the newest wins, tiers stay few, and older values stay as they were."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, locations_in
from storage.primary_key.memory import TIERS_MAX, Memory
from tests.unit.storage.primary_key.entries_of import HIGH, LOW, Pair, keys_of_pairs, looked_up

PAIR = st.tuples(st.sampled_from(HIGH), st.sampled_from(LOW))


def found_in(memory: Memory, keys: Keys) -> list[int]:
    """The newest location of each key."""
    found = np.full(len(keys), MISSING)
    for tier in memory.tiers:
        found = np.where(found == MISSING, tier.find(keys), found)
    return [int(location) for location in found]


@given(st.lists(st.lists(PAIR, max_size=20), max_size=8), st.booleans())
def test_the_newest_location_of_a_key_is_found(batches: list[list[Pair]], exact: bool) -> None:
    memory, expected = Memory(), dict[Pair, int]()
    for file_id, batch in enumerate(batches, 1):
        pairs = [(high, 0 if exact else low) for high, low in batch]
        locations = locations_in(file_id, np.arange(len(pairs)))
        memory = memory.added(keys_of_pairs(pairs, exact), locations)
        expected |= dict(zip(pairs, locations.tolist(), strict=True))
    wanted = [(high, low) for high in HIGH for low in ([0] if exact else LOW)]
    assert found_in(memory, keys_of_pairs(wanted, exact)) == looked_up(expected, wanted)


def test_many_batches_stay_in_few_sorted_tiers() -> None:
    random = np.random.default_rng(1)
    high = random.integers(0, 2**64 - 1, (200, 300), np.uint64, True)
    memory = Memory()
    for number, batch in enumerate(high):
        memory = memory.added(
            Keys(batch[: 1 + number * 7 % 300]),
            locations_in(number, np.arange(1 + number * 7 % 300)),
        )
        assert len(memory.tiers) <= TIERS_MAX
        assert [len(t) for t in memory.tiers] == sorted(len(t) for t in memory.tiers)
    for tier in memory.tiers:
        keys = tier.keys().high
        assert (keys[1:] > keys[:-1]).all()
        assert tier.find(tier.keys()).tolist() == tier.rows[:, -1].tolist()
    for number, batch in enumerate(high):
        count = 1 + number * 7 % 300
        expected = locations_in(number, np.arange(count))
        assert found_in(memory, Keys(batch[:count])) == expected.tolist()


def test_the_same_keys_again_take_no_more_room() -> None:
    keys = Keys(np.arange(1000, dtype=np.uint64) << np.uint64(54))
    memory = Memory()
    for file_id in range(20):
        memory = memory.added(keys, locations_in(file_id, np.arange(1000)))
    assert len(memory) == 1000
    assert found_in(memory, keys) == locations_in(19, np.arange(1000)).tolist()


def test_entries_of_files_that_are_gone_are_left_out() -> None:
    first, second = Keys(np.array([1, 2], np.uint64)), Keys(np.array([2, 3], np.uint64))
    memory = Memory().added(first, locations_in(1, np.arange(2)))
    memory = memory.added(second, locations_in(2, np.arange(2)))
    assert memory.only(LiveIds.of([1, 2])) is not memory
    kept = memory.only(LiveIds.of([2]))
    asked = Keys(np.array([1, 2, 3], np.uint64))
    assert found_in(kept, asked) == [int(MISSING), 2 << 21, (2 << 21) + 1]
    assert len(kept) == 2
    assert found_in(memory, asked)[0] == 1 << 21
    assert memory.only(LiveIds.of([])).tiers == ()


def test_nothing_added_is_nothing_changed() -> None:
    memory = Memory()
    assert memory.added(Keys(np.empty(0, np.uint64)), np.empty(0, np.uint64)) is memory
