"""Reading micropartitions: many files and deltas as one lazy frame, or one file as an Arrow table.

`scan` builds, for each schema version, one Parquet scan over its files and one frame over its
deltas, selects the wanted columns by id under their newest names, and concatenates. What it returns
is plain Polars, so that projections and predicates of the query reach the Parquet scans:

- integers of any physical width are widened by the scan itself (`schema`, `cast_options`), which
  keeps skipping stripes by their statistics; arithmetic never sees a narrow type;
- a scaled decimal is widened to 128 bits and reinterpreted: exact, and twice as fast as a division.
  A predicate on it is applied behind the scan, so it does not skip stripes;
- a column that a version does not have is NULL of its type;
- Polars hears how many rows the files have, which it would not find out by itself when it is told
  the schema: it then builds hash tables on the smaller side and filters the larger one by them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptData, InternalError, NotYet, ObjectMissing
from storage.micropartition.physical import is_scaled, polars_type, scale_of, to_logical
from storage.micropartition.writer import FORMAT_VERSION
from storage.schema import Column, DecimalType, TableSchema, arrow_schema, arrow_type, is_integer

__all__ = ["ScanFile", "ScanGroup", "check_footer", "read", "scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFile:
    """A micropartition on this machine.

    Attributes:
        bitmap: its deleted positions, if any.
        row_count: rows in the file, deleted ones too, as the catalogue says; None if not known.
    """

    path: Path
    bitmap: bytes | None = None
    row_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanGroup:
    """What a scan reads of one schema version, whose columns are `columns`.

    `deltas` are Arrow tables in `arrow_schema(columns)`.
    """

    columns: tuple[Column, ...]
    files: tuple[ScanFile, ...] = ()
    deltas: tuple[pa.Table, ...] = ()


def scan(groups: Sequence[ScanGroup], columns: tuple[Column, ...]) -> pl.LazyFrame:
    """The rows of all groups, in their order, files before deltas.

    Args:
        columns: what to return, with its newest names; at least one, because a Polars frame without
            columns has no rows (count over any column instead).
    Returns: a lazy frame; SMALLINT, INTEGER and BIGINT are Int64, DECIMAL(p, s) is Decimal(p, s),
        the rest as `physical.polars_type` says.
    Raises:
        NotYet: a file has a delete bitmap.
        InternalError: no columns.
    """
    if not columns:
        raise InternalError("a scan needs at least one column")
    frames = [frame for group in groups for frame in _group_frames(group, columns)]
    if not frames:
        return pl.LazyFrame(schema={c.name: polars_type(c.type) for c in columns})
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")


def read(path: Path, schema: TableSchema, name: str | None = None) -> pa.Table:
    """A whole file in `arrow_schema(schema.columns)`.

    Args:
        schema: the version that the file was written with.
        name: of the object, for messages; the path if None.
    Raises:
        CorruptData: the file is not a micropartition of that schema, or does not decode.
    """
    source = name or str(path)
    check_footer(path, schema, source)
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise CorruptData(f"{source}: the file does not decode: {error}") from error
    wanted = arrow_schema(schema.columns)
    arrays = [to_logical(table[c.name], c.type) for c in schema.columns]
    return pa.Table.from_arrays(arrays, schema=wanted)


# --- scans ----------------------------------------------------------------------------------------


def _group_frames(group: ScanGroup, columns: tuple[Column, ...]) -> Iterable[pl.LazyFrame]:
    own = {column.id: column for column in group.columns}
    if any(file.bitmap is not None for file in group.files):
        raise NotYet("reading a micropartition with a delete bitmap comes with keyed writes")
    if group.files:
        decoded = [_decoded(own.get(c.id), c).alias(c.name) for c in columns]
        yield _parquet(group).select(decoded)
    deltas = [delta for delta in group.deltas if delta.num_rows]
    if deltas:
        rows = pl.concat([_delta(delta, own, columns) for delta in deltas], how="vertical")
        yield rows.lazy()


def _parquet(group: ScanGroup) -> pl.LazyFrame:
    counts = [file.row_count for file in group.files]
    known = [count for count in counts if count is not None]
    return pl.scan_parquet(
        [file.path for file in group.files],
        schema={c.name: _stored_type(c) for c in group.columns},
        cast_options=pl.ScanCastOptions(integer_cast="upcast"),
        glob=False,
        hive_partitioning=False,
        # Rows, and rows deleted. Internal to Polars, hence its version is pinned.
        _row_count=(sum(known), 0) if len(known) == len(counts) else None,
    )


def _stored_type(column: Column) -> pl.DataType:
    """What the scan hands over: scaled types as Int64, the rest as it comes out."""
    found: pl.DataType = pl.Int64() if is_scaled(column.type) else polars_type(column.type)
    return found


def _decoded(own: Column | None, wanted: Column) -> pl.Expr:
    """The expression over a file's columns that gives the wanted one."""
    if own is None:
        return pl.lit(None, dtype=polars_type(wanted.type))
    if scale_of(own.type) is None:
        return pl.col(own.name)
    return pl.col(own.name).cast(pl.Int128).reinterpret(dtype=polars_type(own.type))


