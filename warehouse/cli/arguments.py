"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from warehouse.cli.output import Format

__all__ = ["FormatOption", "Quiet", "Root", "TableName"]

Root = Annotated[
    str,
    typer.Argument(
        metavar="ROOT", help="Directory or URL of the database, or leave it to MOBULA_ROOT."
    ),
]
TableName = Annotated[str, typer.Argument(metavar="TABLE", help="table or schema.table")]
FormatOption = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
