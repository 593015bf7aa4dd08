"""Many things, so many at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["windows"]

T = TypeVar("T")


def windows(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """The items, so many at a time; the last may be fewer."""
    rest = iter(items)
    while window := tuple(itertools.islice(rest, size)):
        yield window
