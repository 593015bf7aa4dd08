"""`mobula vw create|alter|list|show|suspend|resume|drop`, and `mobula kill`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from storage.errors import InvalidRequest, UnknownObject
from storage.snapshot.changes import VirtualWarehouse
from warehouse.cli import warehouse_options as options
from warehouse.cli.arguments import FormatOption, Root
from warehouse.cli.command import CommandGroup, RootCommand
from warehouse.cli.output import Format, say, show
from warehouse.cli.session import Engine, Session
from warehouse.database import Database
from warehouse.syntax.warehouse_options import default_of

__all__ = ["listed", "register"]

LIVE = ("state", "clusters", "workers", "busy", "queued")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The virtual warehouse.")]
QueryId = Annotated[
    str, typer.Argument(metavar="QUERY_ID", help="As `mobula.queries()` and results show it.")
]
IfNotExists = Annotated[bool, typer.Option("--if-not-exists", help="Keep the one there is.")]
IfExists = Annotated[bool, typer.Option("--if-exists", help="No error if there is none.")]
Suspended = Annotated[
    bool, typer.Option("--initially-suspended", help="Start nothing: the first query does.")
]
Force = Annotated[
    bool, typer.Option("--force", help="End the queries that run, instead of waiting for them.")
]
Unset = Annotated[
    list[str] | None,
    typer.Option("--unset", metavar="OPTION", help="Back to its default; may be repeated."),
]


def register(app: typer.Typer) -> None:
    """Add the group `vw`, and `kill`."""
    group = typer.Typer(cls=CommandGroup, no_args_is_help=True)
    group.command("create", cls=RootCommand)(create)
    group.command("alter", cls=RootCommand)(alter)
    group.command("list", cls=RootCommand)(list_all)
    group.command("show", cls=RootCommand)(show_one)
    group.command("suspend", cls=RootCommand)(suspend)
    group.command("resume", cls=RootCommand)(resume)
    group.command("drop", cls=RootCommand)(drop)
    app.add_typer(group, name="vw", help="Make, change, suspend and drop virtual warehouses.")
    app.command("kill", cls=RootCommand)(kill)


def create(
    context: typer.Context,
    *,
    root: Root,
    name: Name,
    size: options.Size = None,
    worker_cpus: options.Cpus = None,
    worker_memory: options.Memory = None,
    cache: options.Cache = None,
    min_clusters: options.MinClusters = None,
    max_clusters: options.MaxClusters = None,
    scaling_policy: options.Policy = None,
    auto_suspend: options.AutoSuspend = None,
    auto_resume: options.AutoResume = None,
    max_concurrency: options.Concurrency = None,
    statement_timeout: options.StatementTimeout = None,
    queue_timeout: options.QueueTimeout = None,
    max_queued: options.MaxQueued = None,
    node_type: options.NodeType = None,
    comment: options.Comment = None,
    initially_suspended: Suspended = False,
    if_not_exists: IfNotExists = False,
) -> None:
    """Create a virtual warehouse; on Ray it runs from then on."""
    settings = options.settings_of(locals())
    session = Session.of(context)
    engine = session.choose().engine
    with session.open(root) as db:
        db.create_virtual_warehouse(
            name,
            if_not_exists=if_not_exists,
            **{**settings, "initially_suspended": initially_suspended},
        )
    if initially_suspended:
        after = "and sleeps until it is queried or resumed"
    else:
        after = "and runs" if engine is Engine.ray else "and runs whenever it is queried"
    say(f"virtual warehouse {name} exists {after}")


def alter(
    context: typer.Context,
    *,
    root: Root,
    name: Name,
    size: options.Size = None,
    worker_cpus: options.Cpus = None,
    worker_memory: options.Memory = None,
    cache: options.Cache = None,
    min_clusters: options.MinClusters = None,
    max_clusters: options.MaxClusters = None,
    scaling_policy: options.Policy = None,
    auto_suspend: options.AutoSuspend = None,
    auto_resume: options.AutoResume = None,
    max_concurrency: options.Concurrency = None,
    statement_timeout: options.StatementTimeout = None,
    queue_timeout: options.QueueTimeout = None,
    max_queued: options.MaxQueued = None,
    node_type: options.NodeType = None,
    comment: options.Comment = None,
    unset: Unset = None,
) -> None:
    """Change settings of a virtual warehouse; what is not named stays."""
    changes = options.settings_of(locals())
    for field in options.fields_of(unset or []):
        if field in changes:
            raise InvalidRequest(f"--unset {field}: the same option is set, too")
        changes[field] = default_of(field)
    if not changes:
        raise typer.BadParameter("name an option to change")
    with Session.of(context).open(root) as db:
        db.alter_virtual_warehouse(name, **changes)
    say(f"virtual warehouse {name} has changed: {', '.join(sorted(changes))}")


def list_all(context: typer.Context, root: Root, output: FormatOption = Format.table) -> None:
    """List the virtual warehouses: what there is of each now, and all its settings. Starts
    nothing."""
    with Session.of(context).open(root) as db:
        found = listed(db)
    columns, rows = found
    show(columns, [list(row.values()) for row in rows], output)


def listed(db: Database) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The columns of SHOW WAREHOUSES, and a row for each."""
    settings = tuple(field for field in VirtualWarehouse.__struct_fields__ if field != "name")
    columns = ("warehouse", *LIVE, *settings)
    rows = [
        {c: getattr(record, "name" if c == "warehouse" else c) for c in columns}
        for record in db.virtual_warehouse_records()
    ]
    return columns, rows


def show_one(
    context: typer.Context, root: Root, name: Name, output: FormatOption = Format.table
) -> None:
    """Show the settings of a virtual warehouse."""
    with Session.of(context).open_to_read(root) as db:
        found = db.sql(f'DESCRIBE WAREHOUSE "{name.replace(chr(34), chr(34) * 2)}"')
    show(found.columns, found.rows(), output)


def suspend(context: typer.Context, root: Root, name: Name, force: Force = False) -> None:
    """Give a virtual warehouse's workers back, once its queries are over."""
    with Session.of(context).open(root) as db:
        db.suspend_virtual_warehouse(name, force=force)
    say(f"virtual warehouse {name} is suspended")


def resume(context: typer.Context, root: Root, name: Name) -> None:
    """Wake a virtual warehouse; returns when it serves."""
    with Session.of(context).open(root) as db:
        db.resume_virtual_warehouse(name)
    say(f"virtual warehouse {name} serves")


def drop(
    context: typer.Context,
    root: Root,
    name: Name,
    if_exists: IfExists = False,
    force: Force = False,
) -> None:
    """Drop a virtual warehouse: its processes end when its queries are over."""
    with Session.of(context).open(root) as db:
        db.drop_virtual_warehouse(name, if_exists=if_exists, force=force)
    say(f"virtual warehouse {name} is gone")


def kill(context: typer.Context, root: Root, query_id: QueryId) -> None:
    """End a query, wherever it waits or runs."""
    with Session.of(context).open(root) as db:
        found = db.cancel(query_id)
    if not found:
        raise UnknownObject(f"no query {query_id!r} waits or runs; it may be over already")
    say(f"query {query_id} is cancelled")
