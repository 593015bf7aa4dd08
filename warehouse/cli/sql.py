"""`mobula sql`: statements from the command line, a file, or standard input."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from actors.fragments import QueryStats
from actors.messages import Statement
from storage.errors import InvalidRequest, MobulaError
from warehouse.cli.arguments import FormatOption, Root
from warehouse.cli.command import RootCommand
from warehouse.cli.output import Format, say, show, size_text, tag_text
from warehouse.cli.session import Session
from warehouse.cli.shell import Shell
from warehouse.database import Database
from warehouse.planning.parse import StatementParser, split_statements
from warehouse.result import Result
from warehouse.session_settings import read_priority
from warehouse.syntax.commands import CreateTable
from warehouse.syntax.quantities import duration_ms
from warehouse.syntax.session_statements import SessionGrammar

__all__ = ["register"]

TextArgument = Annotated[
    str | None,
    typer.Argument(metavar="TEXT", help="Statements, several separated by semicolons."),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="A script, or - for standard input."),
]
WarehouseOption = Annotated[
    str | None,
    typer.Option(
        "--vw",
        metavar="NAME",
        help="Run on this virtual warehouse, which only reads; at the prompt as USE WAREHOUSE.",
    ),
]
PriorityOption = Annotated[
    str | None,
    typer.Option(
        "--priority",
        metavar="N",
        show_default="normal",
        help="Of those that wait the greatest is next: -1000 to 1000, or low, normal, high.",
    ),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="TIME",
        show_default="10min",
        help="Of each statement that reads: seconds, or 500ms, 30s, 5min; 0 for none.",
    ),
]
StatsOption = Annotated[bool, typer.Option("--stats", help="Print what each statement cost.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql", cls=RootCommand)(sql)


def sql(
    context: typer.Context,
    *,
    root: Root,
    text: TextArgument = None,
    file: FileOption = None,
    output: FormatOption = Format.table,
    vw: WarehouseOption = None,
    priority: PriorityOption = None,
    timeout: TimeoutOption = None,
    stats: StatsOption = False,
) -> None:
    """Run SQL statements, in order, until one fails. Each commits by itself.

    CREATE TABLE makes the database too, if ROOT is empty. Without statements, at a terminal, a
    prompt asks for them.
    """
    settings = _settings(priority, timeout)
    if text is None and file is None and _is_terminal():
        from warehouse.cli.prompt import interact

        with _opened(Session.of(context), root, may_create=vw is None) as db:
            _set(db, settings)
            interact(Shell(db, warehouse=vw, output=output, stats=stats))
        return
    statements = _checked(split_statements(_script(text, file)))
    creates = vw is None and any(is_create for _, is_create in statements)
    with Session.of(context).open(root, create=creates) as db:
        _set(db, settings)
        run: Callable[[str], Result] = db.sql if vw is None else db.virtual_warehouse(vw).sql
        for number, (statement, _) in enumerate(statements, 1):
            with _Numbered(number, len(statements)):
                result = run(statement)
            _print(result, output)
            if stats:
                say(_cost(result.stats))


def _script(text: str | None, file: Path | None) -> str:
    if text is not None and file is not None:
        raise typer.BadParameter("give statements either as TEXT or with --file, not both")
    if text is not None:
        return text
    if file is not None and str(file) != "-":
        return _decoded(_read(file), str(file))
    return _decoded(sys.stdin.buffer.read(), "standard input")


def _settings(priority: str | None, timeout: str | None) -> dict[str, str]:
    """What the options come to, as settings of the session. Raises InvalidRequest."""
    found = {}
    if priority is not None:
        found["query_priority"] = str(read_priority(priority))
    if timeout is not None:
        found["statement_timeout"] = f"{duration_ms(timeout, 's', '--timeout: a time'):.0f}ms"
    return found


def _set(db: Database, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        db.sql(f"SET {name} = '{value}'")


def _opened(session: Session, root: str, *, may_create: bool) -> Database:
    """The database; at a place that has none, a new one if the user wants it."""
    try:
        return session.open(root)
    except InvalidRequest as error:
        if error.sqlstate != "3D000" or not may_create:
            raise
        if not typer.confirm(f"There is no database at {root}. Make one?", err=True):
            raise
    return session.open(root, create=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{file} does not read: {error.strerror}", "58030") from error


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{source} is no UTF-8 text: {error}", "22021") from error


def _checked(statements: list[str]) -> list[tuple[str, bool]]:
    """Each statement, and whether it creates a table. What does not parse is refused before
    anything runs."""
    if not statements:
        raise InvalidRequest("there is no statement in the text", "42601")
    parser = StatementParser()
    checked = []
    for number, statement in enumerate(statements, 1):
        with _Numbered(number, len(statements)):
            tree = SessionGrammar(statement).session_statement()
            tree = tree or parser.parse(Statement(sql=statement)).tree
        checked.append((statement, isinstance(tree, CreateTable)))
    return checked


class _Numbered:
    """Says in an error which of several statements it is about."""

    def __init__(self, number: int, count: int) -> None:
        self._where = f"statement {number} of {count}: " if count > 1 else ""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MobulaError) and self._where:
            error.message = self._where + error.message


def _print(result: Result, output: Format) -> None:
    if result.has_rows:
        show(result.columns, result.rows(), output)
        if output is Format.table:
            say("1 row" if len(result) == 1 else f"{len(result):,} rows")
    if result.tag is not None and (output is Format.table or not result.has_rows):
        say(tag_text(result))


def _cost(stats: QueryStats) -> str:
    """All numbers of `QueryStats`, the bytes for people too."""
    numbers = dataclasses.asdict(stats)
    texts = [
        f"{name} {value:.1f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in numbers.items()
    ]
    return f"{', '.join(texts)} ({size_text(stats.bytes_fetched)})"
