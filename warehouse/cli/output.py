"""Printing: tables for people, CSV and JSON for programs. Rows on stdout, all else on stderr.

NULL is a dim word in tables, an empty field in CSV (empty text is `""`), `null` in JSON. BYTEA is
written as PostgreSQL writes it, `\\x` and hexadecimal digits; DECIMAL keeps its digits everywhere.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from storage.errors import MobulaError
from warehouse.cli.texts import value_text
from warehouse.result import Result

__all__ = ["Format", "records_of", "say", "say_error", "show", "size_text", "table_of", "tag_text"]

ROWS_SHOWN_MAX = 1_000
PIPE_COLUMNS = 10_000  # nothing is folded on its way into a file or another program
_NULL = Text("NULL", style="dim italic")
_JSON = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


class Format(enum.StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


def _console(*, stderr: bool = False) -> Console:
    """Made for each use: where stdout goes may change between two."""
    console = Console(stderr=stderr, highlight=False, markup=False)
    return (
        console
        if console.is_terminal
        else Console(stderr=stderr, highlight=False, markup=False, width=PIPE_COLUMNS)
    )


def say(text: str) -> None:
    """A line for people, beside the output."""
    _console(stderr=True).print(text, soft_wrap=True)


def say_error(error: MobulaError) -> None:
    """An error as one line."""
    text = Text.assemble(("error: ", "bold red"), " ".join(str(error).split("\n")))
    _console(stderr=True).print(text, soft_wrap=True)


def show(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    output: Format = Format.table,
    *,
    expanded: bool = False,
) -> None:
    """Print rows on stdout. Args: expanded: a table has a line for each value, for long ones."""
    match output:
        case Format.table:
            _show_table(columns, rows, expanded=expanded)
        case Format.csv:
            _write([_csv_line(columns), *(_csv_line(row) for row in rows)])
        case Format.json:
            _write(_json_lines(columns, rows))


def size_text(size_bytes: int) -> str:
    """A size for people: `512 B`, `1.5 MiB`."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _write(lines: Iterable[str]) -> None:
    console = _console()
    for line in lines:
        console.file.write(line + "\n")


# --- tables ---------------------------------------------------------------------------------------


def _show_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, expanded: bool = False
) -> None:
    drawn = records_of if expanded else table_of
    _console().print(drawn(columns, rows[:ROWS_SHOWN_MAX]))
    if len(rows) > ROWS_SHOWN_MAX:
        say(
            f"{len(rows) - ROWS_SHOWN_MAX:,} more rows are not shown; "
            "--format csv and --format json print all"
        )


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Rows as a table, numbers to the right."""
    table = Table(box=box.ROUNDED, header_style="bold")
    for position, name in enumerate(columns):
        is_number = all(_is_number(row[position]) for row in rows)
        table.add_column(Text(name), justify="right" if rows and is_number else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def records_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Each row as lines of column and value, as psql's expanded display."""
    table = Table(box=box.ROUNDED, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for number, row in enumerate(rows, 1):
        table.add_row(Text(f"row {number:,}", style="dim"), "")
        for name, value in zip(columns, row, strict=True):
            table.add_row(Text(name), _cell(value))
        table.add_section()
    return table


def _is_number(value: Any) -> bool:
    return value is None or (
        isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    )


def _cell(value: Any) -> Text:
    return _NULL if value is None else Text(value_text(value))


# --- CSV and JSON ---------------------------------------------------------------------------------


def _csv_line(values: Sequence[Any]) -> str:
    return ",".join("" if value is None else _csv_field(value_text(value)) for value in values)


def _csv_field(text: str) -> str:
    """RFC 4180; quoted where it must be, and where it is empty but not NULL."""
    plain = text and text == text.strip() and not any(mark in text for mark in ',"\r\n')
    return text if plain else '"' + text.replace('"', '""') + '"'


def _json_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """An array of objects, one to a line."""
    objects = [
        _JSON.encode({name: _json_value(v) for name, v in zip(columns, row, strict=True)}).decode()
        for row in rows
    ]
    return ["[", *(f"{text}," for text in objects[:-1]), *objects[-1:], "]"]


def _json_value(value: Any) -> Any:
    """Lists and objects as such, whatever JSON lacks as text."""
    match value:
        case list() | tuple():
            return [_json_value(item) for item in value]
        case dict():
            return {name: _json_value(item) for name, item in value.items()}
        case None | bool() | int() | float() | Decimal() | str():
            return value
        case datetime.date() | datetime.time() if not isinstance(value, datetime.datetime):
            return value
        case _:
            return value_text(value)


def tag_text(result: Result) -> str:
    """What a statement did, and where it is in the log if it has been committed."""
    lsn = result.commit.lsn if result.commit else 0  # 0: part of a transaction that is open
    return f"{result.tag} (LSN {lsn})" if lsn else str(result.tag)
