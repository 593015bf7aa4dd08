"""Rows of a query written to one file or object, streamed, visible only when it is whole.

A local file is written under a temporary name beside its place and renamed; an object of S3 appears
when its upload is completed. What fails leaves what was there before.

CSV is PostgreSQL's: a value is quoted where it holds a delimiter, a quote or a line end, or reads
as NULL. Columns of CSV and NDJSON come as texts (a Boolean of CSV as itself), because SQL knows the
text of every type.
"""

from __future__ import annotations

import bz2
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from storage.errors import InvalidRequest
from storage.ids import Ids, RandomIds
from storage.objects.options import StoreOptions
from storage.sources import S3, local_path, s3_file_system, source_errors
from storage.sources_format import SourceFormat

__all__ = ["ExportTarget", "JsonKind", "write_export"]

PART_BYTES = 16 << 20  # of an upload to S3

JsonKind = str  # "number", "text" or "json": how a text becomes a value of NDJSON


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTarget:
    """Where rows go.

    Attributes:
        names: of the columns.
        kinds: of the columns of NDJSON.
        options: how to enter S3.
    """

    url: str
    format: SourceFormat
    names: tuple[str, ...]
    kinds: tuple[JsonKind, ...] = ()
    options: StoreOptions | None = None


def write_export(
    target: ExportTarget,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    ids: Ids | None = None,
) -> int:
    """Write all batches; returns how many rows that were.

    Args:
        schema: the types of the batches' columns, by position.
        ids: for temporary names.
    Raises:
        InvalidRequest: the place cannot be written.
        Unavailable: the server does not answer.
    """
    with _place(target, ids or RandomIds()) as file:
        if target.format.kind == "parquet":
            return _parquet(file, target, schema, batches)
        lines = _csv_lines(target) if target.format.kind == "csv" else _ndjson_lines(target)
        if target.format.kind == "csv" and target.format.header:
            file.write(_header(target))
        count = 0
        for batch in batches:
            frame = pl.from_arrow(pa.Table.from_batches([batch]))
            assert isinstance(frame, pl.DataFrame)
            if frame.height:
                named = frame.rename(dict(zip(frame.columns, _labels(target), strict=True)))
                made = named.select(lines).to_series().str.join("\n").item()
                file.write(made.encode() + b"\n")
                count += frame.height
        return count


def _labels(target: ExportTarget) -> list[str]:
    return [f"c{number}" for number in range(len(target.names))]


# --- places ---------------------------------------------------------------------------------------


@contextmanager
def _place(target: ExportTarget, ids: Ids) -> Iterator[Any]:
    url, options = target.url, target.options
    with source_errors(url, options, "a file that can be written", action="write"):
        opened = _s3(url, options) if url.startswith(S3) else _local(url, ids)
        with opened as raw:
            if target.format.kind == "parquet":
                yield raw
                return
            packed = _compressed(url, raw)
            yield packed
            if packed is not raw:
                packed.close()


@contextmanager
def _local(url: str, ids: Ids) -> Iterator[Any]:
    path = local_path(url)
    if path.is_dir():
        raise InvalidRequest(f"{url} is a directory; name a file in it", "58P01")
    if not path.parent.is_dir():
        raise InvalidRequest(f"{url}: there is no directory {path.parent}", "58P01")
    staged = path.with_name(f".{path.name}.{ids.new()[:12]}.tmp")
    try:
        with staged.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except BaseException:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _s3(url: str, options: StoreOptions | None) -> Iterator[Any]:
    file = s3_file_system(options).open(url, "wb", block_size=PART_BYTES)
    try:
        yield file
        file.close()
    except BaseException:
        with suppress(Exception):  # what was uploaded stays invisible either way
            file.discard()
        file.closed = True
        raise


