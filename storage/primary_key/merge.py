"""Many runs into one, and whether any two have a key in common: both walk all of them together.

1. Keys are spread evenly, so the space of keys is cut into equal slices that have about
   `SLICE_ENTRIES` entries each; the directories of the runs say where each slice lies in them.
2. The entries of one slice are put after each other, the newest run first, and sorted stably: equal
   keys stand together, the newest first.
3. A merge leaves out the entries whose row is not there any more, keeps the first of those with the
   same key, and appends what is left to the new run.

At any time one slice is in memory, and of the files about as much as was just read: pages that are
done with are given back. Keys that are not spread evenly, such as integers chosen to be mixed
alike, make slices larger, and nothing else.

An entry whose row is deleted or whose file is gone stays so for ever, and at most one location of a
key is left; therefore it does not matter which runs are merged, and in which order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.errors import InternalError
from storage.primary_key.entries import width_of
from storage.primary_key.keys import Keys
from storage.primary_key.locations import LiveRows
from storage.primary_key.run import Run
from storage.primary_key.run_writer import RunWriter, WrittenRun
from storage.primary_key.words import Mask, Positions, Words, stable_order

__all__ = ["Duplicate", "find_duplicate", "merge"]

SLICE_ENTRIES = 1 << 18
_SLICE_BITS_MAX = 20
_RELEASE_SLICES = 16  # as many slices are read before their pages are given back


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Two entries with the same key: in which runs they are, by position, and their locations."""

    first_run: int
    first_location: int
    second_run: int
    second_location: int


def merge(runs: Sequence[Run], path: Path, rows: LiveRows) -> WrittenRun:
    """Write the entries of runs as one run, whose `first_file_id` is 0.

    Args:
        runs: of one key, newest first; at least one.
        rows: the rows that are there, as of any snapshot that has all of these runs: entries of
            others are left out.
    Raises:
        InvalidRequest, Unavailable: the file cannot be written.
    """
    exact = _exact(runs)
    with RunWriter(path, exact, sum(len(run) for run in runs)) as writer:
        for piece in _slices(runs):
            writer.append(_newest(_live(piece.rows, rows)))
        return writer.finish()


def find_duplicate(runs: Sequence[Run]) -> Duplicate | None:
    """Two entries of these runs that have the same key, or None. Takes as long as a merge."""
    _exact(runs)
    for piece in _slices(runs):
        equal = np.flatnonzero(_equals_the_one_before(piece.rows))
        if len(equal):
            second = int(equal[0])
            return Duplicate(
                first_run=piece.run_of(second - 1),
                first_location=int(piece.rows[second - 1, -1]),
                second_run=piece.run_of(second),
                second_location=int(piece.rows[second, -1]),
            )
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """The entries of one slice in their order, and where each was before it was sorted.

    `ends`: how many of the unsorted entries come from the first run, the first two runs, ...
    """

    rows: Words
    order: Positions
    ends: Positions

    def run_of(self, position: int) -> int:
        """The run that an entry is of."""
        return int(np.searchsorted(self.ends, self.order[position], "right"))


def _slices(runs: Sequence[Run]) -> Iterator[_Slice]:
    """All entries, slice by slice of the space of keys; equal ones in the order of their runs."""
    count = sum(len(run) for run in runs)
    bits = min(max(count // SLICE_ENTRIES, 1).bit_length() - 1, _SLICE_BITS_MAX)
    bounds = [_bounds(run, bits) for run in runs]
    for number in range(1 << bits):
        pieces = [
            _piece(run, int(bound[number]), int(bound[number + 1]))
            for run, bound in zip(runs, bounds, strict=True)
        ]
        yield _sorted(np.concatenate(pieces), np.cumsum([len(p) for p in pieces]), bits)
        if number % _RELEASE_SLICES == _RELEASE_SLICES - 1 or number + 1 == 1 << bits:
            for run, bound in zip(runs, bounds, strict=True):
                run.release(int(bound[number + 1]))


def _bounds(run: Run, bits: int) -> Positions:
    """How many entries lie below each of the 2^bits slices, and how many there are."""
    entries = run.entries
    starts = np.arange(1 << bits, dtype=np.uint64)
    if bits:
        starts <<= np.uint64(64 - bits)
    low = None if entries.exact else np.zeros(1 << bits, np.uint64)
    below = entries.lower_bound(Keys(starts, low))
    run.release()
    return np.append(below, len(entries))


def _piece(run: Run, start: int, end: int) -> Words:
    rows = run.entries.rows[start:end]
    if run.first_file_id:
        rows = rows.copy()
        rows[:, -1] = run.moved(rows[:, -1])
    return rows


def _sorted(rows: Words, ends: Positions, prefix_bits: int) -> _Slice:
    high = rows[:, 0].copy()
    low = None if rows.shape[1] == width_of(True) else rows[:, 1].copy()
    order = stable_order(high, low, prefix_bits=prefix_bits)
    return _Slice(rows.take(order, axis=0, mode="clip"), order, ends)


def _live(entries: Words, rows: LiveRows) -> Words:
    """Sorted entries without those whose row is not there."""
    kept = rows.contains(entries[:, -1].copy())
    return entries if kept.all() else _compressed(entries, kept)


def _newest(entries: Words) -> Words:
    """Sorted entries without those that have the key of the one before."""
    equal = _equals_the_one_before(entries)
    return _compressed(entries, ~equal) if equal.any() else entries


def _equals_the_one_before(entries: Words) -> Mask:
    """For each sorted entry, whether the one before has the same key."""
    equal = np.zeros(len(entries), np.bool_)
    np.equal(entries[1:, 0], entries[:-1, 0], out=equal[1:])
    if entries.shape[1] != width_of(True):
        equal[1:] &= entries[1:, 1] == entries[:-1, 1]
    return equal


def _compressed(entries: Words, kept: Mask) -> Words:
    return entries.take(np.flatnonzero(kept), axis=0, mode="clip")


def _exact(runs: Sequence[Run]) -> bool:
    kinds = {run.entries.exact for run in runs}
    if len(kinds) != 1:
        raise InternalError(f"cannot merge {len(runs)} runs of {len(kinds)} kinds of keys")
    return kinds.pop()
