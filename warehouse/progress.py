"""Progress of work that takes long: a bar on a terminal and in a notebook, lines in a log.

A load into a table with keys has a second part, in which the primary compares them with those of
the table. How far that is nobody but the primary knows, so what is shown is that it is under way,
and how many keys there are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["Loading", "loading", "rows_bar"]

Report = Callable[[int, int], None]  # (rows so far, files so far)
LINES_MAX = 10  # of one load, where lines stay
FIRST_LINE_ROWS = 1_000_000  # after which a load of unknown size is told of


@dataclass(frozen=True, slots=True)
class Loading:
    """What a load tells. `checking(keys)`: its files are there, now their keys are compared."""

    report: Report
    checking: Callable[[int], None]


@contextmanager
def loading(label: str, rows_total: int | None, *, shown: bool) -> Iterator[Loading]:
    """Show how a load of `rows_total` rows (None: not known) goes, on stderr.

    Args:
        shown: False shows nothing.
    """
    console = Console(stderr=True)
    if not shown:
        yield Loading(lambda rows, files: None, lambda keys: None)
    elif console.is_terminal or _has_widgets(console):
        with rows_bar(console) as progress:
            yield from _drawn(progress, label, rows_total)
    else:
        lines = _growing(console, label)
        if rows_total is not None:
            lines = _lines(console, label, rows_total)
        yield Loading(lines, lambda keys: _say(console, f"{label}: {_checking(keys)}"))


def _drawn(progress: Progress, label: str, rows_total: int | None) -> Iterator[Loading]:
    task = progress.add_task(label, total=rows_total)
    checks: list[TaskID] = []

    def checking(keys: int) -> None:
        progress.update(task, completed=keys, total=keys)
        checks.append(progress.add_task(f"{label}: {_checking(keys)}", total=None))

    yield Loading(lambda rows, files: progress.update(task, completed=rows), checking)
    if rows_total is not None:
        progress.update(task, completed=rows_total)
    for check in checks:
        progress.update(check, completed=1, total=1)


def _checking(keys: int) -> str:
    return f"comparing {keys:,} keys with the table's"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _has_widgets(console: Console) -> bool:
    """Whether this is a notebook in which rich can draw a bar."""
    return console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None


def rows_bar(console: Console, *, transient: bool = False) -> Progress:
    """A bar of rows for each task. Args: transient: nothing is left of it in the end."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        console=console,
        transient=transient,
    )


def _growing(console: Console, label: str) -> Report:
    """A report that prints a line whenever the rows have doubled."""
    printed = 0

    def report(rows: int, files: int) -> None:
        nonlocal printed
        if rows >= max(2 * printed, FIRST_LINE_ROWS):
            printed = rows
            _say(console, f"{label}: {rows:,} rows")

    return report


def _lines(console: Console, label: str, rows_total: int) -> Report:
    """A report that prints a line at every tenth of the rows."""
    printed = 0

    def report(rows: int, files: int) -> None:
        nonlocal printed
        tenth = LINES_MAX * rows // max(rows_total, 1)
        if tenth > printed:
            printed = tenth
            _say(console, f"{label}: {rows:,} of {rows_total:,} rows")

    return report
