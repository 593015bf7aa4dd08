"""The search in several runs at once, each key in the run that it belongs to.

A search in one run costs tens of microseconds, however few the keys are. A table of many partitions
has many runs, and each write has some keys for each of them. Where runs lie side by side in one
mapping (`side_by_side.py`), all keys take each step together, whichever run they are for. The steps
are those of `Entries.find`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING
from storage.primary_key.words import Positions, Words

__all__ = ["Arena"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Arena:
    """Several runs, all exact or all hashed; what is of each has shape (runs,).

    Attributes:
        words: the whole mapping as words.
        numbers: the same as 4-byte numbers.
        width: words of an entry.
        first, end: in `words`, where the entries of a run begin and the word of ones behind them.
        directory: in `numbers`, where its directory begins.
        shift: by which a key becomes the number of its bucket.
        bucket_max: entries of the largest bucket of all.
    """

    words: Words
    numbers: npt.NDArray[np.uint32]
    width: int
    first: Positions
    end: Positions
    directory: Positions
    shift: Words
    bucket_max: int

    def find(self, keys: Keys, slots: Positions) -> Words:
        """The locations of keys as the entries have them, MISSING where there is none; shape
        (len(keys),).

        Args: slots: of each key, the run that is searched for it.
        """
        words, end = self.words, self.end.take(slots)
        at = self._offsets(keys, slots, end)
        found = words.take(at) == keys.high
        if keys.low is not None:
            found &= words.take(np.minimum(at + 1, end)) == keys.low
        return np.where(found, words.take(np.minimum(at + (self.width - 1), end)), MISSING)

    def _offsets(self, keys: Keys, slots: Positions, end: Positions) -> Positions:
        """For each key, where in `words` the first entry of its run is whose key is not less."""
        width, words, high = self.width, self.words, keys.high
        at = (high >> self.shift.take(slots)).astype(np.int64)
        at += self.directory.take(slots)
        at = self.numbers.take(at).astype(np.int64)
        at *= width
        at += self.first.take(slots)
        step = 1 << self.bucket_max.bit_length() >> 1
        while step:
            probe = words.take(np.minimum(at + width * (step - 1), end))
            at += (probe < high) * np.int64(width * step)
            step >>= 1
        if keys.low is not None:
            self._pass_smaller_lows(at, keys, end)
        return at

    def _pass_smaller_lows(self, at: Positions, keys: Keys, end: Positions) -> None:
        """Move on from entries that have the same high word and a smaller low one."""
        assert keys.low is not None
        left = np.flatnonzero(at < end)
        while len(left):
            here = at.take(left)
            smaller = self.words.take(here) == keys.high.take(left)
            smaller &= self.words.take(here + 1) < keys.low.take(left)
            left = left[smaller]
            at[left] += self.width
            left = left[at.take(left) < end.take(left)]
