"""A checkpoint, read back object by object, and compared with the snapshot that the log gives.

A checkpoint is only a shortcut: a bad one loses nothing while the log is whole. So each object of
it that is bad is told, and nothing else is taken from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from storage.delete_bitmap import decode_positions
from storage.scrub.findings import Finding, Part, Severity, Teller
from storage.scrub.source import NOT_THERE, Source, attempted, surplus
from storage.scrub.survey import CheckpointNames
from storage.snapshot.changes import Bitmap
from storage.snapshot.checkpoint import (
    ROOT_MAGIC,
    Catalogue,
    RootHeader,
    TableEntry,
    decode_part,
    decode_root,
    snapshot_of,
)
from storage.snapshot.model import Snapshot, TableState
from storage.windows import windows

__all__ = ["Checkpoints", "Link", "false_counts"]

PARTS_AT_ONCE = 4
NEW_ONE = (
    "none is urgent: readers take the checkpoint before it and the log. CALL mobula.checkpoint() "
    "writes a new one; two of them share no part with this one, whose root may then be removed"
)
PART = "the part that the root names"
LOGS = "the same values as the log gives at this LSN"
POSITIONS_MAX = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the log says of its group at an LSN: what a checkpoint of it must say too."""

    lsn: int = 0
    checksum: str = ""
    tso: int = 0
    epoch: int = 0

    @property
    def text(self) -> str:
        """For people."""
        return f"checksum {self.checksum}, TSO {self.tso}, epoch {self.epoch}"


