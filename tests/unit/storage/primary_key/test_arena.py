"""Runs side by side: searched together as each by itself, and each a run like any other."""

from __future__ import annotations

import dataclasses
import gc
import random
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import InternalError, InvalidRequest
from storage.primary_key.index import KeyIndex, PlacedRun
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, LiveRows
from storage.primary_key.merge import merge
from storage.primary_key.pages import MappedPages
from storage.primary_key.run import Run, open_run
from storage.primary_key.side_by_side import side_by_side
from tests.unit.storage.primary_key.entries_of import HIGH, LOW, Pair, keys_of_pairs, run_of

WORD = st.integers(0, 2**64 - 1)
ANY_PAIR = st.tuples(st.sampled_from(HIGH) | WORD, st.sampled_from(LOW))
RUNS = st.lists(st.dictionaries(ANY_PAIR, st.integers(0, 2**60), max_size=40), min_size=1)


def together(directory: Path, runs: list[Run]) -> list[Run]:
    path = directory / "together"
    found = side_by_side(runs, path)
    path.unlink()
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(RUNS, st.lists(ANY_PAIR, max_size=10), st.booleans(), st.integers(0, 2**32))
def test_all_are_searched_as_each_by_itself(
    tmp_path: Path, parts: list[dict[Pair, int]], others: list[Pair], exact: bool, seed: int
) -> None:
    plain = [{(high, 0 if exact else low): at for (high, low), at in p.items()} for p in parts]
    runs = [run_of(tmp_path / "run", pairs, exact) for pairs in plain]
    placed = together(tmp_path, runs)
    wanted = [(slot, pair) for slot, pairs in enumerate(plain) for pair in pairs]
    wanted += [(slot, (h, 0 if exact else low)) for slot in range(len(runs)) for h, low in others]
    random.Random(seed).shuffle(wanted)
    arena = placed[0].arena
    assert arena is not None
    keys = keys_of_pairs([pair for _, pair in wanted], exact)
    found = arena.find(keys, np.array([slot for slot, _ in wanted], np.int64))
    assert found.tolist() == [plain[slot].get(pair, int(MISSING)) for slot, pair in wanted]
    for pairs, run in zip(plain, placed, strict=True):
        assert run.find(keys_of_pairs(list(pairs), exact)).tolist() == list(pairs.values())


def many(directory: Path, count: int, rows: int, seed: int = 0) -> list[Run]:
    """Runs of one file each, whose keys are spread over all of them."""
    source = np.random.default_rng(seed)
    keys = source.integers(0, 2**64 - 1, (count, rows), np.uint64)
    return [
        run_of(directory / "run", {(int(k), 0): row for row, k in enumerate(own)}, True, 1 + number)
        for number, own in enumerate(keys)
    ]


def test_each_is_a_run_as_before(tmp_path: Path) -> None:
    runs = many(tmp_path, 5, 300)
    checksums = [xxhash.xxh3_128_hexdigest(run.content()) for run in runs]
    entries = [run.entries.rows.tolist() for run in runs]
    placed = together(tmp_path, runs)
    del runs
    gc.collect()
    for run, checksum, rows in zip(placed, checksums, entries, strict=True):
        run.verify(checksum)
        run.release(100)
        run.release()
        assert run.entries.rows.tolist() == rows
    again = together(tmp_path, placed[1:3])
    assert [run.entries.rows.tolist() for run in again] == entries[1:3]
    live = LiveRows(LiveIds.of(range(1, 6)))
    merge(placed[:2], tmp_path / "merged", live)
    assert len(open_run(tmp_path / "merged")) == 600
    kept = placed[4]
    del placed, again, run
    gc.collect()
    assert kept.entries.rows.tolist() == entries[4]


def test_an_index_finds_by_partition_whatever_lies_side_by_side(tmp_path: Path) -> None:
    """Runs of two flushes lie side by side, some others by themselves; files have moved since."""
    partitions = 12
    flushes = [many(tmp_path, partitions, 50 + n, seed=n) for n in range(3)]
    keys = [[run.entries.keys().high for run in runs] for runs in flushes]
    flushes[:2] = [together(tmp_path, runs) for runs in flushes[:2]]
    runs = [
        PlacedRun(
            run=dataclasses.replace(run, first_file_id=100 * n + 1 + number),
            generation=n,
            partition=1 + number,
        )
        for n, own in enumerate(flushes)
        for number, run in enumerate(own)
    ]
    pages = MappedPages(1 << 30)
    index = KeyIndex(exact=True, pages=pages).with_runs(runs)
    live = LiveIds.of(100 * n + 1 + number for n in range(3) for number in range(partitions))
    for n, own in enumerate(keys):
        wanted = np.concatenate(own)
        numbers = np.repeat(np.arange(1, partitions + 1), [len(part) for part in own])
        order = np.random.default_rng(n).permutation(len(wanted))
        found = index.find(Keys(wanted[order]), LiveRows(live), numbers[order])
        assert ((found >> np.uint64(21)) == 100 * n + numbers[order]).all()
        other = numbers[order] % partitions + 1
        assert (index.find(Keys(wanted[order]), LiveRows(live), other) == MISSING).all()
    assert pages.mapped_bytes == sum(placed.run.length for placed in runs)


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    exact = run_of(tmp_path / "run", {(1, 0): 1}, True)
    hashed = run_of(tmp_path / "run", {(1, 1): 1}, False)
    with pytest.raises(InternalError, match="exact and hashed"):
        side_by_side([exact, hashed], tmp_path / "together")
    with pytest.raises(InternalError, match="not a file"):
        side_by_side([Run("made", exact.entries)], tmp_path / "together")
    with pytest.raises(InvalidRequest, match="gone"):
        side_by_side([exact], tmp_path / "gone" / "together")
