"""Entries in memory: the newest wins, tiers stay few, and older values stay as they were."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, locations_in
from storage.primary_key.memory import PARTS_MAX, TIERS_MAX, Memory, Tier
from tests.unit.storage.primary_key.entries_of import HIGH, LOW, Pair, keys_of_pairs, looked_up

PAIR = st.tuples(st.sampled_from(HIGH), st.sampled_from(LOW))


def found_in(memory: Memory, keys: Keys) -> list[int]:
    """The newest location of each key."""
    return [int(location) for location in memory.find(keys)]


def settled(memory: Memory) -> Memory:
    for tier in memory.unsettled():
        tier.settle()
    return memory


@given(st.lists(st.tuples(st.lists(PAIR, max_size=20), st.booleans()), max_size=12), st.booleans())
def test_the_newest_location_of_a_key_is_found(
    batches: list[tuple[list[Pair], bool]], exact: bool
) -> None:
    """Whether the owner settles in time or not."""
    memory, expected = Memory(), dict[Pair, int]()
    for file_id, (batch, settles) in enumerate(batches, 1):
        pairs = [(high, 0 if exact else low) for high, low in batch]
        locations = locations_in(file_id, np.arange(len(pairs)))
        memory = memory.added(keys_of_pairs(pairs, exact), locations)
        if settles:
            settled(memory)
        expected |= dict(zip(pairs, locations.tolist(), strict=True))
    wanted = [(high, low) for high in HIGH for low in ([0] if exact else LOW)]
    for _ in range(2):
        assert found_in(memory, keys_of_pairs(wanted, exact)) == looked_up(expected, wanted)
        settled(memory)


@pytest.mark.parametrize("every", [1, 3, 1_000])
def test_many_batches_stay_in_few_sorted_arrays(every: int) -> None:
    """Settled after every batch, after some, or never: then it is done by the way."""
    random = np.random.default_rng(1)
    high = random.integers(0, 2**64 - 1, (200, 300), np.uint64, True)
    memory = Memory()
    for number, batch in enumerate(high):
        memory = memory.added(
            Keys(batch[: 1 + number * 7 % 300]),
            locations_in(number, np.arange(1 + number * 7 % 300)),
        )
        assert len(memory.tiers) <= TIERS_MAX
        assert all(len(tier.parts) <= PARTS_MAX for tier in memory.tiers)
        assert [t.size for t in memory.tiers] == sorted(t.size for t in memory.tiers)
        if number % every == 0:
            settled(memory)
            assert all(len(tier.parts) == 1 for tier in memory.tiers)
    for part in memory.parts:
        keys = part.keys().high
        assert (keys[1:] > keys[:-1]).all()
        assert part.find(part.keys()).tolist() == part.rows[:, -1].tolist()
    for number, batch in enumerate(high):
        count = 1 + number * 7 % 300
        expected = locations_in(number, np.arange(count))
        assert found_in(memory, Keys(batch[:count])) == expected.tolist()


def test_settling_changes_nothing_that_older_values_find() -> None:
    keys = [Keys(np.array([n, 100], np.uint64)) for n in range(3)]
    values = [Memory()]
    for file_id, batch in enumerate(keys):
        values.append(values[-1].added(batch, locations_in(file_id, np.arange(2))))
    asked = Keys(np.array([0, 1, 2, 100], np.uint64))
    before = [found_in(value, asked) for value in values]
    assert before[3] == [0, 1 << 21, 2 << 21, (2 << 21) + 1]
    (tier,) = values[-1].unsettled()
    assert len(tier.parts) == 3
    tier.settle()
    assert tier.is_settled
    assert len(tier.parts) == 1
    assert tier.size == 6  # as before: what is decided by it does not hang on threads
    assert [found_in(value, asked) for value in values] == before


def test_another_thread_may_be_done_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever one looks at the halves, the other one has just settled and dropped them."""
    keys = Keys(np.array([1, 2], np.uint64))
    memory = Memory().added(keys, locations_in(1, np.arange(2)))
    memory = memory.added(keys, locations_in(2, np.arange(2)))
    (tier,) = memory.unsettled()
    slot = Tier.__dict__["_halves"]
    met: list[Tier] = []

    def halves(self: Tier) -> object:
        if self is tier and not met:
            met.append(self)
            self.settle()
        return slot.__get__(self)

    monkeypatch.setattr(Tier, "_halves", property(halves, slot.__set__))
    assert len(tier.settle()) == 2
    assert met == [tier]
    assert len(tier.parts) == 1


def test_a_tier_may_be_read_and_settled_by_many_threads() -> None:
    random = np.random.default_rng(2)
    for _ in range(50):
        memory, batches = Memory(), random.permutation(4_000).reshape(4, 1_000)
        for file_id, batch in enumerate(batches):
            words = batch.astype(np.uint64) << np.uint64(50)
            memory = memory.added(Keys(words), locations_in(file_id, np.arange(1_000)))
        tiers = list(memory.unsettled())
        assert tiers
        asked = Keys(batches.astype(np.uint64).reshape(-1) << np.uint64(50))
        expected = [f << 21 | row for f in range(4) for row in range(1_000)]
        with ThreadPoolExecutor(4) as threads:
            settling = [threads.submit(tier.settle) for tier in tiers for _ in range(2)]
            finding = [threads.submit(found_in, memory, asked) for _ in range(4)]
        assert all(f.result() == expected for f in finding)
        assert all(len(f.result()) == 4_000 for f in settling)


def test_the_same_keys_again_take_no_more_room() -> None:
    keys = Keys(np.arange(1000, dtype=np.uint64) << np.uint64(54))
    memory = Memory()
    for file_id in range(20):
        memory = memory.added(keys, locations_in(file_id, np.arange(1000)))
    assert len(settled(memory)) == 1000
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
