"""Progress bars for work that takes long, on a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["loading"]


@contextmanager
def loading(label: str, rows_total: int, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar over `rows_total` rows; yields report(rows so far, files so far).

    Args:
        shown: False yields a report that does nothing.
    """
    if not shown:
        yield lambda rows, files: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(label, total=rows_total)
        yield lambda rows, files: progress.update(task, completed=rows)
        progress.update(task, completed=rows_total)
