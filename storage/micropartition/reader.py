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
- deleted rows are left out (`live_rows.py`): files with a delete bitmap have a scan of their own,
  so that those without pay nothing for them, unless they have few rows;
- Polars hears how many rows the files have, which it would not find out by itself when it is told
  the schema: it then builds hash tables on the smaller side and filters the larger one by them.

Inside a transaction, what it did itself lies over all that (`inputs.Chosen`): stored rows whose
keys it wrote are left out by an anti-join, and its own rows come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptData, InternalError
from storage.micropartition.carriers import (
    carried,
    carrier_type,
    has_enum,
    polars_type,
    stored_type,
)
from storage.micropartition.footer import check_footer
from storage.micropartition.inputs import Chosen, ScanDelta, ScanFile, ScanGroup
from storage.micropartition.live_rows import (
    CountedFiles,
    counted,
    deleted_rows,
    delta_locations,
    live_flags,
    unused,
)
from storage.micropartition.physical import scale_of, to_logical
from storage.schema import (
    Column,
    DecimalType,
    TableSchema,
    arrow_schema,
    arrow_type,
)

__all__ = ["Chosen", "ScanDelta", "ScanFile", "ScanGroup", "check_footer", "read", "scan"]

NAMED_KEYS_MAX = 16  # keys that are compared one by one
COUNTED_ROWS_MAX = 1 << 17  # of files without deleted rows, in a scan of files with some


def scan(
    groups: Sequence[ScanGroup],
    columns: tuple[Column, ...],
    *,
    carriers: bool = False,
    location: str | None = None,
    chosen: Chosen | None = None,
) -> pl.LazyFrame:
    """The live rows of all groups. Group by group: files, then deltas; of each first those without
    deleted rows, unless these are few rows; within that, in their order.

    Args:
        columns: what to return, with its newest names; at least one, because a Polars frame without
            columns has no rows (count over any column instead).
        carriers: every column as `carriers.carrier_type` says; else as `carriers.polars_type` does,
            which has DECIMAL(p, s) as Decimal(p, s).
        location: the name of one more column, BIGINT: where each row is (`inputs.py`).
        chosen: only the rows that have one of these keys.
    Returns: a lazy frame.
    Raises:
        CorruptData: a delete bitmap is not one of its file or delta.
        InternalError: no columns, or something is not told that `inputs.py` asks for.
    """
    if not columns:
        raise InternalError("a scan needs at least one column")
    wanted = columns if chosen is None else _with_key(columns, chosen)
    reader = _Reader(
        columns=wanted,
        types={c.id: carrier_type(c.type) if carriers else polars_type(c.type) for c in wanted},
        location=location,
    )
    frames = [frame for group in groups for frame in reader.frames(group)]
    found = _concatenated(frames) if frames else reader.empty()
    if chosen is None:
        return found
    found = reader.chosen(found, chosen)
    names = [c.name for c in columns] + ([] if location is None else [location])
    return found if wanted is columns else found.select(names)


def read(
    path: Path,
    schema: TableSchema,
    name: str | None = None,
    columns: tuple[Column, ...] | None = None,
) -> pa.Table:
    """A whole file in `arrow_schema(columns)`.

    Args:
        schema: the version that the file was written with.
        name: of the object, for messages; the path if None.
        columns: those of the schema to read; None: all.
    Raises:
        CorruptData: the file is not a micropartition of that schema, or does not decode.
    """
    source = name or str(path)
    check_footer(path, schema, source)
    wanted = schema.columns if columns is None else columns
    try:
        table = pq.read_table(path, columns=[c.name for c in wanted], partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise CorruptData(f"{source}: the file does not decode: {error}") from error
    arrays = [to_logical(table[c.name], c.type) for c in wanted]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(wanted))