def _delta(delta: pa.Table, own: dict[int, Column], columns: tuple[Column, ...]) -> pl.DataFrame:
    arrays = []
    for column in columns:
        known = own.get(column.id)
        if known is None:
            arrays.append(pa.nulls(delta.num_rows, arrow_type(column.type)))
        else:
            values = delta[known.name]
            arrays.append(values.cast(pa.int64()) if is_integer(known.type) else values)
    frame = pl.from_arrow(pa.Table.from_arrays(arrays, names=[c.name for c in columns]))
    assert isinstance(frame, pl.DataFrame)
    return frame


# --- footers --------------------------------------------------------------------------------------


def check_footer(path: Path, schema: TableSchema, name: str) -> pq.FileMetaData:
    """The footer of a file that is said to be micropartition `name` of that schema version.

    Raises:
        ObjectMissing: there is no such file.
        CorruptData: it is no Parquet file, not of this format, or not of that schema.
    """
    try:
        footer = pq.read_metadata(path)
    except FileNotFoundError as error:
        raise ObjectMissing(f"{name}: the file is not there") from error
    except (pa.ArrowException, OSError) as error:
        raise CorruptData(f"{name}: the footer does not decode: {error}") from error
    metadata = {k.decode(): v.decode() for k, v in (footer.metadata or {}).items()}
    _expect(name, "format", FORMAT_VERSION, metadata.get("mobula.format"))
    _expect(name, "schema version", str(schema.version), metadata.get("mobula.schema_version"))
    ids = json.dumps([c.id for c in schema.columns])
    _expect(name, "column ids", ids, metadata.get("mobula.column_ids"))
    stored = footer.schema.to_arrow_schema()
    _expect(name, "column names", schema.names, stored.names)
    for column, field in zip(schema.columns, stored, strict=True):
        if not _holds(column, field.type):
            raise CorruptData(f"{name}: column {column.name} has the unexpected type {field.type}")
    return footer


def _expect(name: str, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise CorruptData(f"{name}: expected {what} {expected}, found {found}")


def _holds(column: Column, stored: pa.DataType) -> bool:
    """True if a Parquet reader may return `stored` for the column."""
    if is_scaled(column.type):
        return bool(pa.types.is_signed_integer(stored))
    if isinstance(column.type, DecimalType):
        return bool(stored == arrow_type(column.type))
    logical = arrow_type(column.type)
    if pa.types.is_large_string(logical):
        return bool(pa.types.is_string(stored) or pa.types.is_large_string(stored))
    if pa.types.is_large_binary(logical):
        return bool(pa.types.is_binary(stored) or pa.types.is_large_binary(stored))
    return bool(stored == logical)
