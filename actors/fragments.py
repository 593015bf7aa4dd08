"""What a worker is asked for, and what it answers: frozen, picklable values.

A `Fragment` names everything that a worker needs (files, bitmap versions, deltas, program), so that
workers hold no snapshot and any worker can run any fragment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.exports import ExportTarget
from storage.micropartition.inputs import Chosen
from storage.schema import Column
from storage.snapshot.ranges import ColumnRange
from storage.sources_scan import SourceScan

__all__ = [
    "DeltaRun",
    "FileInput",
    "Fragment",
    "FragmentResult",
    "HotFile",
    "Output",
    "QueryStats",
    "ScanInput",
    "Warmed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInput:
    """One micropartition of a scan. `bitmap`: `storage.delete_bitmap`."""

    file_id: int
    name: str
    checksum: str
    size_bytes: int
    row_count: int
    stripe_count: int
    schema_version: int
    bitmap: bytes | None = None  # deleted positions, at the fragment's snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRun:
    """Consecutive deltas of one table, as one Arrow table in logical types of one schema version.

    `key` names the content for ever, so a worker may keep what it has seen; empty: of an open
    transaction, not to be kept. `rows` is an Arrow table, or on Ray a reference to one in the
    node's object store. `ranges`: by column id, what is known of its values, deleted ones included.
    What changes while the content stays: `deleted`, the positions of deleted rows in `rows` at the
    fragment's snapshot, if any. `pieces`: see `inputs.ScanDelta`; only there where locations are
    asked for.
    """

    key: str
    schema_version: int
    row_count: int
    rows: Any
    ranges: Mapping[int, ColumnRange] = field(default_factory=dict)
    deleted: bytes | None = None
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInput:
    """One table of a fragment: the rows `SELECT columns` would see, under the name `alias`.

    Attributes:
        columns: in output order, with the names that the SQL uses (of the newest schema version).
        schemas: each schema version that a file or delta run names, as (version, columns).
        ranges: by column id, what is known of the values in these files and deltas; of each of
            `columns`.
        source: files of users, read in place, instead of files and deltas of a table.
        location: the name of one more column: where each row is (`storage.micropartition.inputs`).
        chosen: only the rows that have one of these keys.
    """

    alias: str
    columns: tuple[Column, ...]
    schemas: Mapping[int, tuple[Column, ...]]
    files: tuple[FileInput, ...] = ()
    deltas: tuple[DeltaRun, ...] = ()
    ranges: Mapping[int, ColumnRange] = field(default_factory=dict)
    source: SourceScan | None = None
    location: str | None = None
    chosen: Chosen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a fragment's rows go. "gather" returns them to the coordinator's caller; partitioned
    outputs ("hash" by `columns` into `partitions`) belong to distributed plans. "export" writes
    them to `export` and returns how many they were."""

    kind: str = "gather"
    columns: tuple[str, ...] = ()
    partitions: int = 1
    export: ExportTarget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What one worker runs: a program (`actors.planner.Program`) over named inputs.

    Attributes:
        memory_bytes: what the worker's process may take; None: it is not limited.
        spill: keep what can be kept on disk there: in memory it did not fit.
        priority, queue_timeout_ms: see `messages.Statement`.
    """

    query_id: str
    attempt: int
    program: Any
    inputs: tuple[ScanInput, ...]
    output: Output = Output()
    memory_bytes: int | None = None
    spill: bool = False
    priority: int = 0
    queue_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStats:
    """What a query cost. Counts are of micropartitions, stripes, rows, requests; sizes in bytes.

    `rows_scanned` has deleted rows too: they are read like the others before they are left out.
    """

    snapshot_lsn: int = 0
    files_total: int = 0
    files_scanned: int = 0
    stripes_total: int = 0
    stripes_scanned: int = 0
    rows_scanned: int = 0
    bytes_fetched: int = 0
    requests: int = 0
    cache_hits: int = 0
    result_cache_hit: bool = False
    workers: int = 0
    stages: int = 0
    queued_ms: float = 0.0
    plan_ms: float = 0.0
    execute_ms: float = 0.0
    attempts: int = 1
    worker_seconds: float = 0.0
    peak_memory_bytes: int = 0
    spilled_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentResult:
    """Rows of a fragment as a stream of Arrow batches (here: one table), and what they cost."""

    rows: Any  # pa.Table, or on Ray a reference to one
    stats: QueryStats


@dataclass(frozen=True, slots=True, kw_only=True)
class HotFile:
    """A file, as a worker's cache needs it to fetch it."""

    name: str
    checksum: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """Files that were fetched ahead of the queries that will read them."""

    files: int
    requests: int
    read_bytes: int
