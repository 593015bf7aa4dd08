"""Smaller morsels while rows are streamed, or divided on disk.

Polars works on morsels of 100,000 rows and makes some fifteen of them ahead of who reads a stream.
That is what a stream holds in memory, so its morsels are smaller: 250,000 rows ahead instead of
1,500,000. Rows that are divided into many files take half the memory with them, and no more time.
The size is a setting of the process; another query that begins meanwhile has it too, and takes no
harm.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

__all__ = ["small_morsels"]

MORSEL_ROWS = 16_384

_lock = threading.Lock()
_streams = 0


@contextmanager
def small_morsels() -> Iterator[None]:
    """Small morsels until the last of the streams that asked for them ends."""
    _change(1)
    try:
        yield
    finally:
        _change(-1)


def _change(step: int) -> None:
    global _streams  # noqa: PLW0603 (the setting is global too)
    with _lock:
        _streams += step
        pl.Config.set_streaming_chunk_size(MORSEL_ROWS if _streams else None)
