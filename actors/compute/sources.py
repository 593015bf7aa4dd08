"""Files of users as inputs of a fragment, and what goes wrong with them named by file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from actors.fragments import ScanInput
from actors.program import InputFrame
from storage.errors import InvalidRequest, MobulaError
from storage.schema import Column
from storage.sources import check_unchanged
from storage.sources_scan import ScanTally, scan_source, text_batches
from storage.sources_text import bad_file, first_failure

__all__ = ["source_input", "source_rows", "with_place"]


def source_input(scan_input: ScanInput, tallies: dict[str, ScanTally]) -> InputFrame:
    """The frame of an input that is files of users; what it meets is tallied by alias."""
    assert scan_input.source is not None
    tally = tallies.setdefault(scan_input.alias, ScanTally())
    frame = scan_source(scan_input.source, scan_input.columns, tally)
    return InputFrame(frame, scan_input.columns, scan_input.ranges)


def source_rows(scan_input: ScanInput, tallies: Mapping[str, ScanTally]) -> int:
    """Rows of the files that were read."""
    assert scan_input.source is not None
    known = scan_input.source.row_count
    return tallies[scan_input.alias].rows if known is None else known


def with_place(
    error: MobulaError,
    cause: pl.exceptions.PolarsError,
    inputs: Iterable[ScanInput],
    tallies: Mapping[str, ScanTally],
) -> MobulaError:
    """The error of a query, with the file and line that it comes from, if it is one of a file.

    Args: error: what the program makes of `cause`.
    """
    for tally in tallies.values():
        if tally.error is not None:
            return tally.error
    outside = [found for found in inputs if found.source is not None]
    if isinstance(error, InvalidRequest):
        if error.sqlstate.startswith("22"):
            return next(filter(None, (_located(error, found) for found in outside)), error)
        return error
    for found in outside:
        assert found.source is not None
        if found.source.format.kind == "parquet":
            check_unchanged(found.source.files, found.source.options)
            names = ", ".join(file.url for file in found.source.files[:3])
            text = str(cause).strip().partition("\n")[0]
            if "parquet" in text.lower() or isinstance(cause, pl.exceptions.SchemaError):
                return InvalidRequest(f"{names}: does not read as Parquet: {text}")
    return error


def _located(error: InvalidRequest, found: ScanInput) -> MobulaError | None:
    """The first text that fails so in the columns that the query reads; None if none does."""
    source = found.source
    assert source is not None
    parser = source.parser
    if parser is None or source.format.kind == "parquet":
        return None
    typed = [
        Column(id=c.id, name=c.name, type=source.types[c.id])
        for c in found.columns
        if c.id in source.types
    ]
    for url, batch in text_batches(source, found.columns):
        for column in typed:
            texts = batch.rows.select([column.name])

            def attempt(start: int, length: int, texts=texts, column=column) -> object:  # type: ignore[no-untyped-def]
                return parser.typed(texts.slice(start, length), (column,))

            failed = first_failure(texts.num_rows, attempt)
            if failed is not None and failed[1].message == error.message:
                row, failure = failed
                message = f"column {column.name}: {failure.message}"
                return bad_file(url, batch.line_of(row), message, failure.sqlstate)
    return None
