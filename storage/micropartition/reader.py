"""Reading micropartitions: many files and deltas as one lazy frame, or one file as an Arrow table.

`scan` builds, for each schema version, one Parquet scan over its files and one frame over its
deltas, selects the wanted columns by id under their newest names, and concatenates. What it returns
is plain Polars, so that projections and predicates of the query reach the Parquet scans:

- integers of any physical width are widened by the scan itself (`schema`, `cast_options`), which
  keeps skipping stripes by their statistics; arithmetic never sees a narrow type;
- with `carriers`, columns are what execution computes with (`carriers.py`): a scaled decimal stays
  the integer that it is in the file, so predicates on it skip stripes too;
- without, a scaled decimal is widened to 128 bits and reinterpreted: exact, and twice as fast as a
  division. A predicate on it is applied behind the scan, so it does not skip stripes;
- a column that a version does not have is NULL of its type;
- Polars hears how many rows the files have, which it would not find out by itself when it is told
  the schema: it then builds hash tables on the smaller side and filters the larger one by them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptData, InternalError, NotYet, ObjectMissing
from storage.micropartition.carriers import (
    carried,
    carrier_type,
    has_enum,
    polars_type,
    stored_type,
)
from storage.micropartition.physical import UUID, is_scaled, scale_of, to_logical
from storage.micropartition.writer import FORMAT_VERSION
from storage.schema import (
    ArrayType,
    Column,
    DecimalType,
    SqlType,
    StructType,
    TableSchema,
    arrow_schema,
    arrow_type,
)

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


def scan(
    groups: Sequence[ScanGroup], columns: tuple[Column, ...], *, carriers: bool = False
) -> pl.LazyFrame:
    """The rows of all groups, in their order, files before deltas.

    Args:
        columns: what to return, with its newest names; at least one, because a Polars frame without
            columns has no rows (count over any column instead).
        carriers: every column as `carriers.carrier_type` says; else as `carriers.polars_type` does,
            which has DECIMAL(p, s) as Decimal(p, s).
    Returns: a lazy frame.
    Raises:
        NotYet: a file has a delete bitmap.
        InternalError: no columns.
    """
    if not columns:
        raise InternalError("a scan needs at least one column")
    types = {c.id: carrier_type(c.type) if carriers else polars_type(c.type) for c in columns}
    frames = [frame for group in groups for frame in _group_frames(group, columns, types)]
    if not frames:
        return pl.LazyFrame(schema={c.name: types[c.id] for c in columns})
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


def _group_frames(
    group: ScanGroup, columns: tuple[Column, ...], types: Mapping[int, Any]
) -> Iterable[pl.LazyFrame]:
    own = {column.id: column for column in group.columns}
    if any(file.bitmap is not None for file in group.files):
        raise NotYet("reading a micropartition with a delete bitmap comes with keyed writes")
    if group.files:
        yield _parquet(group).select([_decoded(own.get(c.id), c, types[c.id]) for c in columns])
    deltas = [delta for delta in group.deltas if delta.num_rows]
    if deltas:
        rows = pl.concat([_delta(delta, own, columns) for delta in deltas], how="vertical")
        yield rows.lazy().select([_decoded(c, c, types[c.id]) for c in columns])


def _parquet(group: ScanGroup) -> pl.LazyFrame:
    counts = [file.row_count for file in group.files]
    known = [count for count in counts if count is not None]
    return pl.scan_parquet(
        [file.path for file in group.files],
        schema={c.name: stored_type(c.type) for c in group.columns},
        cast_options=pl.ScanCastOptions(integer_cast="upcast"),
        glob=False,
        hive_partitioning=False,
        # Rows, and rows deleted. Internal to Polars, hence its version is pinned.
        _row_count=(sum(known), 0) if len(known) == len(counts) else None,
    )


def _decoded(own: Column | None, wanted: Column, target: Any) -> pl.Expr:
    """The expression over columns as they are stored that gives the wanted one."""
    if own is None:
        return pl.lit(None, dtype=target).alias(wanted.name)
    found = pl.col(own.name)
    if has_enum(own.type):
        found = found.cast(target)
    elif isinstance(own.type, DecimalType) and target != stored_type(own.type):
        narrow = scale_of(own.type) is not None
        found = found.cast(pl.Int128).reinterpret(dtype=target) if narrow else found.cast(target)
    return found.alias(wanted.name)


def _delta(delta: pa.Table, own: dict[int, Column], columns: tuple[Column, ...]) -> pl.DataFrame:
    """Rows of a delta under the wanted names, as a file's scan would give them."""
    arrays = []
    for column in columns:
        known = own.get(column.id)
        if known is None:
            values = pa.chunked_array([pa.nulls(delta.num_rows, arrow_type(column.type))])
        else:
            values = delta[known.name]
        arrays.append(carried(values, column.type))
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
        if not _holds(column.type, field.type):
            raise CorruptData(f"{name}: column {column.name} has the unexpected type {field.type}")
    return footer


def _expect(name: str, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise CorruptData(f"{name}: expected {what} {expected}, found {found}")


def _holds(sql_type: SqlType, stored: pa.DataType) -> bool:
    """True if a Parquet reader may return `stored` for a column of the type."""
    match sql_type:
        case ArrayType(element):
            listed = pa.types.is_list(stored) or pa.types.is_large_list(stored)
            return bool(listed and _holds(element, stored.value_type))
        case StructType(_, fields):
            if not pa.types.is_struct(stored) or stored.num_fields != len(fields):
                return False
            return all(
                stored[position].name == name and _holds(kind, stored[position].type)
                for position, (name, kind) in enumerate(fields)
            )
        case _ if is_scaled(sql_type):
            return bool(pa.types.is_signed_integer(stored))
    logical = arrow_type(sql_type)
    if pa.types.is_large_string(logical):
        return bool(pa.types.is_string(stored) or pa.types.is_large_string(stored))
    if pa.types.is_large_binary(logical):
        return bool(pa.types.is_binary(stored) or pa.types.is_large_binary(stored))
    if sql_type == UUID and isinstance(stored, pa.UuidType):
        return True
    return bool(stored == logical)
