"""The keys of rows as words: what an index compares, whatever the types of the columns.

A key is *exact* or *hashed*, by the columns that it is made of (`canonical.py` says which):

- exact, 64 bits: a 64-bit integer mixed by a bijection, so that equal keys are equal values and
  neighbouring values lie far apart: indexes may take words to be spread evenly;
- hashed, 128 bits: the XXH3-128 of the columns' canonical bytes. That two different keys of a table
  have the same hash is left out of account, as for every 128-bit identifier: among 10^12 keys its
  chance is below 2 * 10^-15.

Keys travel as bytes (`docs/formats/index.md`) beside the rows that they are of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import CorruptData
from storage.primary_key.words import Positions, Words, stable_order

__all__ = ["Keys", "mixed"]

_WORD_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Keys of rows, in the rows' order.

    Attributes:
        high: the mixed integers of exact keys, the first 64 bits of hashed ones; shape (n,).
        low: the other 64 bits of hashed keys; None for exact keys.
    """

    high: Words
    low: Words | None = None

    def __len__(self) -> int:
        return len(self.high)

    @property
    def exact(self) -> bool:
        return self.low is None

    def encode(self) -> bytes:
        """All high words, then all low words, little-endian."""
        parts = [self.high] if self.low is None else [self.high, self.low]
        return b"".join(part.astype("<u8", copy=False).tobytes() for part in parts)

    @classmethod
    def decode(cls, data: bytes, exact: bool, count: int) -> Keys:
        """What `encode` made of `count` keys. Raises CorruptData if the length is not theirs."""
        expected = count * _WORD_BYTES * (1 if exact else 2)
        if len(data) != expected:
            kind = "exact" if exact else "hashed"
            raise CorruptData(f"{count} {kind} keys have {expected} bytes, found {len(data)}")
        words = np.frombuffer(data, "<u8").astype(np.uint64, copy=False)
        return cls(words) if exact else cls(words[:count], words[count:])

    def take(self, positions: Positions) -> Keys:
        """The keys at these positions, in their order."""
        low = None if self.low is None else self.low.take(positions)
        return Keys(self.high.take(positions), low)

    def sorted_order(self) -> Positions:
        """The positions that sort the keys, equal ones in the order that they have."""
        return stable_order(self.high, self.low)

    def duplicates(self) -> tuple[int, int] | None:
        """Positions of two equal keys, or None.

        Of all pairs it is the one that somebody who goes through the keys meets first: the second
        position is the least that has an equal before it, the first position is that equal.
        """
        order = self.sorted_order()
        high = self.high.take(order)
        equal = high[1:] == high[:-1]
        if self.low is not None:
            low = self.low.take(order)
            equal &= low[1:] == low[:-1]
        at = np.flatnonzero(equal)
        if not len(at):
            return None
        earliest = at[np.argmin(order[at + 1])]
        return int(order[earliest]), int(order[earliest + 1])


def mixed(integers: npt.NDArray[np.int64]) -> Words:
    """64-bit integers mixed by a bijection, so that they are spread evenly.

    The finaliser of SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
    Generators" (OOPSLA 2014), with the constants of Stafford's variant 13 ("Better Bit Mixing",
    2011). 0 stays 0.
    """
    word = integers.view(np.uint64)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
