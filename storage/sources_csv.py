"""CSV files as columns of strings, with PostgreSQL's reading of quotes, escapes and NULL.

1. The file is cut into blocks of whole rows: line ends outside quotes.
2. pyarrow splits a block into fields. It reads regular CSV as PostgreSQL does.
3. A block with anything irregular in it (a quote in the middle of a field, an empty line that
   counts, a lone carriage return, an escape that is not the quote, rows of unequal lengths, bytes
   that are no UTF-8) is read by `csv_rows`, character by character: it knows PostgreSQL's rules for
   all of these, and its errors with their lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from storage.sources_csv_rows import CsvRow, csv_rows, first_line_end
from storage.sources_format import SourceFormat
from storage.sources_text import BLOCK_BYTES, TextBatch, bad_file, blocks

__all__ = ["csv_batches", "csv_count", "csv_names"]

_BOM = b"\xef\xbb\xbf"
_LF, _CR = 10, 13
_TWICE = 'column "{}" is named twice in the header; if it is none, say header => false'


def csv_names(stream: BinaryIO, url: str, options: SourceFormat) -> list[str]:
    """The names of a file's columns: of its header, or `column1`, `column2`, …; none if the file
    is empty. Raises InvalidRequest."""
    cutter = _Cutter(options)
    for data, last in blocks(stream, url, cutter, 64 << 10):
        block = _Block(data.removeprefix(_BOM), url, options, 1, last, cutter.returns)
        for row in block.rows():
            fields = row.fields
            if not options.header:
                return [f"column{number}" for number in range(1, len(fields) + 1)]
            return [f"column{n}" if name is None else name for n, name in enumerate(fields, 1)]
    return []


def csv_count(stream: BinaryIO, url: str, options: SourceFormat) -> int:
    """The rows of a file. Raises InvalidRequest."""
    return sum(
        batch.rows.num_rows for batch in csv_batches(stream, url, options, None, wanted=(0,))
    )


def csv_batches(
    stream: BinaryIO,
    url: str,
    options: SourceFormat,
    names: Sequence[str] | None,
    *,
    wanted: Sequence[int] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[TextBatch]:
    """The rows of a file.

    Args:
        names: what to call the columns, in the file's order; None: as the file does.
        wanted: the positions of the columns to return; None: all.
    Raises:
        InvalidRequest: 22P04 for rows that are no rows of so many columns, 22021 for bytes that are
            no UTF-8; with file and line.
    """
    line, rows_before, header = 1, 0, options.header
    cutter = _Cutter(options)
    for given, last in blocks(stream, url, cutter, block_bytes):
        data = given.removeprefix(_BOM) if line == 1 else given
        block = _Block(data, url, options, line, last, cutter.returns)
        line += given.count(b"\r" if cutter.returns else b"\n")
        if names is None or header:
            found = next(block.rows(), None)
            if found is None:
                continue
            labels = [f"column{n}" for n in range(1, len(found.fields) + 1)]
            if header:
                labels = [
                    label if name is None else name
                    for label, name in zip(labels, found.fields, strict=True)
                ]
                _check_header(labels, names, url, options)
                block = replace(block, data=block.data[found.end :], line=found.next_line)
                header = False
            names = labels if names is None else names
        if block.data:
            table = _split(block, list(names), wanted)
            yield TextBatch(rows=table, first_row=rows_before, line_of=block.line_of)
            rows_before += table.num_rows


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole rows of a file, from a line on; `last`: the file ends with them; `returns`: see
    `_Cutter`."""

    data: bytes
    url: str
    options: SourceFormat
    line: int
    last: bool
    returns: bool | None

    def rows(self) -> Iterator[CsvRow]:
        return csv_rows(
            self.data,
            self.url,
            self.options,
            final=self.last,
            first_line=self.line,
            returns=self.returns,
        )

    def line_of(self, row: int) -> int:
        return next(found.line for position, found in enumerate(self.rows()) if position == row)


def _check_header(
    found: list[str], names: Sequence[str] | None, url: str, options: SourceFormat
) -> None:
    if names is None:
        doubled = next((name for name in found if found.count(name) > 1), None)
        if doubled is not None:
            raise bad_file(url, 1, _TWICE.format(doubled), "42701")
        return
    if not options.match:
        return
    if len(found) != len(names):
        raise bad_file(
            url,
            1,
            f"wrong number of fields in header line: got {len(found)}, expected {len(names)}",
        )
    for number, (field, name) in enumerate(zip(found, names, strict=True), 1):
        if field != name:
            raise bad_file(
                url,
                1,
                f"column name mismatch in header line field {number}: got {field!r},"
                f' expected "{name}"',
            )


