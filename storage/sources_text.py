"""Texts of source files on their way to typed rows: batches that know where they stand.

A `TextBatch` is a part of a CSV or NDJSON file as columns of strings. It keeps the bytes that it
was made of, so that a value which turns out to be wrong is reported with its line; finding the line
costs something only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from storage.errors import InvalidRequest

__all__ = ["TextBatch", "bad_file", "blocks", "first_failure"]

BLOCK_BYTES = 8 << 20
ROW_BYTES_MAX = 256 << 20  # an open quote would read the whole file as one row


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBatch:
    """Some rows of a file.

    Attributes:
        rows: columns of `large_string`.
        first_row: the number of rows before it in the file.
        line_of: the line (from 1) in which a row of the batch begins.
    """

    rows: pa.Table
    first_row: int
    line_of: Callable[[int], int]


def bad_file(url: str, line: int, message: str, sqlstate: str = "22P04") -> InvalidRequest:
    """An error at a line of a file."""
    return InvalidRequest(f"{url}, line {line}: {message}", sqlstate)


def blocks(
    stream: BinaryIO,
    url: str,
    end_of_rows: Callable[[bytes, bool], int],
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a file in blocks of whole rows, each with whether it is the last.

    Args: end_of_rows: (bytes, whether they are all) -> how many of them are whole rows.
    Raises InvalidRequest for a row of more than `ROW_BYTES_MAX`.
    """
    kept = b""
    wanted = block_bytes
    while True:
        piece = stream.read(wanted)
        data = kept + piece
        last = not piece
        end = len(data) if last else end_of_rows(data, False)
        if end or last:
            if end:
                yield data[:end], last
            kept = data[end:]
            wanted = block_bytes
        else:
            kept = data
            wanted = max(len(data), block_bytes)  # doubled: long rows are not read over and over
        if len(kept) > ROW_BYTES_MAX:
            raise InvalidRequest(
                f"{url}: a row of more than {ROW_BYTES_MAX:,} bytes; is a quote left open?", "54000"
            )
        if last:
            return


def first_failure(
    row_count: int, attempt: Callable[[int, int], object]
) -> tuple[int, InvalidRequest] | None:
    """The first row on which `attempt(start, length)` fails, and how; None if none does.

    Takes about as many attempts as the row count has binary digits.
    """
    start, end = 0, row_count
    failure: InvalidRequest | None = None
    try:
        attempt(start, end)
    except InvalidRequest as error:
        failure = error
    if failure is None:
        return None
    while end - start > 1:
        middle = (start + end) // 2
        try:
            attempt(start, middle - start)
        except InvalidRequest as error:
            failure = error
            end = middle
        else:
            start = middle
    try:
        attempt(start, 1)
    except InvalidRequest as error:
        failure = error
    return start, failure
