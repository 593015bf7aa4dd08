"""How a source file is read: its format, and what a CSV file's text means.

The defaults are those of PostgreSQL's `COPY … WITH (FORMAT csv)`: a comma, fields that may be
quoted with `"`, a quote inside doubled, an empty field without quotes is NULL and one with quotes
is an empty text.

Text formats give texts. What SQL makes of them (`TextParser`) is handed in by whoever can parse
values of every type; this package cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from storage.errors import InvalidRequest, NotYet
from storage.schema import Column

__all__ = [
    "FORMATS",
    "PARQUET",
    "PARQUET_READING",
    "SourceFormat",
    "SourceReading",
    "TextParser",
    "format_of_name",
]

FORMATS = ("parquet", "csv", "ndjson")
COMPRESSED = (".gz", ".zst", ".bz2")
_EXTENSIONS = {
    ".parquet": ("parquet", ","),
    ".pq": ("parquet", ","),
    ".csv": ("csv", ","),
    ".tsv": ("csv", "\t"),
    ".ndjson": ("ndjson", ","),
    ".jsonl": ("ndjson", ","),
    ".json": ("ndjson", ","),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFormat:
    """A format and its options; all but `kind` are of CSV.

    Attributes:
        kind: one of `FORMATS`.
        quote: empty: quotes mean nothing.
        escape: makes a quote inside quotes plain; the quote itself unless said otherwise.
        null: the text that is NULL where it stands without quotes.
        header: the first line holds names.
        match: the names must be those of the columns, in their order.
        skip_blank: an empty line is no row, unless there is only one column.
    """

    kind: str
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    null: str = ""
    header: bool = False
    match: bool = False
    skip_blank: bool = True

    def __post_init__(self) -> None:
        """Raises InvalidRequest (22023, 0A000) as PostgreSQL does, for what makes no sense."""
        if self.kind not in FORMATS:
            known = ", ".join(FORMATS)
            raise InvalidRequest(f'format "{self.kind}" not recognized; there are {known}', "22023")
        if len(self.delimiter.encode()) != 1:
            raise NotYet("COPY delimiter must be a single one-byte character")
        if len(self.quote.encode()) > 1:
            raise NotYet("COPY quote must be a single one-byte character")
        if len(self.escape.encode()) > 1:
            raise NotYet("COPY escape must be a single one-byte character")
        if self.delimiter in "\r\n":
            raise InvalidRequest("COPY delimiter cannot be newline or carriage return", "22023")
        if self.delimiter == self.quote:
            raise InvalidRequest("COPY delimiter and quote must be different", "22023")
        if "\n" in self.null or "\r" in self.null:
            raise InvalidRequest(
                "COPY null representation cannot use newline or carriage return", "22023"
            )
        if self.delimiter in self.null:
            raise InvalidRequest(
                "COPY delimiter character must not appear in the NULL specification", "22023"
            )
        if self.quote and self.quote in self.null:
            raise InvalidRequest(
                "CSV quote character must not appear in the NULL specification", "22023"
            )


PARQUET = SourceFormat(kind="parquet")


class TextParser(Protocol):
    """Values from texts, as the input functions of SQL types read them. Can be pickled."""

    def typed(self, texts: pa.Table, columns: tuple[Column, ...]) -> pa.Table:
        """The columns in types that assign to the columns of these names.

        Args: texts: of strings, a column for each of `columns`, under their names.
        Raises InvalidRequest with PostgreSQL's SQLSTATE for a text that is no value.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """How the files of one load are read.

    Attributes:
        columns: the table's columns that the file holds, in the file's order; None: those of its
            header or of its own schema, found by name; for a CSV file without a header, all of the
            table's.
        parser: for text formats.
    """

    format: SourceFormat = PARQUET
    columns: tuple[str, ...] | None = None
    parser: TextParser | None = None


PARQUET_READING = SourceReading()


def format_of_name(name: str) -> SourceFormat | None:
    """The format that a file's name tells, if it does; without a header."""
    plain = name.lower()
    for ending in COMPRESSED:
        plain = plain.removesuffix(ending)
    for ending, (kind, delimiter) in _EXTENSIONS.items():
        if plain.endswith(ending):
            return SourceFormat(kind=kind, delimiter=delimiter)
    return None
