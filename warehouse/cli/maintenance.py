"""`mobula compact` and `mobula stats`: how tables lie in their files, and setting it right."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from storage.errors import MobulaError, Unavailable
from storage.partitions.health import PartitionHealth, partition_health
from storage.snapshot.model import TableState
from storage.table_health import TableHealth, table_health
from warehouse.cli.arguments import FormatOption, Quiet, Root
from warehouse.cli.command import RootCommand
from warehouse.cli.output import Format, say, show, size_text
from warehouse.cli.session import Session, fold_name
from warehouse.database import Database
from warehouse.maintain import maintain, tables_named
from warehouse.progress import rows_bar

__all__ = ["register"]

LOOK_S = 0.5
RUNNING = (
    "SELECT kind, table_name, rows_done, row_count FROM mobula.tasks()"
    " WHERE state = 'running' LIMIT 1"
)

Tables = Annotated[
    list[str] | None, typer.Argument(help="Tables, as SQL names them; all if left out.")
]
Recluster = Annotated[
    bool,
    typer.Option("--recluster", help="Also sort files together until none overlap."),
]
Partitions = Annotated[
    bool,
    typer.Option("--partitions", help="A row for each partition of tables that have some."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("compact", cls=RootCommand)(compact)
    app.command("stats", cls=RootCommand)(stats)


def compact(
    context: typer.Context,
    root: Root,
    tables: Tables = None,
    *,
    recluster: Recluster = False,
    quiet: Quiet = False,
) -> None:
    """Flush tables and write their files anew without deleted rows. Others may go on writing."""
    with Session.of(context).open(root) as db:
        for name, table in _named(db, tables).items():
            with _bar(db, quiet):
                count = maintain(db, table, recluster=recluster)
            say(f"{name}: {count:,} files were rewritten")


def stats(
    context: typer.Context,
    root: Root,
    tables: Tables = None,
    output: FormatOption = Format.table,
    *,
    partitions: Partitions = False,
) -> None:
    """Show how tables lie in their files: levels, overlap, deleted rows, deltas, indexes,
    and what they cost: bytes written, read and stored for each that is wanted."""
    with Session.of(context).open(root) as db:
        found = _named(db, tables)
        written = _written(db)
    kind: type[TableHealth | PartitionHealth] = PartitionHealth if partitions else TableHealth
    rows = [
        (name, *_values(health, output), *(() if partitions else (written.get(table.id),)))
        for name, table in found.items()
        for health in (partition_health(table) if partitions else (table_health(table),))
    ]
    columns = ["table", *(field.name for field in dataclasses.fields(kind))]
    if partitions:
        columns[1] = "partition"
    else:
        columns.append("write_amplification")
    if output is Format.table:
        columns = [column.replace("_", " ") for column in columns]
    show(columns, rows, output, expanded=len(rows) == 1)


def _written(db: Database) -> dict[int, float | None]:
    """By table, bytes written for each that clients wrote; nothing where no primary runs."""
    try:
        by_table = db.status().get("written_by_table", {})
    except Unavailable:
        return {}
    found = {table_id: written.amplification for table_id, written in by_table.items()}
    return {table_id: None if x is None else round(x, 3) for table_id, x in found.items()}


def _named(db: Database, tables: list[str] | None) -> dict[str, TableState]:
    return tables_named(db.snapshot(), [fold_name(name) for name in tables or ()])


def _values(health: TableHealth | PartitionHealth, output: Format) -> Iterator[object]:
    for name, value in dataclasses.asdict(health).items():
        if output is Format.table and name.endswith("_bytes"):
            yield size_text(value)
        elif name.endswith("_amplification"):
            yield round(value, 3)
        else:
            yield value


@contextmanager
def _bar(db: Database, quiet: bool) -> Iterator[None]:
    """While something is done: the task that runs, at a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    over = threading.Event()
    with rows_bar(console, transient=True) as bar:
        looking = threading.Thread(
            target=_follow, args=(db, bar, bar.add_task("waiting", total=None), over)
        )
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def _follow(db: Database, bar: Progress, task: TaskID, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        try:
            found = db.sql(RUNNING).rows()
        except MobulaError:  # the next look may tell
            continue
        for kind, table, done, total in found:
            bar.update(task, description=f"{kind} {table}", completed=done, total=total)
