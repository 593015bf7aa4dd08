"""Where the statements of one connection run: on the primary, or on the virtual warehouse in use.

Reads run on the virtual warehouse, on a snapshot that has what the connection itself committed.
Writes, statements of an open transaction, and those that name temporary tables run on the primary.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from actors.client import WarehouseClient
from actors.messages import Lookup, Session, Statement
from actors.temporary import TEMPORARY, temporary_schema
from warehouse.planning.parse import StatementParser
from warehouse.result import Commit
from warehouse.session_settings import WAREHOUSE
from warehouse.syntax.tree import TableRef

__all__ = ["Routes"]

_Read = TypeVar("_Read", Statement, Lookup)


class Routes:
    """Of one connection. Safe to share between threads."""

    def __init__(self, start: Callable[[str], WarehouseClient]) -> None:
        """Args: start: the engine's hold on a virtual warehouse, by name."""
        self._start = start
        self._parser = StatementParser()
        self._clients: dict[str, WarehouseClient] = {}
        self._temporary: set[str] = set()  # tables that this connection made
        self._lsn = 0  # of its last commit
        self._lock = threading.Lock()

    def warehouse(self, statement: Statement) -> WarehouseClient | None:
        """Where it runs; None: on the primary. Raises as `StatementParser.parse`; Unavailable."""
        name = _in_use(statement.session)
        if name is None:
            return None
        parsed = self._parser.parse(statement)
        if parsed.writes or (self._temporary and self._is_temporary(parsed.tree)):
            return None
        return self._client(name)

    def of_lookup(self, lookup: Lookup) -> WarehouseClient | None:
        """Where it runs; None: on the primary."""
        name = _in_use(lookup.session)
        if name is None or lookup.schema == temporary_schema(lookup.session):
            return None
        return self._client(name)

    def after_own_commits(self, read: _Read) -> _Read:
        """The same on a snapshot that has them."""
        lsn = max(read.min_lsn or 0, self._lsn)
        return dataclasses.replace(read, min_lsn=lsn) if lsn else read

    def committed(self, commit: Commit | None) -> None:
        """The connection committed something."""
        if commit is not None:
            with self._lock:
                self._lsn = max(self._lsn, commit.lsn)

    def made_temporary(self, statement: Statement) -> None:
        """It made a temporary table."""
        name = getattr(self._parser.parse(statement).tree, "name", ())
        with self._lock:
            self._temporary |= set(name[-1:])

    def forget(self, name: str) -> None:
        """A virtual warehouse that was dropped, perhaps to be made anew."""
        with self._lock:
            self._clients.pop(name, None)

    def _client(self, name: str) -> WarehouseClient:
        found = self._clients.get(name)
        if found is None:
            found = self._start(name)
            with self._lock:
                self._clients[name] = found
        return found

    def _is_temporary(self, tree: Any) -> bool:
        return any(
            name[-1] in self._temporary or name[0].startswith(TEMPORARY) for name in _tables(tree)
        )


def _in_use(session: Session) -> str | None:
    """The virtual warehouse in use, unless a transaction is open."""
    return None if session.transaction else session.settings.get(WAREHOUSE) or None


def _tables(node: Any) -> Iterator[tuple[str, ...]]:
    """The names of the tables that a statement reads, wherever they stand in it."""
    if isinstance(node, TableRef):
        yield node.name
    if isinstance(node, msgspec.Struct):
        for field in node.__struct_fields__:
            yield from _tables(getattr(node, field))
    elif isinstance(node, tuple):
        for item in node:
            yield from _tables(item)
