"""`mobula demo`: what `make demo` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = ["register"]

Directory = Annotated[
    Path, typer.Option("--directory", file_okay=False, help="For the data and the database.")
]
Scale = Annotated[float, typer.Option("--scale", help="TPC-H scale factor.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(directory: Directory = Path(".demo"), scale: Scale = 0.1) -> None:
    """Load TPC-H into a new database on a Ray of its own, and query it while it is written."""
    from warehouse.demo import run

    run(directory, scale, Console(highlight=False))
