"""`mobula vw create|list|drop`."""

from __future__ import annotations

from typing import Annotated

import typer

from warehouse.cli.arguments import FormatOption, Root
from warehouse.cli.command import CommandGroup, RootCommand
from warehouse.cli.output import Format, say, show
from warehouse.cli.session import Engine, Session
from warehouse.database import DEFAULT_CACHE_BYTES

__all__ = ["register"]

MEBIBYTE = 1 << 20

Name = Annotated[str, typer.Argument(metavar="NAME", help="The virtual warehouse.")]
Size = Annotated[int, typer.Option("--size", help="Workers.")]
Cpus = Annotated[float, typer.Option("--worker-cpus", help="CPUs of each worker.")]
Cache = Annotated[int, typer.Option("--cache-mib", help="File cache of each worker, in MiB.")]
IfNotExists = Annotated[bool, typer.Option("--if-not-exists", help="Keep the one there is.")]
IfExists = Annotated[bool, typer.Option("--if-exists", help="No error if there is none.")]


def register(app: typer.Typer) -> None:
    """Add the group `vw`."""
    group = typer.Typer(cls=CommandGroup, no_args_is_help=True)
    group.command("create", cls=RootCommand)(create)
    group.command("list", cls=RootCommand)(list_all)
    group.command("drop", cls=RootCommand)(drop)
    app.add_typer(group, name="vw", help="Create, list and drop virtual warehouses.")


def create(
    context: typer.Context,
    *,
    root: Root,
    name: Name,
    size: Size = 1,
    worker_cpus: Cpus = 1.0,
    cache_mib: Cache = DEFAULT_CACHE_BYTES // MEBIBYTE,
    if_not_exists: IfNotExists = False,
) -> None:
    """Create a virtual warehouse; on Ray it runs from then on."""
    session = Session.of(context)
    engine = session.choose().engine
    with session.open(root) as db:
        db.create_virtual_warehouse(
            name,
            size=size,
            worker_cpus=worker_cpus,
            cache_bytes=cache_mib * MEBIBYTE,
            if_not_exists=if_not_exists,
        )
    after = "and runs" if engine is Engine.ray else "and runs whenever it is queried"
    say(f"virtual warehouse {name} exists {after}")


def list_all(context: typer.Context, root: Root, output: FormatOption = Format.table) -> None:
    """List the virtual warehouses."""
    with Session.of(context).open_to_read(root) as db:
        found = sorted(db.virtual_warehouses().items())
    columns = ("warehouse", "size", "worker_cpus", "cache_mib")
    rows = [(name, vw.size, vw.worker_cpus, vw.cache_bytes // MEBIBYTE) for name, vw in found]
    show(columns, rows, output)


def drop(context: typer.Context, root: Root, name: Name, if_exists: IfExists = False) -> None:
    """Drop a virtual warehouse: queries on it fail, its processes end."""
    with Session.of(context).open(root) as db:
        db.drop_virtual_warehouse(name, if_exists=if_exists)
    say(f"virtual warehouse {name} is gone")