# --- scans ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Frames of the columns that are wanted: `types` by column id, and `location` if asked for."""

    columns: tuple[Column, ...]
    types: Mapping[int, Any]
    location: str | None

    def frames(self, group: ScanGroup) -> Iterable[pl.LazyFrame]:
        """The live rows of a group."""
        plain = [file for file in group.files if file.bitmap is None]
        known = [file.row_count for file in plain if file.row_count is not None]
        rows = sum(known) if len(known) == len(plain) else None
        few = len(plain) < len(group.files) and rows is not None and rows <= COUNTED_ROWS_MAX
        if self.location is not None or few:
            plain = []
        if plain:
            exact = None if rows is None else (rows, 0)
            yield self._selected(_parquet(plain, group, exact), group.columns)
        counting = [file for file in group.files if not plain or file.bitmap is not None]
        for batch in counted(counting):
            yield self._counted(batch, group)
        plain_deltas = [d for d in group.deltas if d.rows.num_rows and d.deleted is None]
        if plain_deltas:
            yield self._deltas(plain_deltas, group.columns)
        holed = [d for d in group.deltas if d.rows.num_rows and d.deleted is not None]
        if holed := [d for d in holed if len(deleted_rows(d)) < d.rows.num_rows]:
            yield self._deltas(holed, group.columns)

    def empty(self) -> pl.LazyFrame:
        schema = {c.name: self.types[c.id] for c in self.columns}
        if self.location is not None:
            schema[self.location] = pl.Int64()
        return pl.LazyFrame(schema=schema)

    def chosen(self, found: pl.LazyFrame, chosen: Chosen) -> pl.LazyFrame:
        """The rows that have one of these keys; bounds of the keys' columns skip stripes."""
        own = {column.id: column for column in chosen.key}
        keys = _rows(chosen.keys, own, chosen.key).select(
            [_decoded(c, c, self.types[c.id]) for c in chosen.key]
        )
        if not len(keys):
            return found.filter(pl.lit(False))
        if len(keys) <= NAMED_KEYS_MAX:
            return found.filter(pl.any_horizontal(_is_key(keys, i) for i in range(len(keys))))
        found = found.filter(*(_between(keys[c.name]) for c in chosen.key))
        if len(chosen.key) == 1:
            name = chosen.key[0].name
            return found.filter(pl.col(name).is_in(keys[name].implode()))
        return found.join(keys.lazy(), on=keys.columns, how="semi")

    def _counted(self, batch: CountedFiles, group: ScanGroup) -> pl.LazyFrame:
        row = unused("row", [c.name for c in group.columns])
        rows = (batch.row_count, len(batch.deleted))
        found = _parquet(batch.files, group, rows, row)
        if (live := batch.live(row)) is not None:
            found = found.filter(live)
        where = [] if self.location is None else [batch.locations(row).alias(self.location)]
        return self._selected(found, group.columns, where)

    def _deltas(self, deltas: Sequence[ScanDelta], stored: tuple[Column, ...]) -> pl.LazyFrame:
        """Rows of deltas; either all of them have deleted rows, or none."""
        own = {column.id: column for column in stored}
        live = unused("live", [c.name for c in self.columns] + [self.location or ""])
        frame = _rows(pa.concat_tables([delta.rows for delta in deltas]), own, self.columns)
        if self.location is not None:
            where = pl.concat([delta_locations(delta) for delta in deltas])
            frame = frame.with_columns(where.alias(self.location))
        if deltas[0].deleted is not None:
            flags = pl.concat([live_flags(delta) for delta in deltas])
            frame = frame.with_columns(flags.alias(live))
        found = frame.lazy()
        if deltas[0].deleted is not None:
            found = found.filter(pl.col(live))
        return found.select([*self._carried(), *([self.location] if self.location else [])])

    def _selected(
        self, found: pl.LazyFrame, stored: tuple[Column, ...], more: Sequence[pl.Expr] = ()
    ) -> pl.LazyFrame:
        """The wanted columns, from the columns of a file."""
        own = {column.id: column for column in stored}
        made = [_decoded(own.get(c.id), c, self.types[c.id]) for c in self.columns]
        if more or any(column.id in own for column in self.columns):
            return found.select([*made, *more])
        # Constants alone would be one row.
        rows = unused("rows", [c.name for c in self.columns])
        return found.select([*made, pl.col(stored[0].name).alias(rows)]).drop(rows)

    def _carried(self) -> list[pl.Expr]:
        """The wanted columns, from those of `_rows`."""
        return [_decoded(c, c, self.types[c.id]) for c in self.columns]


def _is_key(keys: pl.DataFrame, place: int) -> pl.Expr:
    """Whether a row has the key at this place. Polars skips stripes by a comparison, not by
    `is_in`."""
    return pl.all_horizontal(
        pl.col(name) == pl.lit(keys[name][place], dtype=kind) for name, kind in keys.schema.items()
    )


def _between(values: pl.Series) -> pl.Expr:
    """What all these values are within; NaN, which is above all, has no place in bounds."""
    if values.dtype.is_float():
        return pl.lit(True)
    return pl.col(values.name).is_between(
        pl.lit(values.min(), dtype=values.dtype), pl.lit(values.max(), dtype=values.dtype)
    )


def _concatenated(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")


def _with_key(columns: tuple[Column, ...], chosen: Chosen) -> tuple[Column, ...]:
    """The columns, and those of the key that are not among them."""
    known = {column.id for column in columns}
    missing = tuple(column for column in chosen.key if column.id not in known)
    return (*columns, *missing) if missing else columns


def _parquet(
    files: Sequence[ScanFile],
    group: ScanGroup,
    rows: tuple[int, int] | None,
    row: str | None = None,
) -> pl.LazyFrame:
    """A scan of files. `rows`: how many there are and how many of them are deleted, if known;
    `row`: the name of a column that counts rows through all files."""
    return pl.scan_parquet(
        [file.path for file in files],
        schema={c.name: stored_type(c.type) for c in group.columns},
        cast_options=pl.ScanCastOptions(integer_cast="upcast"),
        glob=False,
        hive_partitioning=False,
        row_index_name=row,
        _row_count=rows,  # internal to Polars, hence its version is pinned
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


def _rows(rows: pa.Table, own: dict[int, Column], columns: tuple[Column, ...]) -> pl.DataFrame:
    """Rows in logical types under the wanted names, as a file's scan would give them."""
    arrays = []
    for column in columns:
        known = own.get(column.id)
        if known is None:
            values = pa.chunked_array([pa.nulls(rows.num_rows, arrow_type(column.type))])
        else:
            values = rows[known.name]
        arrays.append(carried(values, column.type))
    frame = pl.from_arrow(pa.Table.from_arrays(arrays, names=[c.name for c in columns]))
    assert isinstance(frame, pl.DataFrame)
    return frame
