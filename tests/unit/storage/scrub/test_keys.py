"""Keys compared with entries part by part: the same as one by one, however many parts there are."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from storage.delete_bitmap import DeleteBitmap, Positions
from storage.primary_key import ROW_BITS, Keys, Run, open_run, write_run
from storage.primary_key.keys import mixed
from storage.schema import Column, Kind, ScalarType, TableSchema
from storage.scrub.key_words import KeyWords
from storage.scrub.keys import KeyToCheck, check_part, faults
from storage.scrub.places import Places
from storage.snapshot.files import FileRow, FileSet
from storage.snapshot.model import Delta, TableState

ROWS = 20  # of each file
LIVE, UNREADABLE, DELTA, GONE, UNBORN = (2, 3, 4), 5, 7, 1, 9
Word = tuple[int, ...]


def file_row(number: int) -> FileRow:
    return FileRow(
        name=f"data/{number}",
        checksum="",
        size_bytes=0,
        tail_bytes=0,
        row_count=ROWS,
        stripe_count=1,
        schema_version=1,
        level=0,
        partition=None,
        statistics={},
    )


def table(deleted: dict[int, set[int]]) -> TableState:
    columns = (Column(id=1, name="k", type=ScalarType(Kind.BIGINT)),)
    files = FileSet.of([file_row(n) for n in (*LIVE, UNREADABLE)], columns, first_id=2, lsn=1)
    return TableState(
        id=2,
        schema_id=1,
        name="t",
        schemas=(TableSchema(version=1, columns=columns),),
        next_column_id=2,
        next_file_id=UNBORN,
        files=files,
        deltas=(Delta(id=DELTA, lsn=3, schema_version=1, row_count=ROWS, rows=b""),),
        bitmaps={n: DeleteBitmap(n, ROWS, Positions(rows)) for n, rows in deleted.items() if rows},
    )


def keys_of(words: list[Word], exact: bool) -> Keys:
    columns = np.array(words, np.uint64).reshape(-1, 1 if exact else 2)
    return Keys(columns[:, 0].copy(), None if exact else columns[:, 1].copy())


def location(number: int, row: int) -> int:
    return number << ROW_BITS | row


@dataclass
class World:
    """Rows with keys, and runs that should lead to them, with some mistakes."""

    source: random.Random
    exact: bool
    rows: dict[int, Word] = field(default_factory=dict)  # live and readable, by location
    deleted: dict[int, set[int]] = field(default_factory=dict)
    runs: list[dict[Word, int]] = field(default_factory=list)

    def word(self) -> Word:
        number = self.source.randrange(400)
        high = int(mixed(np.array([number], np.int64))[0])
        if self.exact:
            return (high,)
        return (int(mixed(np.array([number % 50], np.int64))[0]), number)  # many share a high word

    def fill(self) -> None:
        source = self.source
        for number in (*LIVE, DELTA):
            self.deleted[number] = set(source.sample(range(ROWS), source.randrange(6)))
            for row in set(range(ROWS)) - self.deleted[number]:
                self.rows[location(number, row)] = self.word()
        self.runs = [{} for _ in range(source.randrange(1, 4))]
        for at, word in self.rows.items():
            if at >> ROW_BITS != DELTA and source.random() < 0.9:
                source.choice(self.runs)[word] = at
        for run in self.runs:
            for _ in range(source.randrange(6)):
                number = source.choice((*LIVE, DELTA, GONE, UNREADABLE, UNBORN))
                run[self.word()] = location(number, source.randrange(ROWS + 3))

    # --- one by one -------------------------------------------------------------------------------

    def twice(self) -> int:
        return sum(count - 1 for count in Counter(self.rows.values()).values())

    def is_beyond(self, at: int) -> bool:
        number, row = at >> ROW_BITS, at & ((1 << ROW_BITS) - 1)
        return number >= UNBORN or (number in (*LIVE, DELTA, UNREADABLE) and row >= ROWS)

    def beyond(self, run: dict[Word, int]) -> int:
        return sum(self.is_beyond(at) for at in run.values())

    def wrong(self, run: dict[Word, int]) -> int:
        words = set(self.rows.values())
        repeated = {w for w, n in Counter(self.rows.values()).items() if n > 1}
        others = {at for at, word in self.rows.items() if word in repeated}
        count = 0
        for word, at in run.items():
            if at not in self.rows or self.is_beyond(at) or self.rows[at] == word:
                continue
            # of rows with a key that others have too, it is not known which is meant
            lenient = at in others and word in words
            count += not lenient
        return count

    def missing(self) -> int:
        counts = Counter(self.rows.values())
        known = {(word, at) for run in self.runs for word, at in run.items()}
        return sum(
            (word, at) not in known
            for at, word in self.rows.items()
            if at >> ROW_BITS != DELTA and counts[word] == 1
        )


def compared(world: World, directory: Path, part_entries: int) -> KeyToCheck:
    rows = world.rows
    words = KeyWords(directory / "words", world.exact, len(rows), part_entries)
    for number in (*LIVE, DELTA):
        mine = [at for at in rows if at >> ROW_BITS == number]
        words.add(keys_of([rows[at] for at in mine], world.exact), np.array(mine, np.uint64))
    assert words.count == len(rows)
    opened: list[Run] = []
    for number, run in enumerate(world.runs):
        path = directory / f"run {number}"
        write_run(path, keys_of(list(run), world.exact), np.array(list(run.values()), np.uint64))
        opened.append(open_run(path, f"run {number}"))
    key = KeyToCheck(
        name="k",
        words=words,
        runs=opened,
        complete=True,
        places=Places(table(world.deleted), dict.fromkeys((*LIVE, DELTA), ROWS), {UNREADABLE}),
    )
    for part in range(1 << words.bits):
        check_part(key, part)
    words.close()
    return key


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("part_entries", [1 << 20, 40, 3])
@pytest.mark.parametrize("seed", range(25))
def test_parts_find_what_a_look_at_each_row_finds(
    tmp_path: Path, seed: int, part_entries: int, exact: bool
) -> None:
    print("seed", seed)  # noqa: T201 - shown when a test fails
    world = World(random.Random(seed), exact)
    world.fill()
    key = compared(world, tmp_path, part_entries)
    assert key.twice.count == world.twice()
    for number, run in enumerate(world.runs):
        name = f"run {number}"
        found = key.beyond[name].count if name in key.beyond else 0
        assert found == world.beyond(run)
        # an entry may lead to the first of several rows with a key as well as to any other
        found = key.wrong[name].count if name in key.wrong else 0
        strict = sum(at in world.rows and world.rows[at] != word for word, at in run.items())
        assert world.wrong(run) <= found <= strict
    assert sum(tally.count for tally in key.missing.values()) == world.missing()
    kinds = (key.beyond, key.wrong, key.missing)
    expected = sum(len(kind) for kind in kinds) + (key.twice.count > 0)
    assert len(faults(key)) == expected


def test_the_worlds_have_every_mistake() -> None:
    """So that the test above can fail in each."""
    totals: Counter[str] = Counter()
    for seed in range(25):
        world = World(random.Random(seed), True)
        world.fill()
        totals["twice"] += world.twice()
        totals["missing"] += world.missing()
        for run in world.runs:
            totals["beyond"] += world.beyond(run)
            totals["wrong"] += world.wrong(run)
    assert min(totals[k] for k in ("twice", "missing", "beyond", "wrong")) > 20


def test_a_world_without_mistakes_has_none(tmp_path: Path) -> None:
    world = World(random.Random(1), True)
    numbers = iter(range(1000))
    for number in (*LIVE, DELTA):
        for row in range(ROWS):
            word = int(mixed(np.array([next(numbers)], np.int64))[0])
            world.rows[location(number, row)] = (word,)
    world.runs = [{word: at for at, word in world.rows.items() if at >> ROW_BITS != DELTA}]
    assert not faults(compared(world, tmp_path, 3))


@pytest.mark.parametrize("bits", [0, 1, 5])
def test_words_come_back_sorted_and_whole(tmp_path: Path, bits: int) -> None:
    source = np.random.default_rng(3)
    words = KeyWords(tmp_path / "w", False, 8 << bits, 8 + (bits == 0) * 1000)
    assert words.bits == (bits + 1 if bits else 0)
    added = []
    for _ in range(7):
        high = source.integers(0, 1 << 63, 50, dtype=np.uint64) * np.uint64(2)
        high[:10] = high[0]
        low = source.integers(0, 1 << 40, 50, dtype=np.uint64)
        at = source.integers(0, 1 << 40, 50, dtype=np.uint64)
        words.add(Keys(high, low), at)
        added += list(zip(high.tolist(), low.tolist(), at.tolist(), strict=True))
    none = np.empty(0, np.uint64)
    words.add(Keys(none, none), none)
    found = [tuple(r) for n in range(1 << words.bits) for r in words.part(n).tolist()]
    assert [r[:2] for r in found] == sorted(r[:2] for r in added)
    assert sorted(found) == sorted(added)
    assert list(tmp_path.iterdir()) == []
    words.close()


def test_a_file_may_have_more_rows_than_the_catalogue_says() -> None:
    """They are there, and no bitmap can have them."""
    places = Places(table({2: {1, 19}}), {2: 300}, set())
    at = np.array([location(2, row) for row in range(310)], np.uint64)
    beyond = places.beyond(at)
    assert np.flatnonzero(beyond).tolist() == list(range(300, 310))
    assert np.flatnonzero(~places.live(at[~beyond])).tolist() == [1, 19]
    assert places.text(location(2, 7)) == "row 7 of data/2"
    assert places.text(location(DELTA, 0)).startswith("row 0 of log/")
    assert places.text(location(GONE, 0)) == "row 0 of file 1, which is not there"
