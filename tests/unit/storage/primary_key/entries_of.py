"""Small keys, entries and runs for the tests of the index, and what a dictionary says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from storage.primary_key.entries import Entries
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING
from storage.primary_key.run import Run, open_run
from storage.primary_key.run_writer import entry_rows, write_run

Pair = tuple[int, int]

# close together and far apart, at both ends, and with every kind of tie
HIGH = (0, 1, 2, 1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, 2**64 - 2, 2**64 - 1)
LOW = (0, 1, 1 << 63, 2**64 - 1)


def keys_of_pairs(pairs: list[Pair], exact: bool) -> Keys:
    high = np.array([high for high, _ in pairs], np.uint64)
    return Keys(high, None if exact else np.array([low for _, low in pairs], np.uint64))


def entries_of(pairs: Mapping[Pair, int], exact: bool) -> Entries:
    keys = keys_of_pairs(list(pairs), exact)
    return Entries.from_rows(entry_rows(keys, np.array(list(pairs.values()), np.uint64)))


def run_of(path: Path, pairs: Mapping[Pair, int], exact: bool, first_file_id: int = 0) -> Run:
    """A run written to a path and opened; the file is removed."""
    keys = keys_of_pairs(list(pairs), exact)
    write_run(path, keys, np.array(list(pairs.values()), np.uint64))
    run = open_run(path, first_file_id=first_file_id)
    path.unlink()
    return run


def looked_up(pairs: Mapping[Pair, int], wanted: list[Pair]) -> list[int]:
    """What a search must give."""
    return [pairs.get(pair, int(MISSING)) for pair in wanted]
