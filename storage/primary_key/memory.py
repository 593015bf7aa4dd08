"""The entries of deltas: an index in memory that takes thousands of new keys with every commit.

The newest entries are a small sorted array, older ones a few larger arrays, called tiers. A new
batch becomes the first tier; while a tier is not much smaller than the next one, the two are
merged. So an entry is moved a few times, whatever the number of entries, and a search asks at most
`TIERS_MAX` arrays. Where two tiers know a key, the newer one is right: entries are added in the
order of commits.

Values never change, so another thread may search what the owner has already replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storage.primary_key.entries import Entries
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, file_ids_of
from storage.primary_key.run_writer import entry_rows
from storage.primary_key.words import Mask, Words

__all__ = ["TIERS_MAX", "Memory"]

TIERS_MAX = 4
SIZE_RATIO = 8  # a tier is merged into the next one unless that is more than so many times larger


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Entries in memory. `tiers`: newest and smallest first; none of them is empty."""

    tiers: tuple[Entries, ...] = ()

    def __len__(self) -> int:
        """Entries, counting a key once for each tier that has it."""
        return sum(len(tier) for tier in self.tiers)

    @property
    def size_bytes(self) -> int:
        return sum(tier.words.nbytes + tier.directory.nbytes for tier in self.tiers)

    def added(self, keys: Keys, locations: Words) -> Memory:
        """With newer entries; where `keys` has a key twice, the later one is right."""
        if not len(keys):
            return self
        tiers = [Entries.from_rows(_last_of_each(entry_rows(keys, locations))), *self.tiers]
        while len(tiers) > 1 and len(tiers[0]) * SIZE_RATIO >= len(tiers[1]):
            tiers[:2] = [_merged(tiers[0], tiers[1])]
        if len(tiers) > TIERS_MAX:
            tiers[-2:] = [_merged(tiers[-2], tiers[-1])]
        return Memory(tuple(tiers))

    def only(self, live: LiveIds) -> Memory:
        """Without the entries whose file is gone: after a flush, or it would grow for ever."""
        kept = (_only(tier, live) for tier in self.tiers)
        return Memory(tuple(tier for tier in kept if len(tier)))


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


def _only(tier: Entries, live: LiveIds) -> Entries:
    if live.contains_all(*tier.file_ids):
        return tier
    kept = live.contains(file_ids_of(tier.rows[:, -1]))
    return tier if kept.all() else Entries.from_rows(_compressed(tier.rows, kept))


def _compressed(rows: Words, kept: Mask) -> Words:
    return rows.take(np.flatnonzero(kept), axis=0, mode="clip")


def _items(rows: Words) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Entries as single items, which numpy moves several times faster than rows of words."""
    return rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0]
