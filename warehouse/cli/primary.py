"""`mobula primary status|release|promote`: who writes, is it alive, how another takes its place.

Status only reads, in this process: no lease is taken and no primary started. Release and promote
run where primaries are: on the Ray cluster that is reachable, else in this process, which has none
of its own and gives up at once what it takes.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.console import Console

from actors.primary.promotion import Promotion
from storage.errors import InvalidRequest, Unavailable
from storage.log.epoch import Owner
from storage.log.standing import Life, Standing
from storage.snapshot.model import Snapshot
from warehouse.cli.arguments import FormatOption, Root
from warehouse.cli.command import CommandGroup, RootCommand
from warehouse.cli.output import Format, say, show
from warehouse.cli.session import Session
from warehouse.database import Database

__all__ = ["register"]

NOBODY = "no primary has ever reigned"

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Replace a primary that is alive, too.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(cls=CommandGroup, no_args_is_help=True)
    group.command("status", cls=RootCommand)(status)
    group.command("release", cls=RootCommand)(release)
    group.command("promote", cls=RootCommand)(promote)
    app.add_typer(group, name="primary", help="See who writes, have it step down, or replace it.")


def status(context: typer.Context, root: Root, output: FormatOption = Format.table) -> None:
    """Show who reigns and whether it is alive. Starts nothing.

    Exit status 0: it is alive; 1: it is not, nobody ever was, or it cannot be told. Where no lock
    of a directory tells at once, its sign of life is watched for up to a lease.
    """
    with Session.of(context).open_to_read(root) as db:
        standing = _watched(db)
        facts = {"root": db.root, **_standing_facts(standing), **_log_facts(db.snapshot())}
    _show(facts, output)
    if standing is None or not standing.alive:
        raise typer.Exit(1)


def release(context: typer.Context, root: Root) -> None:
    """Have the primary finish what is queued and step down, so that a successor need not wait."""
    with Session.of(context).open(root) as db:
        if (owner := db.release_primary()) is not None:
            say(f"{_who(owner)} has stepped down; the next write starts a primary")
            return
        standing = _watched(db)
        if standing is not None and standing.alive:
            raise Unavailable(_elsewhere(db.root, standing))
        if standing is None:
            say(f"{NOBODY} over {db.root}; there is nothing to release")
        else:
            say(f"nobody alive reigns over {db.root}: {standing.who} {standing.life.value}")


def promote(
    context: typer.Context, root: Root, *, yes: Yes = False, output: FormatOption = Format.table
) -> None:
    """Take over now, whoever reigns: it is fenced, and can acknowledge nothing any more.

    On Ray the primary of this cluster starts, or goes on. Without Ray the fence is written and this
    process steps down again; the next connection that writes goes on at once.
    """
    with Session.of(context).open(root) as db:
        if not yes:
            standing = _watched(db)
            if standing is not None and standing.alive and not standing.here:
                _ask(db.root, standing)
        promotion = db.promote_primary()
    if promotion.took_ms is None:
        say(f"{_who(promotion.owner)} reigns already (epoch {promotion.epoch}); nothing was done")
    _show(_promotion_facts(promotion), output)


# --- what is asked --------------------------------------------------------------------------------


def _watched(db: Database) -> Standing | None:
    """Who reigns; at a terminal with a sign that something is waited for."""
    console = Console(stderr=True)
    waiting = console.status("watching for a sign of life …")
    with waiting if console.is_terminal else nullcontext():
        return db.primary_standing()


def _ask(root: str, standing: Standing) -> None:
    """Raises InvalidRequest where nobody can be asked; ends the command if the answer is no."""
    if not _is_terminal():
        raise InvalidRequest(
            f"{root} has a primary that is alive: {standing.who}. To replace it say --yes; to have "
            "it finish and step down: mobula primary release"
        )
    if not typer.confirm(f"{standing.who} is alive. Fence it and take over?", err=True):
        say("nothing was changed")
        raise typer.Exit(1)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


# --- what is shown --------------------------------------------------------------------------------


def _standing_facts(standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        names = ("owner", "address", "epoch", "lease ms", "locked")
        return {"alive": False, "state": NOBODY, **dict.fromkeys(names), "released": False}
    owner = standing.owner
    return {
        "alive": standing.alive,
        "state": standing.life.value,
        "owner": owner.id,
        "address": owner.address,
        "epoch": standing.epoch,
        "lease ms": owner.lease_ms,
        "locked": owner.locked if standing.locks else None,
        "released": standing.life is Life.RELEASED,
    }


def _log_facts(snapshot: Snapshot) -> dict[str, Any]:
    return {"lsn": snapshot.lsn or None, "log epoch": snapshot.epoch or None}


def _promotion_facts(promotion: Promotion) -> dict[str, Any]:
    before, took_ms = promotion.before, promotion.took_ms
    state = "reigns" if promotion.reigns else "has stepped down: the next write goes on at once"
    return {
        "replaced": None if before is None else _who(before),
        "owner": promotion.owner.id,
        "address": promotion.owner.address,
        "epoch": promotion.epoch,
        "fence lsn": promotion.lsn,
        "ms": None if took_ms is None else round(took_ms),
        "state": state,
    }


def _show(facts: dict[str, Any], output: Format) -> None:
    if output is Format.table:
        show(("", "value"), list(facts.items()), output)
    else:
        show([name.replace(" ", "_") for name in facts], [list(facts.values())], output)


def _who(owner: Owner) -> str:
    return f"{owner.id} at {owner.address}"


def _elsewhere(root: str, standing: Standing) -> str:
    return (
        f"{root} has a primary that cannot be reached from here: {standing.who}. Close it where it "
        "runs: end that program, or on its cluster `mobula --engine ray primary release`; if it "
        "hangs, `mobula primary promote` replaces it"
    )
