"""`mobula tables`, `describe`, `log`: what is in a database, read from the store alone."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import typer

from storage.log.record import GroupHeader
from storage.snapshot.model import TableState
from warehouse.cli.arguments import FormatOption, Root, TableName
from warehouse.cli.command import RootCommand
from warehouse.cli.output import Format, say, show, size_text
from warehouse.cli.session import Session, fold_name
from warehouse.syntax.quoting import quoted
from warehouse.table import split_name

__all__ = ["key_lines", "register", "table_bytes", "time_text"]

TSO_COUNTER_BITS = 18  # a TSO is milliseconds since 1970 << 18 | counter

Last = Annotated[int, typer.Option("--last", min=1, help="How many groups, the newest ones.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("tables", cls=RootCommand)(tables)
    app.command("describe", cls=RootCommand)(describe)
    app.command("log", cls=RootCommand)(log)


def tables(context: typer.Context, root: Root, output: FormatOption = Format.table) -> None:
    """List the tables: rows, micropartitions, deltas, bytes."""
    with Session.of(context).open_to_read(root) as db:
        found = db.sql("SHOW TABLES")
    show(found.columns, found.rows(), output)


def describe(
    context: typer.Context, root: Root, table: TableName, output: FormatOption = Format.table
) -> None:
    """Show a table's columns, and how much is in it."""
    schema, name = split_name(fold_name(table))
    with Session.of(context).open_to_read(root) as db:
        found = db.sql(f"DESCRIBE {quoted(schema, name)}")
        state = db.snapshot().find_table(name, schema)
    show(found.columns, found.rows(), output)
    if output is Format.table and state is not None:
        for line in key_lines(state):
            say(line)
        say(
            f"{state.row_count:,} rows in {len(state.files):,} micropartitions and "
            f"{len(state.deltas):,} deltas, {size_text(table_bytes(state))}"
        )


def key_lines(table: TableState) -> list[str]:
    """The keys of a table, as psql lists them; nothing without any."""
    lines = []
    for key in table.keys:
        columns = ", ".join(column.name for column in table.key_columns(key))
        what = "PRIMARY KEY" if key.primary else "UNIQUE CONSTRAINT"
        lines.append(f'    "{key.name}" {what} ({columns})')
    return ["Keys:", *lines] if lines else []


def table_bytes(table: TableState) -> int:
    """What a table takes in the store: its micropartitions and its deltas in the log."""
    return table.files.size_bytes + sum(len(delta.rows) for delta in table.deltas)


def log(
    context: typer.Context, root: Root, last: Last = 20, output: FormatOption = Format.table
) -> None:
    """Show the newest groups of the log, oldest first. Times are UTC."""
    with Session.of(context).open_to_read(root) as db:
        headers = db.log(last)
        names = {table.id: table.name for table in db.snapshot().tables.values()}
    columns = ("lsn", "time", "epoch", "writer", "transactions", "operations", "rows")
    show(columns, [_log_row(header, names) for header in headers], output)


def _log_row(header: GroupHeader, names: Mapping[int, str]) -> tuple[int | str, ...]:
    operations = [o for transaction in header.transactions for o in transaction.operations]
    counts = Counter(
        f"{o.kind} {names.get(o.table_id, f'table {o.table_id}')}" if o.table_id else o.kind
        for o in operations
    )
    texts = [name if count == 1 else f"{name} ({count} times)" for name, count in counts.items()]
    return (
        header.lsn,
        time_text(header.tso),
        header.epoch,
        header.writer_id,
        len(header.transactions),
        ", ".join(texts) or "a primary began its reign",
        sum(o.row_count for o in operations),
    )


def time_text(tso: int) -> str:
    """The wall time in a TSO, as AS OF TIMESTAMP takes it: `2026-11-20 10:00:00.000`, UTC."""
    moment = datetime.datetime.fromtimestamp((tso >> TSO_COUNTER_BITS) / 1000, datetime.UTC)
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
