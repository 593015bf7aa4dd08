"""The entries of deltas: an index in memory that takes thousands of new keys with every commit.

The newest entries are a small sorted array, older ones a few larger arrays, called tiers. A new
batch becomes the first tier; while a tier is not much smaller than the next one, the two become
one. So an entry is moved a few times, whatever the number of entries, and a search asks few arrays.
Where two arrays know a key, the newer one is right: entries are added in the order of commits.

Moving the entries takes longer than all else that a commit does with the index, and no search
depends on it: a tier of two may stay two arrays until somebody `settle`s it, in a thread of its own
if it likes. Only when that lags behind, the next batch does it.

Values never change, so another thread may search what the owner has already replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from storage.primary_key.entries import Entries
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, file_ids_of
from storage.primary_key.run_writer import entry_rows
from storage.primary_key.words import Mask, Words

__all__ = ["PARTS_MAX", "TIERS_MAX", "Memory", "Tier"]

TIERS_MAX = 4
PARTS_MAX = 4  # arrays of one tier that is not settled
SIZE_RATIO = 8  # a tier and the next are made one unless that is more than so many times larger


class Tier:
    """Entries that are one sorted array, or become one when they are settled.

    `size` is what they count for when tiers are chosen to become one: settling changes nothing
    that is decided.
    """

    __slots__ = ("_halves", "_settled", "size")

    def __init__(self, settled: Entries | None, halves: tuple[Tier, ...] = ()) -> None:
        self._settled = settled
        self._halves = halves  # newest first
        self.size: int = sum(half.size for half in halves) if settled is None else len(settled)

    @classmethod
    def over(cls, newer: Tier, older: Tier) -> Tier:
        """The entries of both, not settled."""
        return cls(None, (newer, older))

    @property
    def is_settled(self) -> bool:
        return self._settled is not None

    @property
    def parts(self) -> tuple[Entries, ...]:
        """The sorted arrays, newest first."""
        halves = self._halves
        if (settled := self._settled) is not None:
            return (settled,)
        return tuple(part for half in halves for part in half.parts)

    def settle(self) -> Entries:
        """The entries as one array. Two threads that settle the same do the work twice, no more."""
        halves = self._halves  # before it is asked whether they are still there
        if (settled := self._settled) is None:
            newer, older = (half.settle() for half in halves)
            settled = self._settled = _merged(newer, older)
            self._halves = ()
        return settled

    def only(self, live: LiveIds) -> Tier | None:
        """Without the entries whose file is gone; None if there are no others."""
        kept = [part for part in (_only(part, live) for part in self.parts) if len(part)]
        tiers = [Tier(part) for part in kept]
        while len(tiers) > 1:
            tiers[-2:] = [Tier.over(*tiers[-2:])]
        return tiers[0] if tiers else None


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Entries in memory. `tiers`: newest and smallest first; none of them is empty."""

    tiers: tuple[Tier, ...] = ()

    def __len__(self) -> int:
        """Entries, counting a key once for each array that has it."""
        return sum(len(part) for part in self.parts)

    @property
    def parts(self) -> tuple[Entries, ...]:
        """The sorted arrays, newest first."""
        return tuple(part for tier in self.tiers for part in tier.parts)

    def find(self, keys: Keys) -> Words:
        """The newest locations of keys, MISSING where there is no entry; shape (len(keys),)."""
        found = np.full(len(keys), MISSING)
        for part in reversed(self.parts):
            there = part.find(keys)
            found = np.where(there == MISSING, found, there)
        return found

    @property
    def size_bytes(self) -> int:
        return sum(part.words.nbytes + part.directory.nbytes for part in self.parts)

    def added(self, keys: Keys, locations: Words) -> Memory:
        """With newer entries; where `keys` has a key twice, the later one is right."""
        if not len(keys):
            return self
        batch = Entries.from_rows(_last_of_each(entry_rows(keys, locations)))
        tiers = [Tier(batch), *self.tiers]
        while len(tiers) > 1 and tiers[0].size * SIZE_RATIO >= tiers[1].size:
            tiers[:2] = [Tier.over(*tiers[:2])]
        if len(tiers) > TIERS_MAX:
            tiers[-2:] = [Tier.over(*tiers[-2:])]
        for tier in tiers:
            if len(tier.parts) > PARTS_MAX:
                tier.settle()
        return Memory(tuple(tiers))

    def unsettled(self) -> Iterator[Tier]:
        """The tiers that are to be settled, in the order in which that is the least work."""
        return (tier for tier in self.tiers if not tier.is_settled)

    def only(self, live: LiveIds) -> Memory:
        """Without the entries whose file is gone: after a flush, or it would grow for ever."""
        kept = (tier.only(live) for tier in self.tiers)
        return Memory(tuple(tier for tier in kept if tier is not None))


def _last_of_each(rows: Words) -> Words:
    """Sorted rows without those that a later row with the same key follows."""
    equal = (rows[1:, :-1] == rows[:-1, :-1]).all(axis=1)
    return _compressed(rows, np.append(~equal, True)) if equal.any() else rows


def _merged(newer: Entries, older: Entries) -> Entries:
    """The entries of both; of two with the same key, the newer one.

    Every new key opens a gap before the first older entry that is not less; an equal one takes
    that entry's place.
    """
    width, keys = newer.width, newer.keys()
    before = older.lower_bound(keys)
    is_new = ~older.has_at(before, keys)
    new_before = np.cumsum(is_new)
    to = before + new_before - is_new
    count = len(older) + int(new_before[-1])
    is_old = np.ones(count, np.bool_)
    is_old[to[is_new]] = False
    words = np.empty(count * width + 1, np.uint64)
    words[-1] = MISSING
    items = _items(words[:-1].reshape(-1, width))
    items[is_old] = _items(older.rows)
    items[to] = _items(newer.rows)
    return older.grown(words, keys.high[is_new], newer.file_ids)


def _only(part: Entries, live: LiveIds) -> Entries:
    if live.contains_all(*part.file_ids):
        return part
    kept = live.contains(file_ids_of(part.rows[:, -1]))
    return part if kept.all() else Entries.from_rows(_compressed(part.rows, kept))


def _compressed(rows: Words, kept: Mask) -> Words:
    return rows.take(np.flatnonzero(kept), axis=0, mode="clip")


def _items(rows: Words) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Entries as single items, which numpy moves several times faster than rows of words."""
    return rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0]
