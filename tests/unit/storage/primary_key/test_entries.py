"""The search in sorted entries, against a dictionary."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.primary_key.entries import BATCH_KEYS, NO_FILES, Entries, bucket_bits
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING
from tests.unit.storage.primary_key.entries_of import (
    HIGH,
    LOW,
    Pair,
    entries_of,
    keys_of_pairs,
    looked_up,
)

WORD = st.integers(0, 2**64 - 1)
ANY_PAIR = st.tuples(st.sampled_from(HIGH) | WORD, st.sampled_from(LOW))
LOCATION = st.integers(0, 2**63)


def plain(pairs: dict[Pair, int], exact: bool) -> dict[Pair, int]:
    return {(high, 0): at for (high, _), at in pairs.items()} if exact else pairs


@given(st.dictionaries(ANY_PAIR, LOCATION), st.lists(ANY_PAIR), st.booleans())
def test_keys_are_found_where_a_dictionary_has_them(
    pairs: dict[Pair, int], others: list[Pair], exact: bool
) -> None:
    pairs = plain(pairs, exact)
    wanted = [*pairs, *(plain(dict.fromkeys(others, 0), exact))]
    found = entries_of(pairs, exact).find(keys_of_pairs(wanted, exact))
    assert found.tolist() == looked_up(pairs, wanted)


@given(st.dictionaries(ANY_PAIR, LOCATION), st.lists(ANY_PAIR), st.booleans())
def test_the_lower_bound_counts_the_smaller_keys(
    pairs: dict[Pair, int], others: list[Pair], exact: bool
) -> None:
    pairs = plain(pairs, exact)
    wanted = [*pairs, *(plain(dict.fromkeys(others, 0), exact))]
    entries, keys = entries_of(pairs, exact), keys_of_pairs(wanted, exact)
    below = entries.lower_bound(keys)
    assert below.tolist() == [bisect.bisect_left(sorted(pairs), pair) for pair in wanted]
    assert entries.has_at(below, keys).tolist() == [pair in pairs for pair in wanted]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("count", [1, 15, 16, 1000, 3 * BATCH_KEYS])
def test_many_keys_in_any_order(count: int, exact: bool) -> None:
    random = np.random.default_rng(count)
    high = random.integers(0, 2**64 - 1, 2 * count, np.uint64, True)
    keys = Keys(high, None if exact else ~high)
    here = np.arange(0, 2 * count, 2)
    rows = np.stack([high, ~high, np.arange(2 * count, dtype=np.uint64)], axis=1)[here]
    rows = rows[np.argsort(rows[:, 0])][:, [0, 2] if exact else [0, 1, 2]]
    found = Entries.from_rows(rows).find(keys)
    assert found[here].tolist() == here.tolist()
    assert (found[here + 1] == MISSING).all()


def test_keys_that_all_share_a_bucket_are_found() -> None:
    pairs = {(high, 0): high for high in range(5000)}
    entries = entries_of(pairs, True)
    assert entries.bucket_max == 5000
    assert entries.find(keys_of_pairs(list(pairs), True)).tolist() == list(pairs.values())


def test_a_long_chain_of_equal_high_words_is_searched_to_its_end() -> None:
    pairs = {(7, low): low for low in range(0, 400, 2)}
    wanted = [(7, low) for low in range(401)]
    found = entries_of(pairs, False).find(keys_of_pairs(wanted, False))
    assert found.tolist() == looked_up(pairs, wanted)


def test_buckets_have_8_to_16_entries() -> None:
    for count in (16, 17, 1000, 4096, 10**6, 10**8):
        assert 8 <= count / 2 ** bucket_bits(count) < 16


def test_the_file_ids_are_those_of_the_locations() -> None:
    assert entries_of({}, True).file_ids == NO_FILES
    assert entries_of({(1, 0): 5 << 21, (2, 0): (3 << 21) + 9}, True).file_ids == (3, 5)
