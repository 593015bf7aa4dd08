"""A table by name: writing to it and reading rows by key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actors.client import Engine
from actors.messages import Session
from actors.operations import Operation, WriteMode
from actors.temporary import TEMPORARY, temporary_schema
from actors.write import delete_operation, key_schema
from storage.errors import Conflict, InvalidRequest
from storage.key_frame import key_rows
from storage.snapshot.model import PUBLIC, IngestToken
from warehouse.result import Commit, Result
from warehouse.syntax.quoting import quoted

__all__ = ["Table", "split_name"]

Commits = Callable[[Sequence[Operation], IngestToken | None], Commit]
Statements = Callable[..., Result]
Lookups = Callable[[tuple[str, str], Any], Result]  # ((schema, table), keys)
Outcomes = Callable[[IngestToken], Commit | None]


def split_name(name: str, session: Session | None = None) -> tuple[str, str]:
    """(schema, table) of `table` or `schema.table`; names are taken as they are written.

    `pg_temp.table` is a temporary table of the session.
    """
    schema, dot, table = name.rpartition(".")
    if schema == TEMPORARY:
        schema = (temporary_schema(session) if session else None) or schema
    return (schema, table) if dot else (PUBLIC, name)


class Table:
    """One table of a database. Made by `Database.table`; checked to exist when it is used.

    Every write returns when it is durable, with all its rows or none. `token` makes it repeatable:
    the same token commits once, and a repeated call gets the first receipt, whatever has become of
    the table since; without one the connection makes its own.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        commit: Commits,
        sql: Statements,
        get: Lookups,
        first: Outcomes,
        session: Session,
    ) -> None:
        """Args:
        first: the commit that a token has made; None: it has made none.
        session: whose `pg_temp` a name may be in.
        """
        self._engine = engine
        self._schema, self._table = split_name(name, session)
        self.name = f"{self._schema}.{self._table}"
        self._commit = commit
        self._sql = sql
        self._get = get
        self._first = first

    def append(self, frame: Any, *, token: IngestToken | None = None) -> Commit:
        """Add the rows of a Polars, Arrow or pandas frame.

        Columns are matched by name; absent ones get their DEFAULT, the next numbers of their
        identity, or NULL. Small frames go into the log, large ones become micropartitions.

        Raises:
            UnknownObject: no such table. InvalidRequest: the frame does not fit (column, types), a
                row breaks a CHECK (23514), or has a key that is there already (23505).
        """
        return self._write(frame, WriteMode.INSERT, token)

    def insert(
        self, frame: Any, *, ignore: bool = False, token: IngestToken | None = None
    ) -> Commit:
        """Add rows to a table with keys; a key that is there already is an error (23505).

        Args:
            ignore: leave out rows whose key is there already instead (ON CONFLICT DO NOTHING).
        Raises: as `append`.
        """
        return self._write(frame, WriteMode.IGNORE if ignore else WriteMode.INSERT, token)

    def upsert(self, frame: Any, *, token: IngestToken | None = None) -> Commit:
        """Insert rows, or replace those that have the same primary key, whole.

        Raises: as `append`; InvalidRequest (55000): the table has no primary key.
        """
        return self._write(frame, WriteMode.UPSERT, token)

    def update(
        self,
        frame: Any = None,
        *,
        set: Mapping[str, str] | None = None,  # noqa: A002 (what SQL calls it)
        where: str | None = None,
        parameters: Sequence[Any] = (),
        token: IngestToken | None = None,
    ) -> Commit:
        """Replace the rows that have the primary keys of a frame, or change those of a predicate.

        Args:
            frame: whole rows; those whose key is not there are left out.
            set: instead of a frame: by column, the SQL expression of its new value.
            where: the rows to change, as a SQL condition; without it all.
            parameters: values of $1, $2, … in `set` and `where`.
        Returns: `Commit.rows` says how many rows there were.
        """
        if (frame is None) == (set is None):
            raise InvalidRequest(f"table {self.name}: update takes a frame, or set= and where=")
        if set is None:
            return self._write(frame, WriteMode.UPDATE, token)
        changes = ", ".join(f"{quoted(name)} = {text}" for name, text in set.items())
        text = f"UPDATE {self._quoted} SET {changes}{_where(where)}"
        return self._run(text, parameters, token)

    def delete(
        self,
        keys: Any = None,
        *,
        where: str | None = None,
        parameters: Sequence[Any] = (),
        token: IngestToken | None = None,
    ) -> Commit:
        """Remove rows by primary key, or those of a predicate.

        Args:
            keys: a frame of the key's columns, a sequence of keys (tuples, if the key has several
                columns), or one; a key that is not there is passed over.
            where: instead of keys: a SQL condition, with `parameters`.
        Returns: `Commit.rows` says how many rows there were.
        """
        if (keys is None) == (where is None):
            raise InvalidRequest(f"table {self.name}: delete takes keys, or where=")
        if where is not None:
            return self._run(f"DELETE FROM {self._quoted}{_where(where)}", parameters, token)
        return self._once(token, lambda: self._deletion(keys))

    def get(self, keys: Any) -> Result:
        """The rows that have these primary keys, in no order, found through the index.

        Args: keys: as of `delete`.
        """
        return self._get((self._schema, self._table), keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @property
    def _quoted(self) -> str:
        return quoted(self._schema, self._table)

    def _write(self, frame: Any, mode: WriteMode, token: IngestToken | None) -> Commit:
        return self._once(token, lambda: self._written(frame, mode))

    def _written(self, frame: Any, mode: WriteMode) -> Operation:
        info = self._engine.table(self._schema, self._table)
        return self._engine.prepare_write(info, frame, mode)

    def _deletion(self, keys: Any) -> Operation:
        info = self._engine.table(self._schema, self._table)
        rows = key_rows(keys, key_schema(info.target, "delete"), self._table)
        return delete_operation(info, rows)

    def _once(self, token: IngestToken | None, made: Callable[[], Operation]) -> Commit:
        """Commit what is made; if it cannot be made any more, what the token has committed."""
        try:
            operation = made()
        except (InvalidRequest, Conflict):
            first = None if token is None else self._first(token)
            if first is None:
                raise
            return first
        return self._commit([operation], token)

    def _run(self, text: str, parameters: Sequence[Any], token: IngestToken | None) -> Commit:
        result = self._sql(text, parameters, token=token)
        assert result.commit is not None
        assert result.tag is not None
        rows = int(result.tag.split()[-1])  # a row whose key changes is deleted and inserted
        return dataclasses.replace(result.commit, rows=rows)


def _where(condition: str | None) -> str:
    return "" if condition is None else f" WHERE {condition}"
