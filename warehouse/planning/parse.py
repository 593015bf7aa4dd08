"""From text to one statement.

1. Refuse texts past `TEXT_CHARACTERS_MAX`; scan and parse with `warehouse.syntax`.
2. Exactly one statement: none, or several, is an InvalidRequest.
3. Read which snapshots the AS OF clauses want, which records of what runs FROM wants, whether the
   statement writes, and what it is told to have done when it is repeated.

Trees are immutable; those of recent texts are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from actors.messages import Statement
from actors.observed import OBSERVED
from actors.planner import Latest, Parsed, Verb
from actors.temporary import TEMPORARY
from storage.errors import InvalidRequest
from warehouse.planning.versions import version_of
from warehouse.syntax import commands
from warehouse.syntax.modifications_tree import Delete, Insert, Merge, Truncate, Update
from warehouse.syntax.partitions_tree import (
    AddPartitions,
    AttachPartition,
    DropPartitions,
    ExchangePartition,
)
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tokens import scan
from warehouse.syntax.tree import AsOf

__all__ = ["ParsedText", "StatementParser", "parse_text", "split_statements"]

TEXT_CHARACTERS_MAX = 4 * 1024 * 1024
CACHED_STATEMENTS_MAX = 256
CACHED_CHARACTERS_MAX = 64 * 1024  # longer texts (bulk INSERTs) are not worth keeping

_WRITES = (
    AddPartitions,
    AttachPartition,
    DropPartitions,
    ExchangePartition,
    commands.AlterTableCluster,
    commands.AlterSystem,
    commands.AlterTableOptions,
    commands.CallNode,
    commands.CommentNode,
    commands.CreateSchema,
    commands.CreateTable,
    commands.CreateTableAs,
    commands.CreateType,
    commands.Drop,
    commands.LaterWrite,
    commands.Vacuum,
    Insert,
    Update,
    Delete,
    Merge,
    Truncate,
)


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A statement's tree, its AS OF clauses, whether it names files of users, and the records of
    what runs that it asks for."""

    tree: Any
    versions: tuple[AsOf, ...]
    opens_files: bool = False
    observes: frozenset[str] = frozenset()


class StatementParser:
    """Parses statements; keeps the trees of recent texts."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, ParsedText] = OrderedDict()
        self._lock = Lock()

    def parse(self, statement: Statement) -> Parsed:
        """One statement.

        Raises:
            SqlSyntaxError: with line, column and the text around.
            InvalidRequest: empty text, several statements, too long, too deep.
            NotYet: a statement or clause that a later version brings.
        """
        found = self._parsed(statement.sql)
        parameters = statement.parameters
        versions = frozenset(
            {Latest(), *(version_of(clause, parameters) for clause in found.versions)}
        )
        return Parsed(
            statement=statement,
            writes=_writes(found.tree),
            versions=versions,
            tree=found.tree,
            opens_files=found.opens_files,
            observes=found.observes,
            verb=_verb(found.tree),
        )

    def _parsed(self, sql: str) -> ParsedText:
        with self._lock:
            kept = self._kept.get(sql)
            if kept is not None:
                self._kept.move_to_end(sql)
                return kept
        found = parse_text(sql)
        if len(sql) <= CACHED_CHARACTERS_MAX:
            with self._lock:
                self._kept[sql] = found
                while len(self._kept) > CACHED_STATEMENTS_MAX:
                    self._kept.popitem(last=False)
        return found


def _writes(tree: Any) -> bool:
    return isinstance(tree, _WRITES) or (isinstance(tree, commands.CopyNode) and tree.reads)


def _verb(tree: Any) -> Verb | None:
    """See `Parsed.verb`; tags as the plans have them."""
    match tree:
        case commands.CreateTable():
            return Verb(tag="CREATE TABLE", temporary=_is_temporary(tree))
        case commands.CreateTableAs(data=True):
            return Verb(tag="SELECT", counted=True, temporary=_is_temporary(tree))
        case commands.CreateTableAs():
            return Verb(tag="CREATE TABLE AS", temporary=_is_temporary(tree))
        case commands.CreateSchema():
            return Verb(tag="CREATE SCHEMA")
        case commands.CreateType():
            return Verb(tag="CREATE TYPE")
        case commands.AlterTableCluster() | commands.AlterTableOptions():
            return Verb(tag="ALTER TABLE")
        case AddPartitions() | DropPartitions() | AttachPartition() | ExchangePartition():
            return Verb(tag="ALTER TABLE")
        case commands.AlterSystem():
            return Verb(tag="ALTER SYSTEM")
        case commands.CommentNode():
            return Verb(tag="COMMENT")
        case commands.Drop():
            return Verb(tag=f"DROP {tree.kind.upper()}")
        case commands.CopyNode(reads=True):
            return Verb(tag="COPY", counted=True)
        case Insert():
            return Verb(tag="INSERT 0", counted=True, returning=bool(tree.returning))
        case Update():
            return Verb(tag="UPDATE", counted=True, moves=True, returning=bool(tree.returning))
        case Delete():
            return Verb(tag="DELETE", counted=True, returning=bool(tree.returning))
        case Merge():
            return Verb(tag="MERGE", counted=True)
        case Truncate():
            return Verb(tag="TRUNCATE TABLE")
    return None


def _is_temporary(tree: commands.CreateTable | commands.CreateTableAs) -> bool:
    return tree.temporary or tree.name[0].startswith(TEMPORARY)


def parse_text(sql: str) -> ParsedText:
    """The one statement of a text. Raises as `StatementParser.parse`."""
    _check_length(sql)
    try:
        grammar = StatementGrammar(sql)
        while grammar.take_operator(";"):
            pass
        if grammar.token.kind == "end":
            raise InvalidRequest("the statement is empty", "42601")
        tree = grammar.statement()
    except RecursionError:
        raise InvalidRequest("the statement is nested too deeply; simplify it", "54001") from None
    while grammar.take_operator(";"):
        pass
    if grammar.token.kind != "end":
        count = len(split_statements(sql))
        raise InvalidRequest(
            f"{count} statements in one text; send them one by one (split_statements)", "42601"
        )
    opens_files = grammar.opens_files or isinstance(tree, commands.CopyNode | AttachPartition)
    observes = grammar.observes & OBSERVED.keys()
    if isinstance(tree, commands.Show) and tree.kind == "warehouses":
        observes = {"warehouses"}
    return ParsedText(tree, tuple(grammar.versions), opens_files, frozenset(observes))


def split_statements(text: str) -> list[str]:
    """The statements of a script, without their semicolons; empty ones are left out.

    Strings, quoted names, comments and dollar-quoted texts may hold semicolons.
    Raises SqlSyntaxError for a text that ends inside one of them.
    """
    _check_length(text)
    statements: list[str] = []
    start = end = -1
    for token in scan(text):
        if token.kind == "end" or (token.kind == "operator" and token.value == ";"):
            if start >= 0:
                statements.append(text[start:end])
            start = -1
            continue
        if start < 0:
            start = token.start
        end = token.end
    return statements


def _check_length(text: str) -> None:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidRequest(
            f"the statement has {len(text):,} characters; at most {TEXT_CHARACTERS_MAX:,} are read."
            " Load data with `mobula load` or Table.append",
            "54000",
        )