# --- cutting --------------------------------------------------------------------------------------


class _Cutter:
    """Finds the end of the last whole row of some bytes that begin with a row.

    `returns`: lines end with CR alone, as the file's first one does; None until that is known.
    """

    def __init__(self, options: SourceFormat) -> None:
        self._options = options
        self._quote = options.quote.encode()
        self._regular = options.escape in (options.quote, "")
        self.returns: bool | None = None

    def __call__(self, data: bytes, final: bool) -> int:
        if self.returns is None:
            found = first_line_end(data, self._quote)
            if found is None:
                return 0
            self.returns = found == b"\r"
        quote = self._quote
        if quote and not self._regular and quote in data:
            rows = csv_rows(
                data, "", self._options, final=False, first_line=1, returns=self.returns
            )
            return max((row.end for row in rows), default=0)
        newline = b"\r" if self.returns else b"\n"
        if not quote or quote not in data:
            return data.rfind(newline) + 1
        codes = np.frombuffer(data, np.uint8)
        inside = np.cumsum(codes == quote[0], dtype=np.uint8) & 1
        ends_at = np.flatnonzero((codes == newline[0]) & (inside == 0))
        return int(ends_at[-1]) + 1 if len(ends_at) else 0


# --- splitting ------------------------------------------------------------------------------------


def _split(block: _Block, names: list[str], wanted: Sequence[int] | None) -> pa.Table:
    chosen = range(len(names)) if wanted is None else wanted
    if _is_regular(block, len(names)):
        try:
            return _quickly(block.data, block.options, names, chosen)
        except pa.ArrowInvalid:
            pass  # what is wrong, and where, is found below
    rows: list[list[str | None]] = []
    for row in block.rows():
        if len(row.fields) < len(names):
            missing = names[len(row.fields)]
            raise bad_file(block.url, row.line, f'missing data for column "{missing}"')
        if len(row.fields) > len(names):
            raise bad_file(block.url, row.line, "extra data after last expected column")
        rows.append(row.fields)
    arrays = [pa.array([row[i] for row in rows], pa.large_string()) for i in chosen]
    return pa.Table.from_arrays(arrays, names=[names[i] for i in chosen])


def _quickly(
    block: bytes, options: SourceFormat, names: list[str], chosen: Sequence[int]
) -> pa.Table:
    labels = [f"c{i}" for i in range(len(names))]
    table = csv.read_csv(
        pa.BufferReader(block),
        read_options=csv.ReadOptions(column_names=labels, block_size=len(block) + 1),
        parse_options=csv.ParseOptions(
            delimiter=options.delimiter,
            quote_char=options.quote or False,
            double_quote=bool(options.quote),
            escape_char=False,
            newlines_in_values=bool(options.quote),
            ignore_empty_lines=options.skip_blank and len(names) > 1,
        ),
        convert_options=csv.ConvertOptions(
            column_types={label: pa.large_string() for label in labels},
            include_columns=[labels[i] for i in chosen],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[options.null],
        ),
    )
    return table.rename_columns([names[i] for i in chosen])


def _is_regular(found: _Block, column_count: int) -> bool:
    """Whether pyarrow reads the block as PostgreSQL would."""
    block, options = found.data, found.options
    if block.startswith(_BOM):  # only the first of a file is none of its text
        return False
    if b"\0" in block:
        return False
    returns = block.count(b"\r")
    if returns and returns != block.count(b"\r\n"):
        return False
    strict = not options.skip_blank and column_count > 1
    if strict and (block.startswith((b"\n", b"\r")) or b"\n\n" in block or b"\n\r\n" in block):
        return False
    if not options.quote or options.quote.encode() not in block:
        return True
    if options.escape not in (options.quote, ""):
        return False
    return _quotes_are_regular(block, options)


def _quotes_are_regular(block: bytes, options: SourceFormat) -> bool:
    """Whether every quote opens a field, closes one, or is one of a pair inside."""
    codes = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(codes == ord(options.quote))
    if len(at) % 2:
        return False
    opening, closing = at[::2], at[1::2]
    ends = np.zeros(256, np.bool_)
    ends[[ord(options.delimiter), _LF, _CR]] = True
    before = np.where(opening > 0, codes[np.maximum(opening - 1, 0)], _LF)
    after = np.where(closing + 1 < len(codes), codes[np.minimum(closing + 1, len(codes) - 1)], _LF)
    pairs = closing[:-1] + 1 == opening[1:]  # a doubled quote closes and opens again
    opens = ends[before]
    closes = ends[after]
    opens[1:] |= pairs
    closes[:-1] |= pairs
    return bool(opens.all() and closes.all())
