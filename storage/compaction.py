"""Delete compaction: files of which many rows are gone are written anew without them.

Each file is written anew by itself, so that it covers no more of the table's order than before; of
one without a row nothing is left. A task takes few files, and holds the rows of one at a time.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.compaction_policy import CompactionPolicy
from storage.errors import CorruptData
from storage.ids import Ids
from storage.micropartition import reader
from storage.micropartition.writer import checksum_of
from storage.objects.base import ObjectStore
from storage.rewrite import Rewritten, living, write_again
from storage.snapshot.model import TableState
from storage.target import IngestTarget

__all__ = ["compact", "files_due"]


def files_due(policy: CompactionPolicy, table: TableState) -> tuple[int, ...]:
    """Ids of the files to be written anew, those with the most holes first."""
    deleted = {i: bitmap.deleted_count for i, bitmap in table.bitmaps.items()}
    shares = {i: deleted[i] / rows for i, rows in table.files.row_counts(deleted).items()}
    due = [i for i, share in shares.items() if share >= policy.holes_max]
    due.sort(key=lambda i: (-shares[i], i))
    return tuple(due)


async def compact(
    store: ObjectStore,
    table: TableState,
    file_ids: Collection[int],
    target: IngestTarget,
    *,
    ids: Ids,
    scratch: Path | None = None,
) -> Rewritten:
    """Write the living rows of files of `table` as new ones; commits nothing.

    Args: target: the table's, with the order of its rows.
    Raises: what the store raises; CorruptData naming a file that is not what it was.
    """
    with tempfile.TemporaryDirectory(prefix="mobula-compact-", dir=scratch) as directory:
        parts = _living(store, table, file_ids, Path(directory))
        return await write_again(
            store, table, file_ids, parts, target, ids=ids, scratch=Path(directory)
        )


async def _living(
    store: ObjectStore, table: TableState, file_ids: Collection[int], directory: Path
) -> AsyncIterator[list[pa.Table]]:
    """The living rows of one file after the other."""
    wanted = pc.is_in(table.files.table["file_id"], value_set=pa.array(file_ids, pa.int64()))
    columns = ["file_id", "name", "checksum", "schema_version"]
    for file in table.files.table.select(columns).filter(wanted).to_pylist():
        path = directory / "file"
        await store.fetch(file["name"], path)
        yield [await asyncio.to_thread(_rows, path, file, table)]


def _rows(path: Path, file: dict[str, Any], table: TableState) -> pa.Table:
    """Those of a file that is here, which goes."""
    try:
        found = checksum_of(path)
        if found != file["checksum"]:  # written anew, the damage would look sound
            raise CorruptData(f"{file['name']}: checksum {found}, expected {file['checksum']}")
        version = file["schema_version"]
        rows = reader.read(path, table.schema_version(version), file["name"])
        return living(rows, file["file_id"], version, table)
    finally:
        path.unlink()
