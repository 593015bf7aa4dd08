"""Keys as values: bytes and back, order, duplicates, and the mixing of integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import CorruptData
from storage.primary_key.keys import Keys, mixed
from storage.primary_key.words import Words, stable_order

WORD = st.integers(0, 2**64 - 1)
TIED = st.sampled_from([0, 1, 2, 1 << 31, 1 << 32, 1 << 48, 1 << 63, 2**64 - 1])


def words(values: list[int]) -> Words:
    return np.array(values, np.uint64)


def unmixed(word: int) -> int:
    """The inverse of `mixed`, for one word."""
    mask = 2**64 - 1
    word ^= (word >> 31) ^ (word >> 62)
    word = word * pow(0x94D049BB133111EB, -1, 2**64) & mask
    word ^= (word >> 27) ^ (word >> 54)
    word = word * pow(0xBF58476D1CE4E5B9, -1, 2**64) & mask
    word ^= (word >> 30) ^ (word >> 60)
    return word


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_mixing_loses_nothing(integers: list[int]) -> None:
    back = [unmixed(word) for word in mixed(np.array(integers, np.int64)).tolist()]
    assert back == [integer % 2**64 for integer in integers]


def test_mixed_integers_never_change() -> None:
    assert [hex(word) for word in mixed(np.array([0, 1, -1, 1 << 40], np.int64)).tolist()] == [
        "0x0",
        "0x5692161d100b05e5",
        "0xb4d055fcf2cbbd7b",
        "0xab4daf7c2673f8",
    ]


@given(st.lists(st.tuples(WORD, WORD)))
def test_keys_come_back_from_their_bytes(pairs: list[tuple[int, int]]) -> None:
    high, low = words([p[0] for p in pairs]), words([p[1] for p in pairs])
    hashed = Keys.decode(Keys(high, low).encode(), False, len(pairs))
    assert hashed.low is not None
    assert (hashed.high.tolist(), hashed.low.tolist()) == (high.tolist(), low.tolist())
    exact = Keys.decode(Keys(high).encode(), True, len(pairs))
    assert (exact.high.tolist(), exact.low) == (high.tolist(), None)


def test_the_bytes_of_keys_never_change() -> None:
    assert Keys(words([1, 0x0203])).encode().hex() == "01000000000000000302000000000000"
    assert Keys(words([1]), words([2])).encode().hex() == "01000000000000000200000000000000"


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(CorruptData, match="3 hashed keys have 48 bytes, found 24"):
        Keys.decode(bytes(24), False, 3)


@given(st.lists(st.tuples(TIED | WORD, TIED)), st.booleans())
def test_the_order_is_that_of_the_pairs_and_stable(
    pairs: list[tuple[int, int]], exact: bool
) -> None:
    pairs = [(high, 0) for high, _ in pairs] if exact else pairs
    low = None if exact else words([p[1] for p in pairs])
    order = Keys(words([p[0] for p in pairs]), low).sorted_order()
    assert order.tolist() == sorted(range(len(pairs)), key=lambda at: pairs[at])


@given(st.integers(0, 32), st.lists(st.integers(0, 2**32 - 1)))
def test_a_common_prefix_does_not_change_the_order(bits: int, values: list[int]) -> None:
    prefix = (0xA5A5A5A5 >> (32 - bits)) << (64 - bits) if bits else 0
    same = [prefix | value for value in values]
    order = stable_order(words(same), prefix_bits=bits)
    assert order.tolist() == sorted(range(len(same)), key=same.__getitem__)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))), st.booleans())
def test_duplicates_are_the_first_that_a_reader_meets(
    pairs: list[tuple[int, int]], exact: bool
) -> None:
    pairs = [(high, 0) for high, _ in pairs] if exact else pairs
    low = None if exact else words([p[1] for p in pairs])
    met: dict[tuple[int, int], int] = {}
    expected = None
    for at, pair in enumerate(pairs):
        if pair in met:
            expected = (met[pair], at)
            break
        met[pair] = at
    assert Keys(words([p[0] for p in pairs]), low).duplicates() == expected


def test_taken_keys_are_in_the_order_of_the_positions() -> None:
    taken = Keys(words([5, 6, 7]), words([1, 2, 3])).take(np.array([2, 0]))
    assert taken.low is not None
    assert (taken.high.tolist(), taken.low.tolist()) == ([7, 5], [3, 1])
