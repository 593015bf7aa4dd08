"""`mobula load`: Parquet, CSV and NDJSON files into a table."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import typer

from storage.clock import SystemClock
from storage.errors import InvalidRequest
from warehouse.cli.arguments import Quiet, Root, TableName
from warehouse.cli.command import RootCommand
from warehouse.cli.output import say
from warehouse.cli.session import Session, fold_name
from warehouse.database import Database
from warehouse.infer import files_of, made_for_load
from warehouse.planning.source_options import load_format

__all__ = ["register"]


class SourceKind(enum.StrEnum):
    """Formats of source files."""

    parquet = "parquet"
    csv = "csv"
    ndjson = "ndjson"


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Parquet, CSV or NDJSON files: paths, file:// or s3:// URLs, wildcards allowed.",
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
Kind = Annotated[
    SourceKind | None,
    typer.Option(
        "--format",
        show_default="what the files' names say, else parquet",
        help="Format of the files; names may end in .gz, .zst or .bz2 besides.",
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        show_default="--header",
        help="CSV: the first line names the columns; else they are the table's, in order.",
    ),
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", show_default=",", help="CSV: between fields.")
]
Null = Annotated[
    str | None,
    typer.Option("--null", show_default="empty", help="CSV: what is NULL where it is not quoted."),
]
Quote = Annotated[str | None, typer.Option("--quote", show_default='"', help="CSV: around fields.")]
Escape = Annotated[
    str | None,
    typer.Option("--escape", show_default="the quote", help="CSV: before a quote inside quotes."),
]
Upsert = Annotated[
    bool,
    typer.Option("--upsert", help="Rows replace those of the table with the same primary key."),
]
Ignore = Annotated[
    bool,
    typer.Option("--ignore", help="Rows are left out whose key the table has already."),
]


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
    upsert: Upsert = False,
    ignore: Ignore = False,
    kind: Kind = None,
    header: Header = None,
    delimiter: Delimiter = None,
    null: Null = None,
    quote: Quote = None,
    escape: Escape = None,
    quiet: Quiet = False,
) -> None:
    """Load Parquet, CSV or NDJSON files into a table: all of them in one commit, or none.

    A key that the table has already refuses the load, without --upsert and --ignore.
    """
    if upsert and ignore:
        raise InvalidRequest("--upsert and --ignore: a row cannot do both; give one")
    mode = "upsert" if upsert else "ignore" if ignore else "insert"
    clock = SystemClock()
    started_ms = clock.monotonic_ms()
    name = fold_name(table)
    told: dict[str, Any] = {
        "header": header,
        "delimiter": _unescaped(delimiter),
        "null": null,
        "quote": quote,
        "escape": escape,
    }
    files = files_of(sources, kind=kind)
    form = load_format(files, kind, told)
    with (
        _opened(Session.of(context), root, create) as db,
        made_for_load(db, name, files, infer=create, format=form),
    ):
        commit = db.load(name, files, mode=mode, progress=not quiet, format=kind, **told)
    seconds = (clock.monotonic_ms() - started_ms) / 1000
    say(f"loaded {commit.rows:,} rows into {name} in {seconds:.1f} s (LSN {commit.lsn})")


def _unescaped(delimiter: str | None) -> str | None:
    """A tab is hard to type in a shell."""
    return "\t" if delimiter == "\\t" else delimiter


def _opened(session: Session, root: str, create: bool) -> Database:
    try:
        return session.open(root, create=create)
    except InvalidRequest as error:
        if create:
            raise
        raise InvalidRequest(f"{error}; --create makes database and table") from error