class Checkpoints:
    """Reads checkpoints of one branch."""

    def __init__(self, source: Source, teller: Teller, database_id: str, branch_id: str) -> None:
        self._source = source
        self._teller = teller
        self._ids = (database_id, branch_id)
        self._named: set[str] = set()  # parts that roots name
        self._rootless: list[CheckpointNames] = []
        self._partless: list[tuple[int, str, str]] = []  # LSN, part, table
        self._whole: list[int] = []  # LSNs

    async def check(
        self, names: CheckpointNames, link: Link | None, expected: Snapshot | None
    ) -> Snapshot | None:
        """Tell what is wrong with a checkpoint; its snapshot if nothing is.

        Args:
            link: of the log at its LSN, where that is readable.
            expected: the snapshot that the log gives there, if it does.
        """
        if not names.has_root and await self._source.get(names.root) is None:
            self._rootless.append(names)
            return None
        root = await self._root(names, link)
        if root is None:
            return None
        header, catalogue = root
        self._named.update(entry.part.name for entry in catalogue.tables)
        tables, bad = await self._tables(catalogue.tables, header.lsn)
        found = snapshot_of(header, catalogue, tables)
        if not bad:
            self._whole.append(header.lsn)
        if expected is not None:
            parts = {entry.id: entry.part.name for entry in catalogue.tables}
            self._compare(names.root, parts, expected, found, bad)
        return None if bad or expected not in (None, found) else found

    def tell_of_incomplete(self) -> None:
        """To be called once all were checked. Parts alone, which no other root names: a checkpoint
        that is being written, was never finished, or lost its root. A root without a part: where
        two whole checkpoints are newer, it may have come back with a power loss after it was
        collected, and nobody needs it."""
        for lsn, part, table in self._partless:
            if sum(whole > lsn for whole in self._whole) < 2:
                self._damage(part, PART, NOT_THERE, table)
                continue
            again = f"{NOT_THERE}; newer checkpoints are whole"
            self._note(part, PART, again, "none: `mobula vacuum` removes the root", table)
        for names in self._rootless:
            if self._named.isdisjoint(names.parts):
                left = f"{NOT_THERE}, but {len(names.parts)} parts are: readers do not see them"
                step = "none: the log has everything, and `mobula vacuum` removes them"
                self._note(names.root, "a root behind its parts", left, step)

    async def _root(
        self, names: CheckpointNames, link: Link | None
    ) -> tuple[RootHeader, Catalogue] | None:
        name = names.root
        data = await self._source.get(name)
        root = NOT_THERE if data is None else attempted(name, lambda: decode_root(data, name))
        if isinstance(root, str) or data is None:
            self._damage(name, "the root of a checkpoint", str(root))
            return None
        header = root[0]
        expected = (*self._ids, names.lsn)
        found = (header.database_id, header.branch_id, header.lsn)
        if found != expected:
            self._damage(
                name,
                "database {}, branch {}, LSN {}".format(*expected),
                "database {}, branch {}, LSN {}".format(*found),
            )
            return None
        if extra := surplus(data, ROOT_MAGIC, header.sections, name):
            self._damage(name, "nothing behind its last section", f"{extra} bytes")
        said = Link(lsn=header.lsn, checksum=header.checksum, tso=header.tso, epoch=header.epoch)
        if link is not None and said != link:
            self._damage(name, f"{link.text}, as in the log", said.text)
            return None
        return root

    async def _tables(
        self, entries: Iterable[TableEntry], lsn: int
    ) -> tuple[list[TableState], set[int]]:
        """The tables that are readable, and the ids of the others."""
        tables, bad = [], set[int]()
        for window in windows(entries, PARTS_AT_ONCE):
            parts = await self._source.get_all(entry.part.name for entry in window)
            for entry, data in zip(window, parts, strict=True):
                table = self._table(entry, data, lsn)
                if table is None:
                    bad.add(entry.id)
                else:
                    tables.append(table)
        return tables, bad

    def _table(self, entry: TableEntry, data: bytes | None, lsn: int) -> TableState | None:
        name = entry.part.name
        if data is None:
            self._partless.append((lsn, name, entry.name))
            return None
        if len(data) != entry.part.size_bytes:
            self._damage(
                name,
                f"{entry.part.size_bytes} bytes, as the root says",
                f"{len(data)} bytes",
                entry.name,
            )
            return None
        part = attempted(name, lambda: decode_part(data, entry))
        if isinstance(part, str):
            self._damage(name, PART, part, entry.name)
            return None
        for fault in false_counts(part[1], name):
            self._damage(name, *fault, entry.name)
        return part[0]

    def _compare(
        self,
        root: str,
        parts: Mapping[int, str],
        expected: Snapshot,
        found: Snapshot,
        bad: Collection[int],
    ) -> None:
        """Tell where the snapshot of a checkpoint is not that of the log.

        Args:
            parts: the names of the parts by table id.
            bad: ids of tables that are told of already.
        """
        if different := _fields(expected, found, {"tables"}):
            self._damage(root, LOGS, f"others: {', '.join(different)}")
        if expected.tables.keys() != found.tables.keys() | set(bad):
            self._damage(root, LOGS, f"tables with the ids {sorted(found.tables)}")
        for table_id in sorted(expected.tables.keys() & found.tables.keys()):
            mine, theirs = expected.tables[table_id], found.tables[table_id]
            if different := _fields(mine, theirs, set()):
                self._damage(parts[table_id], LOGS, f"others: {', '.join(different)}", mine.name)

    def _damage(self, name: str, expected: str, found: str, table: str | None = None) -> None:
        self._tell(Severity.damage, (name, table), (expected, found), NEW_ONE)

    def _note(
        self, name: str, expected: str, found: str, next_step: str, table: str | None = None
    ) -> None:
        self._tell(Severity.note, (name, table), (expected, found), next_step)

    def _tell(
        self,
        severity: Severity,
        where: tuple[str, str | None],
        what: tuple[str, str],
        next_step: str,
    ) -> None:
        self._teller.tell(
            Finding(
                severity=severity,
                part=Part.checkpoint,
                object=where[0],
                table=where[1],
                expected=what[0],
                found=what[1],
                next_step=next_step,
            )
        )


def _fields(expected: Snapshot | TableState, found: object, without: set[str]) -> list[str]:
    """The fields whose values differ."""
    names = [field.name for field in dataclasses.fields(expected) if field.name not in without]
    return [name for name in names if getattr(expected, name) != getattr(found, name)]


def false_counts(bitmaps: Iterable[Bitmap], name: str) -> list[tuple[str, str]]:
    """Bitmaps that have another number of positions than they say: expected, found."""
    faults = []
    for bitmap in bitmaps:
        count = len(decode_positions(bitmap.positions, POSITIONS_MAX, name))
        if count != bitmap.deleted_count:
            what = f"deleted rows of file {bitmap.file_id}"
            faults.append((f"{bitmap.deleted_count} {what}, as it says", f"{count} positions"))
    return faults
