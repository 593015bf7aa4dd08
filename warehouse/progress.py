"""Progress of work that takes long: a bar on a terminal and in a notebook, lines in a log."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["loading"]

Report = Callable[[int, int], None]
LINES_MAX = 10  # of one load, where lines stay
FIRST_LINE_ROWS = 1_000_000  # after which a load of unknown size is told of


@contextmanager
def loading(label: str, rows_total: int | None, *, shown: bool) -> Iterator[Report]:
    """Show how a load of `rows_total` rows (None: not known) goes, on stderr; yields report(rows so
    far, files so far).

    Args:
        shown: False yields a report that does nothing.
    """
    console = Console(stderr=True)
    if not shown:
        yield lambda rows, files: None
    elif console.is_terminal or _has_widgets(console):
        with _bar(console) as progress:
            task = progress.add_task(label, total=rows_total)
            yield lambda rows, files: progress.update(task, completed=rows)
            if rows_total is not None:
                progress.update(task, completed=rows_total)
    else:
        yield _growing(console, label) if rows_total is None else _lines(console, label, rows_total)


def _has_widgets(console: Console) -> bool:
    """Whether this is a notebook in which rich can draw a bar."""
    return console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        console=console,
    )


def _growing(console: Console, label: str) -> Report:
    """A report that prints a line whenever the rows have doubled."""
    printed = 0

    def report(rows: int, files: int) -> None:
        nonlocal printed
        if rows >= max(2 * printed, FIRST_LINE_ROWS):
            printed = rows
            console.print(f"{label}: {rows:,} rows", markup=False, highlight=False, soft_wrap=True)

    return report


def _lines(console: Console, label: str, rows_total: int) -> Report:
    """A report that prints a line at every tenth of the rows."""
    printed = 0

    def report(rows: int, files: int) -> None:
        nonlocal printed
        tenth = LINES_MAX * rows // max(rows_total, 1)
        if tenth > printed:
            printed = tenth
            text = f"{label}: {rows:,} of {rows_total:,} rows"
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    return report
