"""Delete bitmaps: values that grow by union, checked where bytes come in."""

from __future__ import annotations

import gc
import pickle
import weakref

import pytest
from pyroaring import BitMap

from storage.delete_bitmap import (
    DeleteBitmap,
    Positions,
    decode_positions,
    encode_positions,
    position_array,
)
from storage.errors import CorruptData


def encoded(*positions: int) -> bytes:
    return bytes(BitMap(positions).serialize())


def test_bytes_and_back() -> None:
    positions = Positions([0, 5, 99_999])
    assert decode_positions(encode_positions(positions), 100_000, "x") == positions
    assert decode_positions(encoded(), 0, "x") == Positions()


def test_a_position_past_the_last_row_is_corrupt() -> None:
    assert decode_positions(encoded(9), 10, "x") == Positions([9])
    with pytest.raises(CorruptData, match="data/f: row 10 is deleted, of only 10 rows"):
        decode_positions(encoded(3, 10), 10, "data/f")


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 100, encoded(*range(0, 9999, 3))[:-5]])
def test_bytes_that_are_no_bitmap_are_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptData, match="data/f: the delete bitmap does not decode"):
        decode_positions(data, 1 << 21, "data/f")


def test_deleting_more_makes_another_bitmap() -> None:
    old = DeleteBitmap.decode(7, 100, encoded(1, 2), "x")
    new = old.merged(encoded(2, 3), "x")
    assert (list(old.bitmap), old.deleted_count) == ([1, 2], 2)
    assert (list(new.bitmap), new.deleted_count) == ([1, 2, 3], 3)
    assert new.positions == encoded(1, 2, 3)
    assert 3 in new
    assert 3 not in old
    with pytest.raises(CorruptData):
        old.merged(encoded(100), "x")
    with pytest.raises(AttributeError):
        new.bitmap.add(4)


def test_the_same_bytes_again_give_the_same_bitmap_as_long_as_it_is_there() -> None:
    old, data = DeleteBitmap.decode(7, 100, encoded(1, 2), "x"), encoded(3)
    new = old.merged(data, "x")
    assert old.merged(data, "x") is new
    assert old.merged(encoded(3), "x") is new  # as the log's bytes give them
    assert set(old.merged(encoded(4), "x").bitmap) == {1, 2, 4}
    kept = weakref.ref(new)
    del new
    gc.collect()
    assert kept() is None  # an old version holds no newer one in memory
    assert set(old.merged(data, "x").bitmap) == {1, 2, 3}


def test_equal_means_the_same_rows_of_the_same_file() -> None:
    one = DeleteBitmap.decode(7, 100, encoded(1), "x")
    assert one == DeleteBitmap(7, 100, Positions([1]))
    assert one != DeleteBitmap(8, 100, Positions([1]))
    assert one != DeleteBitmap(7, 100, Positions([2]))
    more = one.merged(encoded(2), "x")
    assert pickle.loads(pickle.dumps(one)) == one
    assert pickle.loads(pickle.dumps(more)) == more


def test_positions_as_an_array_may_be_moved() -> None:
    assert position_array(Positions([1, 5])).tolist() == [1, 5]
    assert position_array(Positions([1, 5]), 1000).tolist() == [1001, 1005]
    assert position_array(Positions()).tolist() == []
