"""The whole check of a database: everything that readers believe is read back and compared.

1. All objects are listed (`survey.py`): one version is checked, and what appears later is none of
   its business. So it may run beside a primary; it takes no lease and writes nothing.
2. `format` and the id of the database (`identity.py`).
3. The log, object by object, and the checkpoints on the way (`replay.py`). What comes out is the
   newest snapshot that can be had.
4. The owners of all epochs (`epochs.py`).
5. Every table of that snapshot (`tables.py`): files, deltas, delete bitmaps, index runs, keys.
6. Files that only earlier versions read: their bytes.
7. What lies under data/ and index/ and no version names is counted, and no more: an upload may be
   under way, and what was never committed is for the collector.

Whatever is wrong is told at once, named and with what to do, and the check goes on.

**Memory.** A snapshot, as every reader holds it; `AT_ONCE` log objects, of 8 MiB each at most; of
each of `files_at_once` files a stripe, and 16 to 24 bytes for each row and key; one part of a key's
words (`key_words.py`, about 150 MB while it is compared); 8 bytes for each log object, 24 for each
object of data. Tables may be larger than memory.
**Disk.** `files_at_once` files, all runs of one table, and 16 to 24 bytes for each row of it and
key: in `scratch`, which is emptied in the end.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from storage.names import DATA_PREFIX
from storage.objects import ObjectStore
from storage.scrub.epochs import check_epochs
from storage.scrub.files import check_bytes
from storage.scrub.findings import Finding, Part, Progress, Report, Severity, Teller
from storage.scrub.identity import database_id
from storage.scrub.replay import Replay, Replayed
from storage.scrub.source import NOT_THERE, Source, side_by_side
from storage.scrub.survey import survey
from storage.scrub.tables import RESTORE_FILE, TableCheck
from storage.snapshot.graveyard import Buried
from storage.snapshot.model import Snapshot, TableState
from storage.windows import windows

__all__ = ["scrub"]

FILES_AT_ONCE = 4
PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


async def scrub(
    store: ObjectStore,
    *,
    on_finding: Callable[[Finding], None] = lambda finding: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    scratch: Path | None = None,
    files_at_once: int = FILES_AT_ONCE,
) -> Report:
    """Check the database in a store.

    Args:
        on_finding, on_progress: called as it goes on, in the event loop's thread.
        scratch: where temporary files go; None: the system's place.
        files_at_once: that are fetched and read through at a time.
    Raises:
        InvalidRequest: there is no database, or one of a newer format; or what the store refuses.
        Unavailable: the store does not answer, or the disk is full.
    """
    teller = Teller(on_finding, on_progress)
    with tempfile.TemporaryDirectory(prefix="mobula-check-", dir=scratch) as directory:
        source = Source(store, Path(directory), teller)
        return await _Check(source, teller, files_at_once).run()


class _Check:
    """One run."""

    def __init__(self, source: Source, teller: Teller, files_at_once: int) -> None:
        self._source = source
        self._teller = teller
        self._files_at_once = files_at_once

    async def run(self) -> Report:
        teller = self._teller
        teller.doing("listing")
        listed = await survey(self._source.store, teller)
        found_id = await database_id(self._source, listed, teller)
        teller.doing("log and checkpoints")
        log = await Replay(self._source, teller, found_id).run(listed)
        newest = log.snapshot.epoch
        await check_epochs(self._source, listed, log.writers, newest, teller)
        rows, broken = 0, []
        for table, label in _tables(log.snapshot):
            teller.doing(label)
            check = TableCheck(
                source=self._source,
                teller=teller,
                table=table,
                label=label,
                files_at_once=self._files_at_once,
            )
            await check.run()
            rows += check.rows
            broken += [table.id] if check.broken_index else []
        teller.doing("earlier versions")
        await self._earlier(log)
        count, size = listed.unreferenced(log.referenced)
        return Report(
            lsn=log.snapshot.lsn,
            newest_lsn=log.newest_lsn,
            objects=teller.progress.objects,
            size_bytes=teller.progress.size_bytes,
            tables=len(log.snapshot.tables),
            rows=rows,
            damages=teller.count(Severity.damage),
            warnings=teller.count(Severity.warning),
            notes=teller.count(Severity.note),
            unreferenced=count,
            unreferenced_bytes=size,
            broken_indexes=tuple(broken),
        )

    async def _earlier(self, log: Replayed) -> None:
        """Files that left: whoever asks for an earlier version reads them still."""
        for grave in log.snapshot.graveyard:
            if grave.lsn_removed <= log.snapshot.horizon:
                continue  # no version reads it: it may go any time
            files = [one for one in grave.objects if one.name.startswith(DATA_PREFIX)]
            for window in windows(files, self._files_at_once):
                await side_by_side(self._earlier_file(one, grave.table) for one in window)

    async def _earlier_file(self, file: Buried, table: str) -> None:
        path = await self._source.fetch(file.name)
        fault: tuple[str, str] | None = ("a file that earlier versions read", NOT_THERE)
        if path is not None:
            try:
                fault = await asyncio.to_thread(check_bytes, path, msgspec.structs.asdict(file))
            finally:
                path.unlink()
        if fault is not None:
            self._teller.tell(
                Finding(
                    severity=Severity.damage,
                    part=Part.data,
                    object=file.name,
                    table=table,
                    expected=fault[0],
                    found=fault[1],
                    next_step=f"{RESTORE_FILE} AS OF an earlier LSN",
                )
            )


def _tables(snapshot: Snapshot) -> Iterator[tuple[TableState, str]]:
    for table in snapshot.tables.values():
        schema = snapshot.schemas.get(table.schema_id, str(table.schema_id))
        yield table, f"{_quoted(schema)}.{_quoted(table.name)}"


def _quoted(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else '"' + name.replace('"', '""') + '"'
