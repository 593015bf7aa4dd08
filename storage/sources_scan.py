"""Files that a query reads in place: a lazy frame over them, as `micropartition.reader` gives.

Parquet: Polars scans the files, so projections and predicates reach them; columns become carriers
(`micropartition.carriers`), integers and what needs no change within the scan itself, others behind
it (a predicate on them skips nothing). Files whose Parquet types differ (milliseconds and
microseconds, say) are scanned apart.

Text formats: a stream of batches of texts (`sources_csv.py`, `sources_ndjson.py`) of the columns
that are asked for. Every column is TEXT here; whoever planned the query casts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from storage.errors import MobulaError
from storage.micropartition.carriers import carrier_type
from storage.objects.options import StoreOptions
from storage.schema import ArrayType, Column, DecimalType, Kind, ScalarType, SqlType
from storage.sources import SourceFile, check_unchanged, local_path, open_source
from storage.sources_csv import csv_batches
from storage.sources_format import SourceFormat, TextParser
from storage.sources_ndjson import ndjson_batches
from storage.sources_text import TextBatch

__all__ = ["ScanTally", "SourceScan", "scan_source", "text_batches"]

_S3 = "s3://"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScan:
    """Files as one table.

    Attributes:
        layouts: of each file: the columns of a CSV file, in its order; for Parquet something that
            is equal where the files' own types are.
        names: what the files call a column, by the column's id.
        extra_keys: NDJSON may have other keys than these columns.
        row_count: of all files; None where it is not known before they are read.
        read_bytes: what the query will read, about.
        types: by column id, what a text format's columns are cast to.
        parser: makes values of texts; finds the row that is wrong, once the query has failed.
        options: how to enter S3.
    """

    format: SourceFormat
    files: tuple[SourceFile, ...]
    layouts: tuple[tuple[str, ...], ...]
    names: Mapping[int, str]
    extra_keys: bool = False
    row_count: int | None = None
    read_bytes: int = 0
    types: Mapping[int, SqlType] = field(default_factory=dict)
    parser: TextParser | None = None
    options: StoreOptions | None = None


@dataclass(slots=True)
class ScanTally:
    """What a scan of texts has met. `error`: why it ended early; Polars only passes on its text."""

    rows: int = 0
    error: MobulaError | None = None


def scan_source(source: SourceScan, columns: tuple[Column, ...], tally: ScanTally) -> pl.LazyFrame:
    """The rows of all files, in their order, under the names of the columns.

    Raises Conflict, InvalidRequest: a file has changed since it was found, or is gone.
    """
    check_unchanged(source.files, source.options)
    if source.format.kind == "parquet":
        groups: dict[tuple[str, ...], list[SourceFile]] = {}
        for file, layout in zip(source.files, source.layouts, strict=True):
            groups.setdefault(layout, []).append(file)
        frames = [_parquet(source, files, columns) for files in groups.values()]
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical")

    def generate(
        asked: list[str] | None, predicate: pl.Expr | None, limit: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        by_name = {column.name: column for column in columns}
        wanted = columns if asked is None else tuple(by_name[name] for name in asked)
        try:
            for rows in _texts(source, wanted or columns[:1]):
                tally.rows += rows.height
                part = rows if limit is None else rows.head(limit)
                if predicate is not None:
                    part = part.filter(predicate)
                yield part if wanted else part.select([])
                if limit is not None:
                    limit -= min(limit, rows.height)
                    if limit == 0:
                        return
        except MobulaError as error:
            tally.error = error
            raise

    return register_io_source(generate, schema={c.name: pl.String() for c in columns})


def text_batches(
    source: SourceScan, columns: tuple[Column, ...]
) -> Iterator[tuple[str, TextBatch]]:
    """The rows of text files with the files' URLs, the columns under their names."""
    kind, labels = source.format, [column.name for column in columns]
    names = [source.names[column.id] for column in columns]
    for file, layout in zip(source.files, source.layouts, strict=True):
        with open_source(file.url, source.options) as stream:
            if kind.kind == "csv":
                wanted = [layout.index(name) for name in names]
                found = csv_batches(stream, file.url, kind, layout, wanted=wanted)
            else:
                known = None if source.extra_keys else frozenset(source.names.values())
                found = ndjson_batches(stream, file.url, names, known)
            for batch in found:
                rows = batch.rows.rename_columns(labels)
                yield (
                    file.url,
                    TextBatch(rows=rows, first_row=batch.first_row, line_of=batch.line_of),
                )


def _texts(source: SourceScan, columns: tuple[Column, ...]) -> Iterator[pl.DataFrame]:
    for _, batch in text_batches(source, columns):
        frame = pl.from_arrow(batch.rows)
        assert isinstance(frame, pl.DataFrame)
        yield frame


# --- Parquet --------------------------------------------------------------------------------------


def _parquet(
    source: SourceScan,
    files: list[SourceFile],
    columns: tuple[Column, ...],
) -> pl.LazyFrame:
    remote = files[0].url.startswith(_S3)
    places: Any = [file.url if remote else local_path(file.url) for file in files]
    settings: dict[str, Any] = {"glob": False, "hive_partitioning": False}
    if remote:
        settings["storage_options"] = _storage_options(source.options)
    own = pl.scan_parquet(places[0], **settings).collect_schema()
    asked = {name: _widened(dtype) for name, dtype in own.items()}
    frame = pl.scan_parquet(
        places,
        schema=asked,
        cast_options=pl.ScanCastOptions(integer_cast="upcast"),
        **settings,
    )
    return frame.select(
        [
            _carried(pl.col(name), asked[name], column.type).alias(column.name)
            for column in columns
            for name in [source.names[column.id]]
        ]
    )


def _widened(dtype: Any) -> Any:
    """Signed integers are widened by the scan, which goes on to skip by their statistics."""
    return pl.Int64() if dtype in (pl.Int8, pl.Int16, pl.Int32) else dtype


def _carried(values: pl.Expr, dtype: Any, sql_type: SqlType) -> pl.Expr:
    """Values of a file as their carrier."""
    target = carrier_type(sql_type)
    if dtype == target:
        return values
    match sql_type:
        case DecimalType(_, scale) if target == pl.Int64():
            if not isinstance(dtype, pl.Decimal):
                return values.cast(pl.Int64())
            wide = values.cast(pl.Decimal(38, scale)).reinterpret(dtype=pl.Int128())
            return wide.cast(pl.Int64())
        case ScalarType(Kind.TIMESTAMPTZ):
            return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(target)
        case ScalarType(Kind.INTERVAL):
            microseconds = values.cast(pl.Duration("us")).cast(pl.Int64())
            none = pl.lit(0, pl.Int32())
            made = pl.struct(months=none, days=none, microseconds=microseconds)
            return pl.when(values.is_not_null()).then(made)
        case ArrayType(element) if isinstance(dtype, pl.List | pl.Array):
            listed = values.cast(pl.List(dtype.inner))
            return listed.list.eval(_carried(pl.element(), dtype.inner, element))
        case _:
            return values.cast(target)


def _storage_options(options: StoreOptions | None) -> dict[str, str]:
    """How Polars enters the S3 server that botocore enters elsewhere."""
    chosen = options or StoreOptions()
    given = {
        "aws_endpoint_url": chosen.endpoint_url,
        "aws_access_key_id": chosen.key,
        "aws_secret_access_key": chosen.secret,
        "aws_session_token": chosen.token,
        "aws_region": chosen.region,
    }
    found = {name: value for name, value in given.items() if value}
    if chosen.endpoint_url and chosen.endpoint_url.startswith("http://"):
        found["aws_allow_http"] = "true"
    return found
