"""`mobula vacuum`: delete what no version within the retention needs, or say what would go."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console

from warehouse.cli.arguments import FormatOption, Quiet, Root
from warehouse.cli.command import RootCommand
from warehouse.cli.output import Format, say, show, size_text
from warehouse.cli.session import Session

__all__ = ["register"]

COLUMNS = ["object", "size_bytes", "reason"]

Retention = Annotated[
    str | None,
    typer.Option(
        "--retention",
        metavar="INTERVAL",
        help="Keep versions of so long ago, this time: '1 hour'; without it as SHOW retention "
        "says.",
    ),
]
Uploads = Annotated[
    str | None,
    typer.Option(
        "--uploads",
        metavar="INTERVAL",
        help="Delete uploads that began so long ago and were not committed; without it a day. "
        "Loads that began before fail.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="List what would be deleted, and why; delete nothing.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("vacuum", cls=RootCommand)(vacuum)


def vacuum(
    context: typer.Context,
    root: Root,
    *,
    retention: Retention = None,
    uploads: Uploads = None,
    dry_run: DryRun = False,
    output: FormatOption = Format.table,
    quiet: Quiet = False,
) -> None:
    """Delete objects that no version within the retention needs. Others may go on working."""
    console = Console(stderr=True)
    waiting = console.status("collecting") if console.is_terminal and not quiet else None
    with Session.of(context).open(root) as db, waiting or contextlib.nullcontext():
        rows = db.sql("CALL mobula.vacuum($1, $2, $3)", [retention, uploads, dry_run]).rows()
        held = db.status().get("pinned", [])
    if dry_run:
        show(COLUMNS, rows, output)
    counts, sizes = Counter[str](), Counter[str]()
    for _, size, reason in rows:
        counts[reason] += 1
        sizes[reason] += size or 0
    for reason, count in counts.most_common():
        say(f"{count:,} objects, {size_text(sizes[reason])}: {reason}")
    verb = "would be deleted" if dry_run else "were deleted"
    say(f"{len(rows):,} objects, {size_text(sum(sizes.values()))}, {verb}")
    for pin in held:
        say(f"held: {pin}")