def _compressed(url: str, raw: Any) -> Any:
    name = url.lower()
    if name.endswith(".gz"):
        return gzip.GzipFile(fileobj=raw, mode="wb", mtime=0)
    if name.endswith(".bz2"):
        return bz2.BZ2File(raw, "wb")
    if name.endswith(".zst"):
        return zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
    return raw


# --- formats --------------------------------------------------------------------------------------


def _parquet(
    file: Any, target: ExportTarget, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> int:
    named = pa.schema(
        [(name, field.type) for field, name in zip(schema, target.names, strict=True)]
    )
    count = 0
    with pq.ParquetWriter(file, named, compression="zstd") as writer:
        for batch in batches:
            rows = pa.Table.from_batches([batch]).rename_columns(list(target.names))
            writer.write_table(rows.cast(named))
            count += batch.num_rows
    return count


def _csv_lines(target: ExportTarget) -> pl.Expr:
    kind, labels = target.format, _labels(target)
    single = len(labels) == 1
    fields = [_csv_field(pl.col(label), kind, single) for label in labels]
    return pl.concat_str(fields, separator=kind.delimiter)


def _csv_field(column: pl.Expr, kind: SourceFormat, single: bool) -> pl.Expr:
    text = column.map_batches(_truth_as_text, return_dtype=pl.String)
    special = [kind.delimiter, kind.quote, "\n", "\r"]
    needed = text.str.contains_any(special) | (text == kind.null)
    if single:
        needed |= text == "\\."
    quote, escape = kind.quote, kind.escape or kind.quote
    inner = text
    if escape != quote:
        inner = inner.str.replace_all(escape, escape * 2, literal=True)
    inner = inner.str.replace_all(quote, escape + quote, literal=True)
    quoted = pl.concat_str([pl.lit(quote), inner, pl.lit(quote)])
    return pl.when(text.is_null()).then(pl.lit(kind.null)).when(needed).then(quoted).otherwise(text)


def _truth_as_text(values: pl.Series) -> pl.Series:
    if values.dtype != pl.Boolean:
        return values
    return values.cast(pl.String).str.slice(0, 1)


def _header(target: ExportTarget) -> bytes:
    labels = _labels(target)
    row = {label: [name] for label, name in zip(labels, target.names, strict=True)}
    found = pl.DataFrame(row).select(_csv_lines(target)).item()
    return f"{found}\n".encode()


def _ndjson_lines(target: ExportTarget) -> pl.Expr:
    parts: list[pl.Expr] = []
    for position, (label, name, kind) in enumerate(
        zip(_labels(target), target.names, target.kinds, strict=True)
    ):
        start = "{" if position == 0 else ","
        parts.append(pl.lit(f"{start}{json.dumps(name, ensure_ascii=False)}:"))
        parts.append(_JSON[kind](pl.col(label)).fill_null("null"))
    return pl.concat_str([*parts, pl.lit("}")])


def _json_text(column: pl.Expr) -> pl.Expr:
    """A JSON string; Polars writes whole objects only, so one is made around it and cut off."""
    made = pl.struct(column.alias("v")).struct.json_encode()
    written = made.str.slice(len('{"v":'), made.str.len_chars() - len('{"v":}'))
    return pl.when(column.is_not_null()).then(written)


def _json_number(column: pl.Expr) -> pl.Expr:
    """JSON has no NaN and no infinity: they are strings, as `to_json` has them."""
    strange = column.is_in(["NaN", "Infinity", "-Infinity"])
    quoted = pl.concat_str([pl.lit('"'), column, pl.lit('"')])
    return pl.when(strange).then(quoted).otherwise(column)


def _json_as_it_is(column: pl.Expr) -> pl.Expr:
    """JSON of our own, on one line: line ends are only blanks in it."""
    return column.str.replace_all("[\r\n]", " ")


_JSON: dict[JsonKind, Callable[[pl.Expr], pl.Expr]] = {
    "json": _json_as_it_is,
    "number": _json_number,
    "text": _json_text,
}
