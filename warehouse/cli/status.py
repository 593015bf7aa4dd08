"""`mobula status`: what a database holds, who writes it, and where commands run."""

from __future__ import annotations

from typing import Any

import typer

from storage.errors import Unavailable
from storage.snapshot.model import Snapshot
from storage.table_health import amplification
from warehouse.cli.arguments import FormatOption, Root
from warehouse.cli.catalogue import table_bytes, time_text
from warehouse.cli.command import RootCommand
from warehouse.cli.output import Format, show
from warehouse.cli.session import Session
from warehouse.cli.virtual_warehouses import listed
from warehouse.database import Database

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", cls=RootCommand)(status)


def status(context: typer.Context, root: Root, output: FormatOption = Format.table) -> None:
    """Show the database's newest version, its primary, and the engine. Starts nothing."""
    session = Session.of(context)
    choice = session.choose()
    with session.open(root) as db:
        snapshot = db.snapshot()
        facts: dict[str, Any] = {
            "root": db.root,
            "database id": db.id,
            "engine": f"{choice.engine} ({choice.reason})",
            **_newest(snapshot),
            **_primary(db, snapshot),
        }
        columns, warehouses = listed(db)
    if output is Format.table:
        show(("", "value"), [(name, str(value)) for name, value in facts.items()], output)
        if warehouses:
            show(columns, [list(row.values()) for row in warehouses], output)
        return
    if output is Format.json:
        facts["warehouses"] = warehouses
    keys = [name.replace(" ", "_") for name in facts]
    show(keys, [list(facts.values())], output)


def _newest(snapshot: Snapshot) -> dict[str, Any]:
    tables = snapshot.tables.values()
    cost = amplification(tables)
    runs = [run for table in tables for run in table.index_runs]
    return {
        "lsn": snapshot.lsn,
        "time": time_text(snapshot.tso) if snapshot.lsn else None,
        "tables": len(tables),
        "rows": sum(table.row_count for table in tables),
        "bytes": sum(table_bytes(table) for table in tables),
        "delta rows": sum(delta.row_count for t in tables for delta in t.deltas),
        "index runs": f"{len(runs)} runs, {sum(run.size_bytes for run in runs)} bytes",
        "read amplification": round(cost.read, 3),
        "space amplification": round(cost.space, 3),
        "virtual warehouses": ", ".join(sorted(snapshot.virtual_warehouses)) or None,
    }


def _primary(db: Database, snapshot: Snapshot) -> dict[str, Any]:
    """The primary that runs on this engine, or who wrote last."""
    last = db.log(1)
    writer = {"last writer": last[0].writer_id if last else None, "epoch": snapshot.epoch or None}
    try:
        found = db.status()
    except Unavailable as error:
        return {**writer, "primary": f"not answering: {error}"}
    if not found:
        return {**writer, "primary": "none runs here; the next write starts one"}
    away, stopped = found["store_away"], found["stopped"]
    amplified = found["write_amplification"]
    who = f"{found['owner']} at {found['address']}"
    return {
        **writer,
        "primary": who if stopped is None else f"{who}, stopped: {stopped}",
        "store": "answers" if away is None else f"has not answered {away}",
        "checkpoint lsn": found["checkpoint_lsn"],
        "log after checkpoint": f"{found['tail_groups']} groups, {found['tail_bytes']} bytes",
        "flushes": found["flushes"],
        "compactions": found["compactions"],
        "written for clients": f"{found['foreground_bytes']} bytes",
        "written by maintenance": f"{found['background_bytes']} bytes",
        "write amplification": None if amplified is None else round(amplified, 3),
        "open transactions": found["open_transactions"],
        "last error": found["last_error"],
    }
