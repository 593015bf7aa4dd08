"""A materialised snapshot: one part per table, then a root that names them.

Writing: parts first, in parallel, root last; a checkpoint without a root does not exist. Names sort
newest first, so one listing finds the newest. Reading: root, then parts in parallel, each verified
against the checksum in the root. A reader that meets a bad checkpoint takes the one before it
(`log/reader.py`). `docs/formats/checkpoint.md` has the bytes.

A part holds segments (files, deltas, bitmaps, index runs), so that a reader may fetch only what it
needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from storage.container import Section, open_header, pack, read_section
from storage.errors import CorruptData
from storage.ids import Ids
from storage.names import CHECKPOINT_PREFIX, checkpoint_directory, is_checkpoint_directory
from storage.objects.base import ObjectStore
from storage.partitions.scheme import Partitioning
from storage.schema import Check, Key, TableSchema
from storage.snapshot.changes import Bitmap, ClusterBy, IndexRun, VirtualWarehouse
from storage.snapshot.files import FileSet
from storage.snapshot.graveyard import Grave
from storage.snapshot.model import Delta, Receipt, Sequence, Snapshot, TableState, UserType

__all__ = [
    "ROOT",
    "Catalogue",
    "CheckpointInfo",
    "Parts",
    "RootHeader",
    "TableEntry",
    "decode_part",
    "decode_root",
    "newest_roots",
    "read_checkpoint",
    "snapshot_of",
    "write_checkpoint",
]

ROOT_MAGIC = b"MOBCPR01"
PART_MAGIC = b"MOBCPP01"
ROOT = "root"
CATALOGUE_KEY = 0
T = TypeVar("T")

FILES_KEY, DELTAS_KEY, BITMAPS_KEY, INDEX_RUNS_KEY = 1, 2, 3, 4


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a checkpoint."""


class PartReference(_Value, frozen=True):
    """Where a table's part is; `checksum` is of the part's header."""

    name: str
    size_bytes: int
    checksum: str


class TableEntry(_Value, frozen=True):
    """A table but for its files, deltas, bitmaps and index runs, which its part holds."""

    id: int
    schema_id: int
    name: str
    schemas: tuple[TableSchema, ...]
    cluster_by: ClusterBy | None
    options: dict[str, int | str]
    next_column_id: int
    next_file_id: int
    part: PartReference
    checks: tuple[Check, ...] = ()
    comment: str | None = None
    column_comments: dict[int, str] = {}
    keys: tuple[Key, ...] = ()
    partitioning: Partitioning | None = None


class Catalogue(_Value, frozen=True):
    """The content of the root's one section."""

    next_id: int
    schemas: dict[int, str]
    tables: tuple[TableEntry, ...]
    types: tuple[UserType, ...]
    sequences: tuple[Sequence, ...]
    virtual_warehouses: tuple[VirtualWarehouse, ...]
    settings: dict[str, str]
    tokens: dict[str, dict[int, Receipt]]
    horizon: int
    planned: tuple[str, ...]
    branch_pins: dict[str, int]
    tags: dict[str, int]
    graveyard: tuple[Grave, ...]
    collected: tuple[str, ...]
    upload_floor: int  # roots of versions before collection lack it: they do not decode


class RootHeader(_Value, frozen=True):
    """Which snapshot this is; `checksum` is of the log object at `lsn`."""

    database_id: str
    branch_id: str
    lsn: int
    tso: int
    epoch: int
    checksum: str
    sections: tuple[Section, ...] = ()


class PartHeader(_Value, frozen=True):
    """The segments of one table's part."""

    table_id: int
    lsn: int
    sections: tuple[Section, ...] = ()


