"""`mobula check`: is everything there that the database needs, and is it what it must be?

Reading needs no primary and takes no lease: the objects are read by this process, beside whoever
writes. Only --repair-index asks the primary, which makes runs of indexes anew as a commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar

from actors.loop import LoopThread
from storage.clock import SystemClock
from storage.errors import MobulaError
from storage.objects import open_store
from storage.scrub import Finding, Progress, Report, scrub
from warehouse.cli.arguments import FormatOption, Quiet, Root
from warehouse.cli.command import RootCommand
from warehouse.cli.output import Format, say, say_error, show, size_text
from warehouse.cli.session import Session
from warehouse.database import Database
from warehouse.opening import from_here, store_options
from warehouse.syntax.quoting import quoted

__all__ = ["register"]

COLUMNS = ("severity", "part", "object", "table", "expected", "found", "next step")
REDRAWN_BYTES = 1 << 20  # a bar that follows every small object takes longer than the objects

RepairIndex = Annotated[
    bool,
    typer.Option(
        "--repair-index",
        help="Make the indexes that are lost, damaged or wrong anew from the data, through the "
        "primary, and check again.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", cls=RootCommand)(check)


def check(
    context: typer.Context,
    root: Root,
    *,
    repair_index: RepairIndex = False,
    quiet: Quiet = False,
    output: FormatOption = Format.table,
) -> None:
    """Read everything back and compare it: log, checkpoints, files, statistics, keys, indexes.

    Exit status 1 says that something is damaged. Writers may go on: one version is checked.
    """
    findings, report = _checked(root, quiet)
    if repair_index and _repaired(Session.of(context), root, report):
        findings, report = _checked(root, quiet)
    _show(findings, output)
    say(_summary(report))
    if not report.clean:
        raise typer.Exit(1)


def _checked(root: str, quiet: bool) -> tuple[list[Finding], Report]:
    """Check the database at a root, with a bar on a terminal."""
    findings: list[Finding] = []
    loop = LoopThread("mobula-check")
    try:
        with _bar(findings, quiet) as report:
            return findings, loop.run(_scrubbed(root, findings, report))
    finally:
        loop.close()


async def _scrubbed(
    root: str, findings: list[Finding], report: Callable[[Progress], None]
) -> Report:
    store = open_store(from_here(root), store_options(None), clock=SystemClock())
    try:
        return await scrub(store, on_finding=findings.append, on_progress=report)
    finally:
        await store.close()


def _repaired(session: Session, root: str, report: Report) -> bool:
    """Ask the primary to make the broken indexes anew. Returns whether any was."""
    if not report.broken_indexes:
        say("no index needs to be made anew")
        return False
    try:
        with session.open(root) as db:
            return sum([_table_repaired(db, number) for number in report.broken_indexes]) > 0
    except MobulaError as error:  # what is found is shown all the same
        say_error(error)
        return False


def _table_repaired(db: Database, table_id: int) -> bool:
    snapshot = db.snapshot()
    table = snapshot.tables.get(table_id)
    if table is None:
        return False  # it was dropped meanwhile
    name = quoted(snapshot.schemas[table.schema_id], table.name)
    try:
        result = db.sql("CALL mobula.repair_index($1)", [name])
    except MobulaError as error:
        say_error(error)
        return False
    say(f"{name}: {result.tag}")
    return True


# --- what is shown --------------------------------------------------------------------------------


def _show(findings: list[Finding], output: Format) -> None:
    rows = [
        (f.severity.value, f.part.value, f.object, f.table, f.expected, f.found, f.next_step)
        for f in sorted(findings, key=_worst_first)
    ]
    if output is not Format.table:
        show([name.replace(" ", "_") for name in COLUMNS], rows, output)
    elif rows:
        show(COLUMNS, rows, output, expanded=True)  # names of objects are never cut


def _worst_first(finding: Finding) -> tuple[Any, ...]:
    severities = list(type(finding.severity))
    return severities.index(finding.severity), finding.part.value, finding.object


def _summary(report: Report) -> str:
    read = f"{report.objects:,} objects, {size_text(report.size_bytes)}"
    holds = f"{report.tables:,} tables, {report.rows:,} rows"
    at = f"LSN {report.lsn}"
    if report.lsn < report.newest_lsn:
        at += f" (the log goes on to {report.newest_lsn}, but cannot be followed)"
    counts = [(report.damages, "damage"), (report.warnings, "warning"), (report.notes, "note")]
    told = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for n, name in counts if n)
    found = f"; {told}" if told else ""
    unreferenced = ""
    if report.unreferenced:
        size = size_text(report.unreferenced_bytes)
        unreferenced = f"; {report.unreferenced:,} objects ({size}) that no version names"
    well = "nothing is damaged" if report.clean else "DAMAGED"
    return f"{well}: checked {read}, {holds} at {at}{found}{unreferenced}"


@contextmanager
def _bar(findings: list[Finding], quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """What shows progress: a bar at a terminal, else nothing."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda progress: None
        return
    with Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TextColumn("{task.fields[objects]}"),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        yield _Drawn(bar, bar.add_task("listing", objects=""), findings).report


class _Drawn:
    """Moves a bar."""

    def __init__(self, bar: Bar, task: TaskID, findings: list[Finding]) -> None:
        self._bar = bar
        self._task = task
        self._findings = findings
        self._drawn = Progress()

    def report(self, progress: Progress) -> None:
        """The check has come so far."""
        before = self._drawn
        same = (progress.doing, progress.objects_total) == (before.doing, before.objects_total)
        if same and progress.size_bytes - before.size_bytes < REDRAWN_BYTES:
            return
        self._drawn = progress
        count = len(self._findings)
        found = f", {count} findings" if count else ""
        self._bar.update(
            self._task,
            description=progress.doing,
            completed=progress.size_bytes,
            total=progress.bytes_total,
            objects=f"{progress.objects:,} of {progress.objects_total:,} objects{found}",
        )
