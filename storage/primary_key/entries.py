"""Sorted entries of an index, and the search in them: what runs and memory have in common.

An entry is a key and a location, 2 words for exact keys and 3 for hashed ones, side by side, so
that a search that has found a key has its location in the same line of the cache and in the same
page. Entries are in the order of their keys. Keys are spread evenly, therefore a *directory* by
their top bits leads to a bucket of about a dozen entries, wherever it is and however many there
are, and a few steps of a binary search end it. All keys of a batch take each step together, which
keeps many accesses to memory in flight: 10,000 keys take well under a millisecond in 20 million
entries. Keys that are not spread evenly are found as well, with more steps.

    words       entry 0, entry 1, ..., entry n-1, then one word of ones
    directory   2^bits + 1 numbers: entries whose key is below the bucket; the last one is n

The last word is greater than every key and equals MISSING: a search that runs past the last entry
reads it, and needs no test for the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import InternalError
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, ROW_BITS
from storage.primary_key.words import Mask, Positions, Words

__all__ = [
    "BITS_MAX",
    "BUCKET_ENTRIES",
    "ENTRIES_MAX",
    "NO_FILES",
    "Directory",
    "Entries",
    "bucket_bits",
    "width_of",
]

Directory = npt.NDArray[np.uint32]

ENTRIES_MAX = 2**32 - 1  # what a number of the directory holds
BUCKET_ENTRIES = 8  # on average, up to twice as many
BATCH_KEYS = 16_384  # searched together: what is known of so many stays in the cache
NO_FILES = (0, -1)
BITS_MAX = 29


def width_of(exact: bool) -> int:
    """Words of an entry."""
    return 2 if exact else 3


def bucket_bits(count: int) -> int:
    """Leading bits of a key that are its bucket, where there are `count` entries."""
    return min(max((count // BUCKET_ENTRIES).bit_length() - 1, 1), BITS_MAX)


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Entries in the order of their keys, no two with the same key. Nothing in it ever changes.

    Attributes:
        words: shape (n * width + 1,), as the module says.
        width: words of an entry.
        directory: shape (2^bits + 1,).
        bucket_max: entries of the largest bucket.
        file_ids: the least and the greatest in the locations; NO_FILES if there are no entries.
    """

    words: Words
    width: int
    directory: Directory
    bucket_max: int
    file_ids: tuple[int, int]

    @classmethod
    def of(cls, words: Words, width: int) -> Entries:
        """Entries from words in their final form; the directory is made here."""
        count = len(words) // width
        if count > ENTRIES_MAX:
            raise InternalError(f"{count} entries are more than {ENTRIES_MAX}")
        bits = bucket_bits(count)
        counts = np.bincount(_buckets(words[: count * width : width], bits), minlength=1 << bits)
        directory = np.zeros((1 << bits) + 1, np.uint32)
        np.cumsum(counts, out=directory[1:], dtype=np.uint32)
        return cls(words, width, directory, int(counts.max()), _file_ids(words, width))

    @classmethod
    def from_rows(cls, rows: Words) -> Entries:
        """Entries from an array of shape (n, width), in the order of their keys."""
        count, width = rows.shape
        words = np.empty(count * width + 1, np.uint64)
        words[:-1] = rows.reshape(-1)
        words[-1] = MISSING
        return cls.of(words, width)

    def grown(self, words: Words, added: Words, file_ids: tuple[int, int]) -> Entries:
        """These entries after some were put between them, or in the place of others.

        Args:
            words: of all entries.
            added: the high words of the keys that these entries do not have, ascending.
            file_ids: the least and the greatest of the other entries.
        """
        if bucket_bits(len(words) // self.width) != self.bits or self.file_ids == NO_FILES:
            return Entries.of(words, self.width)
        directory = self.directory.copy()
        counts = np.bincount(_buckets(added, self.bits), minlength=len(directory) - 1)
        directory[1:] += np.cumsum(counts, dtype=np.uint32)
        bucket_max = int((directory[1:] - directory[:-1]).max())
        least, most = min(self.file_ids[0], file_ids[0]), max(self.file_ids[1], file_ids[1])
        return Entries(words, self.width, directory, bucket_max, (least, most))

    def __len__(self) -> int:
        return len(self.words) // self.width

    @property
    def exact(self) -> bool:
        return self.width == width_of(True)

    @property
    def rows(self) -> Words:
        """The entries in shape (n, width): key, location."""
        return self.words[:-1].reshape(-1, self.width)

    @property
    def bits(self) -> int:
        return (len(self.directory) - 1).bit_length() - 1

    def keys(self) -> Keys:
        """The keys of all entries."""
        rows = self.rows
        return Keys(rows[:, 0].copy(), None if self.exact else rows[:, 1].copy())

    def find(self, keys: Keys) -> Words:
        """The locations of keys, MISSING where there is no entry; shape (len(keys),)."""
        at = self._offsets(keys)
        found = self.words.take(at, mode="clip") == keys.high
        if keys.low is not None:
            found &= self.words.take(at + 1, mode="clip") == keys.low
        return np.where(found, self.words.take(at + (self.width - 1), mode="clip"), MISSING)

    def lower_bound(self, keys: Keys) -> Positions:
        """For each key, the number of entries whose key is less."""
        return self._offsets(keys) // self.width

    def has_at(self, positions: Positions, keys: Keys) -> Mask:
        """For each key, whether the entry at its position, n if at the end, is of that key."""
        at = positions * self.width
        found: Mask = (self.words.take(at, mode="clip") == keys.high) & (positions < len(self))
        if keys.low is not None:
            found &= self.words.take(at + 1, mode="clip") == keys.low
        return found

    def _offsets(self, keys: Keys) -> Positions:
        """For each key, where in `words` the first entry is whose key is not less."""
        at = np.empty(len(keys), np.int64)
        for start in range(0, len(keys), BATCH_KEYS):
            batch = slice(start, start + BATCH_KEYS)
            at[batch] = self._offsets_of_high(keys.high[batch])
        if keys.low is not None:
            self._pass_smaller_lows(at, keys.high, keys.low)
        return at

    def _offsets_of_high(self, high: Words) -> Positions:
        width, words = self.width, self.words
        at = self.directory.take(_buckets(high, self.bits), mode="clip").astype(np.int64)
        at *= width
        step = 1 << self.bucket_max.bit_length() >> 1
        while step:
            probe = words.take(at + width * (step - 1), mode="clip")
            at += (probe < high) * np.int64(width * step)
            step >>= 1
        return at

    def _pass_smaller_lows(self, at: Positions, high: Words, low: Words) -> None:
        """Move on from entries that have the same high word and a smaller low one.

        `at` are offsets in `words` of the first entries whose high word is not less.
        """
        words, end = self.words, len(self.words) - 1
        left = np.arange(len(at))
        while len(left):
            here = at.take(left)
            smaller = (words.take(here, mode="clip") == high.take(left)) & (here < end)
            smaller &= words.take(here + 1, mode="clip") < low.take(left)
            left = left[smaller]
            at[left] += self.width


def _buckets(high: Words, bits: int) -> Positions:
    return (high >> np.uint64(64 - bits)).astype(np.int64)


def _file_ids(words: Words, width: int) -> tuple[int, int]:
    locations = words[width - 1 : -1 : width]
    if not len(locations):
        return NO_FILES
    return int(locations.min()) >> ROW_BITS, int(locations.max()) >> ROW_BITS
