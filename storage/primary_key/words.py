"""What everything in this package computes with: arrays of unsigned 64-bit words, and their order.

`stable_order` sorts words that are spread evenly, as hashes and mixed keys are. numpy sorts 16-bit
numbers by counting (a stable radix sort) and 64-bit numbers by comparing, so two passes over 16-bit
digits put nearly all of the words in place, and comparing finishes the few that agree in both:
three times as fast as comparing alone. Any other words are sorted as well, only slower.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Mask", "Positions", "Words", "stable_order"]

Words = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_DIGIT_BITS = 16


def stable_order(high: Words, low: Words | None = None, *, prefix_bits: int = 0) -> Positions:
    """The positions that sort words, or pairs of words, ascending; equal ones stay in their order.

    Args:
        high, low: shape (n,); pairs are compared by `high`, then by `low`.
        prefix_bits: 0 to 32, the number of leading bits that are the same in all of `high`, which
            need not be looked at: a hint, never wrong.
    """
    order = _by_digits(high, prefix_bits)
    words = high.take(order, mode="clip")
    if (words[1:] < words[:-1]).any():
        order = order.take(np.argsort(words, kind="stable"), mode="clip")
        words = high.take(order, mode="clip")
    if low is not None:
        tied = np.flatnonzero(words[1:] == words[:-1])
        if (low.take(order.take(tied + 1)) < low.take(order.take(tied))).any():
            return np.lexsort((low, high))
    return order


def _by_digits(words: Words, prefix_bits: int) -> Positions:
    """Positions in the order of the 32 bits behind the prefix."""
    top = (words >> np.uint64(64 - _DIGIT_BITS - prefix_bits)).astype(np.uint16)
    next_digit = (words >> np.uint64(64 - 2 * _DIGIT_BITS - prefix_bits)).astype(np.uint16)
    order = np.argsort(next_digit, kind="stable")
    return order.take(np.argsort(top.take(order, mode="clip"), kind="stable"), mode="clip")