# by table id: a table as a part has it, and the part
Parts = Mapping[int, tuple[TableState, PartReference]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """A checkpoint that was written: its root's name, its LSN, bytes in all objects and in those
    that are new, and parts."""

    name: str
    lsn: int
    size_bytes: int
    written_bytes: int
    parts: Parts


async def write_checkpoint(
    store: ObjectStore, snapshot: Snapshot, ids: Ids, known: Parts | None = None
) -> CheckpointInfo:
    """Write `snapshot` under a name of its own. 1 PUT for the root, and 1 for each table that is
    not the very one of `known`, parts of an earlier checkpoint."""
    directory = checkpoint_directory(snapshot.lsn, ids.new())

    used: list[PartReference] = []

    async def part_of(table: TableState) -> PartReference:
        if known is not None and (found := known.get(table.id)) and found[0] is table:
            used.append(found[1])
            return found[1]
        return await _write_part(store, f"{directory}/part-{table.id}", table, snapshot.lsn)

    tables = tuple(snapshot.tables.values())
    references = await asyncio.gather(*(part_of(table) for table in tables))
    pairs = list(zip(tables, references, strict=True))
    entries = tuple(_table_entry(table, part) for table, part in pairs)
    data, _ = pack(
        ROOT_MAGIC,
        [(CATALOGUE_KEY, msgspec.msgpack.encode(_catalogue(snapshot, entries)))],
        lambda sections: RootHeader(
            database_id=snapshot.database_id,
            branch_id=snapshot.branch_id,
            lsn=snapshot.lsn,
            tso=snapshot.tso,
            epoch=snapshot.epoch,
            checksum=snapshot.checksum,
            sections=sections,
        ),
    )
    name = f"{directory}/{ROOT}"
    await store.put(name, data)
    size = len(data) + sum(part.size_bytes for part in references)
    parts = {table.id: (table, part) for table, part in pairs}
    return CheckpointInfo(
        name=name,
        lsn=snapshot.lsn,
        size_bytes=size,
        written_bytes=size - sum(part.size_bytes for part in used),
        parts=parts,
    )


async def newest_roots(store: ObjectStore, *, at_most_lsn: int | None = None) -> list[str]:
    """Names of complete checkpoints, newest first, from one listing page (more only if that page
    has no root)."""
    start = "" if at_most_lsn is None else checkpoint_directory(at_most_lsn)
    roots: list[str] = []
    seen = 0
    page = 1000
    async for entry in store.list(CHECKPOINT_PREFIX, start_after=start, page_size=page):
        seen += 1
        directory, _, last = entry.name.rpartition("/")
        if last == ROOT and is_checkpoint_directory(directory):
            roots.append(entry.name)
        if roots and seen % page == 0:
            break
    return roots


async def read_checkpoint(store: ObjectStore, name: str) -> Snapshot:
    """The snapshot of the checkpoint with this root. 1 GET and 1 per table.

    Raises:
        CorruptData: naming the object.
    """
    header, catalogue = decode_root(await store.get(name), name)
    tables = await asyncio.gather(*(_read_part(store, entry) for entry in catalogue.tables))
    return snapshot_of(header, catalogue, tables)


def snapshot_of(header: RootHeader, catalogue: Catalogue, tables: Iterable[TableState]) -> Snapshot:
    """The snapshot of a root and its tables."""
    return Snapshot(
        database_id=header.database_id,
        branch_id=header.branch_id,
        lsn=header.lsn,
        tso=header.tso,
        epoch=header.epoch,
        checksum=header.checksum,
        next_id=catalogue.next_id,
        schemas=catalogue.schemas,
        tables={table.id: table for table in tables},
        types={found.id: found for found in catalogue.types},
        sequences={found.id: found for found in catalogue.sequences},
        virtual_warehouses={vw.name: vw for vw in catalogue.virtual_warehouses},
        settings=catalogue.settings,
        tokens=catalogue.tokens,
        horizon=catalogue.horizon,
        graveyard=catalogue.graveyard,
        planned=frozenset(catalogue.planned),
        collected=frozenset(catalogue.collected),
        upload_floor=catalogue.upload_floor,
        branch_pins=catalogue.branch_pins,
        tags=catalogue.tags,
    )


def decode_root(data: bytes, name: str) -> tuple[RootHeader, Catalogue]:
    """A root from its bytes. Raises CorruptData naming it."""
    header, _ = open_header(data, ROOT_MAGIC, RootHeader, name)
    for section in header.sections:
        if section.key == CATALOGUE_KEY:
            plain = read_section(data, ROOT_MAGIC, section, name)
            return header, _decode(plain, Catalogue, name)
    raise CorruptData(f"{name}: the catalogue section is missing")


def _decode(plain: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.msgpack.decode(plain, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptData(f"{name}: does not decode: {error}") from error


def _catalogue(snapshot: Snapshot, tables: tuple[TableEntry, ...]) -> Catalogue:
    return Catalogue(
        next_id=snapshot.next_id,
        schemas=dict(snapshot.schemas),
        tables=tables,
        types=tuple(snapshot.types.values()),
        sequences=tuple(snapshot.sequences.values()),
        virtual_warehouses=tuple(snapshot.virtual_warehouses.values()),
        settings=dict(snapshot.settings),
        tokens={writer: dict(receipts) for writer, receipts in snapshot.tokens.items()},
        horizon=snapshot.horizon,
        graveyard=snapshot.graveyard,
        planned=tuple(sorted(snapshot.planned)),
        collected=tuple(sorted(snapshot.collected)),
        upload_floor=snapshot.upload_floor,
        branch_pins=dict(snapshot.branch_pins),
        tags=dict(snapshot.tags),
    )


def _table_entry(table: TableState, part: PartReference) -> TableEntry:
    return TableEntry(
        id=table.id,
        schema_id=table.schema_id,
        name=table.name,
        schemas=table.schemas,
        cluster_by=table.cluster_by,
        options=dict(table.options),
        next_column_id=table.next_column_id,
        next_file_id=table.next_file_id,
        part=part,
        checks=table.checks,
        comment=table.comment,
        column_comments=dict(table.column_comments),
        keys=table.keys,
        partitioning=table.partitioning,
    )


async def _write_part(store: ObjectStore, name: str, table: TableState, lsn: int) -> PartReference:
    encode = msgspec.msgpack.encode
    data, digest = pack(
        PART_MAGIC,
        [
            (FILES_KEY, table.files.encode()),
            (DELTAS_KEY, encode(table.deltas)),
            (BITMAPS_KEY, encode(_bitmaps(table))),
            (INDEX_RUNS_KEY, encode(table.index_runs)),
        ],
        lambda sections: PartHeader(table_id=table.id, lsn=lsn, sections=sections),
    )
    await store.put(name, data)
    return PartReference(name=name, size_bytes=len(data), checksum=digest)


def _bitmaps(table: TableState) -> tuple[Bitmap, ...]:
    return tuple(
        Bitmap(file_id=b.file_id, deleted_count=b.deleted_count, positions=b.positions)
        for b in table.bitmaps.values()
    )


async def _read_part(store: ObjectStore, entry: TableEntry) -> TableState:
    return decode_part(await store.get(entry.part.name), entry)[0]


def decode_part(data: bytes, entry: TableEntry) -> tuple[TableState, tuple[Bitmap, ...]]:
    """A table from the bytes of its part, and its bitmaps as they stand there.

    Raises CorruptData naming the part.
    """
    name = entry.part.name
    header, digest = open_header(data, PART_MAGIC, PartHeader, name)
    if digest != entry.part.checksum or header.table_id != entry.id:
        raise CorruptData(f"{name}: checksum {digest}, the root expects {entry.part.checksum}")
    segments = {s.key: read_section(data, PART_MAGIC, s, name) for s in header.sections}
    try:
        files, deltas = segments[FILES_KEY], segments[DELTAS_KEY]
        bitmaps, index_runs = segments[BITMAPS_KEY], segments[INDEX_RUNS_KEY]
    except KeyError as error:
        raise CorruptData(f"{name}: segment {error} is missing") from error
    deleted = _decode(bitmaps, tuple[Bitmap, ...], name)
    state = TableState(
        id=entry.id,
        schema_id=entry.schema_id,
        name=entry.name,
        schemas=entry.schemas,
        cluster_by=entry.cluster_by,
        options=entry.options,
        checks=entry.checks,
        comment=entry.comment,
        column_comments=entry.column_comments,
        keys=entry.keys,
        partitioning=entry.partitioning,
        next_column_id=entry.next_column_id,
        next_file_id=entry.next_file_id,
        deltas=_decode(deltas, tuple[Delta, ...], name),
        files=FileSet.decode(files, name),
        index_runs=_decode(index_runs, tuple[IndexRun, ...], name),
    )
    return state.deleting(deleted, name), deleted
