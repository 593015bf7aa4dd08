"""The indexes of keys: from a key to where its row is (`docs/formats/index.md`)."""

from storage.primary_key.canonical import check_key_types, is_exact, keys_of
from storage.primary_key.index import KeyIndex, PlacedRun
from storage.primary_key.keys import Keys
from storage.primary_key.locations import (
    MISSING,
    ROW_BITS,
    LiveIds,
    LiveRows,
    bitmaps_by_file,
    file_ids_of,
    locations_in,
    rows_of,
)
from storage.primary_key.memory import Memory, Tier
from storage.primary_key.merge import Duplicate, find_duplicate
from storage.primary_key.merge import merge as merge_runs
from storage.primary_key.pages import MappedPages
from storage.primary_key.run import Run, open_run
from storage.primary_key.run_writer import WrittenRun, write_run
from storage.primary_key.side_by_side import side_by_side
from storage.primary_key.table_index import OpenRun, TableIndex
from storage.primary_key.words import Mask, Positions, Words

__all__ = [
    "MISSING",
    "ROW_BITS",
    "Duplicate",
    "KeyIndex",
    "Keys",
    "LiveIds",
    "LiveRows",
    "MappedPages",
    "Mask",
    "Memory",
    "OpenRun",
    "PlacedRun",
    "Positions",
    "Run",
    "TableIndex",
    "Tier",
    "Words",
    "WrittenRun",
    "bitmaps_by_file",
    "check_key_types",
    "file_ids_of",
    "find_duplicate",
    "is_exact",
    "keys_of",
    "locations_in",
    "merge_runs",
    "open_run",
    "rows_of",
    "side_by_side",
    "write_run",
]
