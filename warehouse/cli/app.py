"""The command `mobula`: its groups put together, and the options before them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from warehouse.cli import (
    catalogue,
    check,
    demo,
    load,
    maintenance,
    primary,
    sql,
    status,
    vacuum,
    virtual_warehouses,
)
from warehouse.cli.command import CommandGroup
from warehouse.cli.session import Engine, Session
from warehouse.settings_file import SETTINGS_VARIABLE

__all__ = ["app", "main"]

app = typer.Typer(
    name="mobula",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
load.register(app)
sql.register(app)
catalogue.register(app)
status.register(app)
check.register(app)
maintenance.register(app)
vacuum.register(app)
primary.register(app)
virtual_warehouses.register(app)
demo.register(app)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"mobula {version('mobula')}")
        raise typer.Exit


@app.callback()
def mobula(
    context: typer.Context,
    engine: Annotated[
        Engine | None,
        typer.Option(
            envvar="MOBULA_ENGINE",
            show_default="ray where a cluster is reachable, else local",
            help="Run on Ray, or all in this process.",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            envvar=SETTINGS_VARIABLE,
            help="A TOML file of settings, for the processes that this call starts.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """Mobula, an elastic analytical warehouse on Ray.

    ROOT is where a database lives: a directory, file:///path or s3://bucket/prefix (with the usual
    AWS_… environment variables). It may come from the environment variable MOBULA_ROOT instead; to
    name another one then, write it as a place: ./db, /db or s3://…
    """
    if context.obj is None:
        context.obj = Session(asked=engine, settings=settings)


def main() -> None:
    """Run the command line of this process."""
    app()
