"""Which keys were written since somebody reads, and where their rows have gone meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from actors.operations import WriteMode
from actors.primary.moves import Moves
from actors.primary.written import WrittenKeys
from storage.errors import Conflict, InternalError
from storage.primary_key import Keys, locations_in
from storage.source_map import SourceMap
from tests.unit.actors.primary.keyed import PRIMARY, UNIQUE, Keyed, keyed

TABLE, KEY = 5, 1


def keys(*values: int) -> Keys:
    return Keys(np.array(values, np.uint64), None)


def late(written: WrittenKeys, lsn: int, *values: int) -> list[bool]:
    return list(map(bool, written.since(lsn, TABLE, KEY, keys(*values))))


def test_keys_are_late_if_they_were_written_after_the_read() -> None:
    written = WrittenKeys()
    written.hold(10)
    written.note(11, TABLE, {KEY: keys(1, 2)})
    written.note(12, TABLE, {KEY: keys(2, 3), 2: keys(9)})
    assert late(written, 10, 1, 2, 3, 4) == [True, True, True, False]
    assert late(written, 11, 1, 2, 3, 4) == [False, True, True, False]
    assert late(written, 12, 1, 2, 3) == [False, False, False]
    assert not written.since(10, TABLE, 3, keys(1)).any()
    assert not written.since(10, 6, KEY, keys(1)).any()


def test_writes_that_name_no_keys_are_about_all_of_them() -> None:
    written = WrittenKeys()
    written.hold(10)
    written.note(11, TABLE, None)
    assert late(written, 10, 1) == [True]
    assert late(written, 11, 1) == [False]
    with pytest.raises(Conflict, match="rewritten meanwhile"):
        written.keys_since(10, TABLE)
    assert written.keys_since(11, TABLE) == {}


def test_keys_since() -> None:
    written = WrittenKeys()
    written.hold(10)
    written.note(11, TABLE, {KEY: keys(1)})
    written.note(12, TABLE, {KEY: keys(2), 2: keys(7)})
    written.note(12, 6, {KEY: keys(3)})
    found = written.keys_since(10, TABLE)
    assert {k: v.high.tolist() for k, v in found.items()} == {KEY: [1, 2], 2: [7]}
    assert {k: v.high.tolist() for k, v in written.keys_since(11, TABLE).items()} == {
        KEY: [2],
        2: [7],
    }


def test_nobody_reading_means_nothing_remembered() -> None:
    written = WrittenKeys()
    for lsn in range(1, 20):
        written.note(lsn, TABLE, {KEY: keys(lsn)})
        written.forget(lsn)
    assert len(written._recent) <= 1
    written.hold(19)
    written.hold(19)
    for lsn in range(20, 40):
        written.note(lsn, TABLE, {KEY: keys(lsn)})
        written.forget(lsn)
    assert late(written, 19, 19, 20, 39) == [False, True, True]
    written.release(19)
    assert written.oldest(39) == 19
    written.release(19)
    assert written.oldest(39) == 39
    written.forget(39)
    assert not written._recent
    assert not written._tables


def test_what_is_no_longer_held_cannot_be_compared() -> None:
    async def test(db: Keyed) -> None:
        with pytest.raises(Conflict, match="can no longer be compared"):
            await db.submit(db.rows(WriteMode.UPSERT, (1, 10, "a"), read_lsn=1))
        with db.primary.reading() as snapshot:
            await db.submit(db.rows(WriteMode.UPSERT, (1, 10, "a"), read_lsn=snapshot.lsn))
            with pytest.raises(Conflict, match="1 of 2 keys of table t"):
                await db.submit(
                    db.rows(WriteMode.UPDATE, (1, 11, "b"), (2, 1, ""), read_lsn=snapshot.lsn)
                )
            with pytest.raises(Conflict, match="1 of 1 keys"):
                await db.submit(db.deleting(1, read_lsn=snapshot.lsn))
            await db.submit(db.deleting(2, read_lsn=snapshot.lsn))
            ignoring: Any = db.rows(WriteMode.IGNORE, (3, 10, "takes u"), read_lsn=snapshot.lsn)
            with pytest.raises(Conflict):
                await db.submit(ignoring)
        assert await db.all() == [(1, 10, "a")]

    keyed(test, PRIMARY, UNIQUE)


# --- moves ----------------------------------------------------------------------------------------


def at(file_id: int, *rows: int) -> Any:
    return locations_in(file_id, np.array(rows, np.int64))


def test_source_map() -> None:
    moved = SourceMap.of([np.concatenate([at(7, 4), at(3, 1)]), at(7, 0)])
    assert moved.knows(np.concatenate([at(3, 1, 2), at(7, 0), at(9, 0)])).tolist() == [
        True,
        False,
        True,
        False,
    ]
    placed = moved.numbered(20)
    there = placed.moved(np.concatenate([at(7, 0, 4), at(3, 1)]))
    assert there.tolist() == [*at(21, 0), *at(20, 0, 1)]
    with pytest.raises(InternalError):
        placed.moved(at(3, 2))
    assert not SourceMap.of([]).knows(at(1, 1)).any()
    assert SourceMap.of([]).moved(at(1)).tolist() == []


def test_moves_are_followed_from_the_read_on() -> None:
    moves = Moves()
    moves.note(11, TABLE, SourceMap.of([at(1, 0, 1)]).numbered(2))
    moves.note(13, TABLE, SourceMap.of([at(2, 1)]).numbered(3))
    moves.note(13, 6, SourceMap.of([at(1, 5)]).numbered(9))
    found = np.concatenate([at(1, 0, 1, 5)])
    assert moves.now(TABLE, 10, found).tolist() == [*at(2, 0), *at(3, 0), *at(1, 5)]
    assert moves.now(TABLE, 11, at(2, 0, 1)).tolist() == [*at(2, 0), *at(3, 0)]
    assert moves.now(TABLE, 13, found).tolist() == found.tolist()
    assert moves.until(12).now(TABLE, 10, found).tolist() == [*at(2, 0, 1), *at(1, 5)]
    moves.forget(11)
    assert moves.now(TABLE, 10, found).tolist() == found.tolist()
    moves.forget(13)
    assert not moves._moves
