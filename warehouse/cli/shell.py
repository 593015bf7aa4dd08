"""The prompt without its keyboard: what a line that was entered does, and the state between lines.

A line is one backslash command (`warehouse/cli/meta.py`) or statements. Each statement runs by
itself, reads on the virtual warehouse in use; the first that fails ends the line, and its place in
the text is marked. Ctrl-C ends the waiting for a statement: a read is cancelled, a write that was
sent may still happen on a cluster.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from storage.clock import SystemClock
from storage.errors import InvalidRequest, MobulaError
from warehouse.cli.completion import Names
from warehouse.cli.output import Format, records_of, say, say_error, show, table_of, tag_text
from warehouse.database import Database
from warehouse.planning.parse import split_statements
from warehouse.result import Result

__all__ = ["Shell", "marked"]

FILE_COLUMNS = 10_000  # nothing is folded on its way into a file
AROUND_CHARACTERS = 60
_PLACE = re.compile(r"line (\d+), column (\d+)")


class Shell:
    """One session at the prompt.

    Attributes:
        db: the database.
        timing, expanded: what `\\timing` and `\\x` switch.
        stats: print what each statement cost.
        done: whether `\\q` was entered.
    """

    def __init__(
        self,
        db: Database,
        *,
        warehouse: str | None = None,
        output: Format = Format.table,
        stats: bool = False,
    ) -> None:
        self.db = db
        self.timing = False
        self.expanded = False
        self.stats = stats
        self.done = False
        self._output = output
        self._file: TextIO | None = None
        self._names: Names | None = None
        self._clock = SystemClock()
        if warehouse is not None:
            self.use(warehouse)

    @property
    def warehouse(self) -> str | None:
        """The virtual warehouse that reads run on; None: the primary."""
        return self.db.warehouse_in_use

    def use(self, name: str | None) -> None:
        """Run reads on this virtual warehouse, or with None on the primary."""
        self.db.use_warehouse(name)

    def names(self) -> Names:
        """The names of the newest snapshot; none while the store does not answer."""
        names = self._names
        if names is None:
            try:
                names = self._names = Names.of(self.db.snapshot())
            except MobulaError:
                return Names()
        return names

    def run(self, text: str) -> bool:
        """Run statements, up to the first that fails; whether all did their work.

        Raises SqlSyntaxError for a text that ends inside a string or a comment.
        """
        self._names = None
        for statement in split_statements(text):
            started_ms = self._clock.monotonic_ms()
            try:
                self._show(self.db.sql(statement))
            except MobulaError as error:
                say_error(error)
                if (place := marked(str(error), statement)) is not None:
                    say(place)
                return False
            finally:
                if self.timing:
                    say(f"time: {self._clock.monotonic_ms() - started_ms:,.1f} ms")
        return True

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print rows, where `\\o` says and as `\\x` says."""
        if self._output is not Format.table and self._file is None:
            show(columns, rows, self._output)
            return
        made = (records_of if self.expanded else table_of)(columns, rows)
        with self._console(len(rows) * (len(columns) if self.expanded else 1)) as console:
            console.print(made)
        say("1 row" if len(rows) == 1 else f"{len(rows):,} rows")

    def write_to(self, path: str | None) -> None:
        """Send rows to a file from now on, or with None to the terminal again."""
        self.close()
        if path is not None:
            try:
                self._file = Path(path).expanduser().open("w", encoding="utf-8")
            except OSError as error:
                raise InvalidRequest(
                    f"{path} cannot be written: {error.strerror}", "58030"
                ) from error

    def close(self) -> None:
        """Finish the file of `\\o`."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _show(self, result: Result) -> None:
        if result.has_rows:
            self.table(result.columns, result.rows())
        if result.tag is not None:
            say(tag_text(result))
        if self.stats:
            say(", ".join(f"{k} {v}" for k, v in dataclasses.asdict(result.stats).items()))

    @contextlib.contextmanager
    def _console(self, lines: int) -> Iterator[Console]:
        """Where rows go: a file, a pager for more than the screen holds, or the terminal."""
        if self._file is not None:
            yield Console(file=self._file, width=FILE_COLUMNS, highlight=False, markup=False)
            self._file.flush()
            return
        console = Console(highlight=False, markup=False)
        if not console.is_terminal:
            yield Console(width=FILE_COLUMNS, highlight=False, markup=False)
        elif lines < console.height - 5 or not sys.stdin.isatty():
            yield console
        else:
            with console.pager(styles=True):
                yield console


def marked(message: str, statement: str) -> str | None:
    """The line of a statement that an error is about, and a caret under the place; None if the
    message names no place."""
    found = _PLACE.search(message)
    lines = statement.split("\n")
    if found is None or not 1 <= int(found[1]) <= len(lines):
        return None
    line, at = lines[int(found[1]) - 1].replace("\t", " "), int(found[2]) - 1
    start = max(0, at - AROUND_CHARACTERS)
    cut = ("..." if start else "") + line[start : at + AROUND_CHARACTERS]
    head = f"LINE {found[1]}: "
    indent = len(head) + at - start + (3 if start else 0)
    return f"{head}{cut}\n{' ' * indent}^"
