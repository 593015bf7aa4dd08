"""`mobula load`: Parquet files into a table."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.clock import SystemClock
from storage.errors import InvalidRequest
from warehouse.cli.arguments import Root, TableName
from warehouse.cli.command import RootCommand
from warehouse.cli.output import say
from warehouse.cli.session import Session, fold_name
from warehouse.database import Database
from warehouse.infer import files_of, made_for_load

__all__ = ["register"]

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="Parquet files: paths, file:// or s3:// URLs, wildcards allowed."
    ),
]
Create = Annotated[
    bool,
    typer.Option(
        "--create",
        help="Make the table, with the columns of the first file, unless it exists; "
        "and the database, if ROOT is empty.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load", cls=RootCommand)(load)


def load(
    context: typer.Context,
    *,
    root: Root,
    table: TableName,
    sources: Sources,
    create: Create = False,
    quiet: Quiet = False,
) -> None:
    """Load Parquet files into a table: all of them in one commit, or none."""
    clock = SystemClock()
    started_ms = clock.monotonic_ms()
    name = fold_name(table)
    files = files_of(sources)
    with (
        _opened(Session.of(context), root, create) as db,
        made_for_load(db, name, files, infer=create),
    ):
        commit = db.load(name, files, progress=not quiet)
    seconds = (clock.monotonic_ms() - started_ms) / 1000
    say(f"loaded {commit.rows:,} rows into {name} in {seconds:.1f} s (LSN {commit.lsn})")


def _opened(session: Session, root: str, create: bool) -> Database:
    try:
        return session.open(root, create=create)
    except InvalidRequest as error:
        if create:
            raise
        raise InvalidRequest(f"{error}; --create makes database and table") from error
