"""A virtual warehouse as users hold it: SQL on its own workers, never a write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from actors.client import WarehouseClient
from actors.messages import Session
from storage.errors import InvalidRequest, NotYet
from storage.snapshot.changes import VirtualWarehouse as WarehouseSettings
from warehouse.life_cycle import WarehouseLifeCycle
from warehouse.requests import Parameters, Requests
from warehouse.result import Commit, Result
from warehouse.session import AboutTransactions, AboutWarehouses, Cancels, SqlSession, Told
from warehouse.session_settings import WAREHOUSE
from warehouse.stream import RowStream
from warehouse.syntax.warehouse_statements import UseWarehouse
from warehouse.table import split_name

__all__ = ["VirtualWarehouse"]


class VirtualWarehouse:
    """Made by `Database.create_virtual_warehouse` and `Database.virtual_warehouse`."""

    def __init__(
        self,
        name: str,
        life: WarehouseLifeCycle,
        session: SqlSession,
        requests: Requests,
        client: WarehouseClient | None = None,
    ) -> None:
        """Args: client: the engine's hold on it; None: it is started when it is needed."""
        self.name = name
        self._life = life
        self._session = session
        self._requests = requests
        self._started = client

    def sql(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
    ) -> Result:
        """Run one read.

        Args:
            parameters: values of $1, $2, … in order, or a mapping for $name and :name.
            min_lsn: on a snapshot at this LSN or later: pass a commit's `lsn` to read your writes.
            timeout_s: for all of it; None: the session's `statement_timeout`, else 10 minutes. The
                smaller one holds.
            priority: -1000 to 1000; of those that wait the greatest is next. None: the session's.
            query_id: what to call it, to end it by with `Database.cancel`; by default a new one.
        Raises:
            InvalidRequest: the statement is wrong, or writes. Unavailable: `min_lsn` does not
                appear in the log. Cancelled: the timeout passed, or it was ended.
        """
        taken = self._session.take(text, parameters)
        match taken:
            case Told(tag):
                return Result.told(tag)
            case Cancels(cancelled, tag):
                self._life.cancel(cancelled, must=True)
                return Result.told(tag)
            case AboutTransactions() | AboutWarehouses():
                raise self._refusal(taken)
        text, parameters = taken
        statement = self._requests.statement(
            self._now(),
            text,
            parameters,
            min_lsn=min_lsn,
            timeout_s=timeout_s,
            priority=priority,
            query_id=query_id,
        )
        return Result.of(self._client.query(statement), statement.query_id)

    def stream(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
    ) -> RowStream:
        """Run one read and give its rows as they come; see `Database.stream`."""
        text, parameters = self._session.rows_wanted(text, parameters)
        statement = self._requests.statement(
            self._now(),
            text,
            parameters,
            min_lsn=min_lsn,
            timeout_s=timeout_s,
            priority=priority,
            query_id=query_id,
        )
        return RowStream(self._client.stream(statement), statement.query_id)

    def get(
        self,
        table: str,
        keys: Any,
        *,
        min_lsn: int | None = None,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
    ) -> Result:
        """The rows of a table that have these primary keys, in no order.

        Args: table: `name` or `schema.name`; keys: see `Table.get`; the rest: as of `sql`.
        """
        session = self._now()
        lookup = self._requests.lookup(
            session,
            split_name(table, session),
            keys,
            min_lsn=min_lsn,
            timeout_s=timeout_s,
            priority=priority,
            query_id=query_id,
        )
        return Result.of(self._client.get(lookup), lookup.query_id)

    def scan(self, table: str) -> pl.LazyFrame:
        """Not yet: a lazy frame that is pruned and filtered on the workers."""
        raise NotYet(f"scan({table!r}) is not there yet; use sql(…).polars().lazy()")

    # --- its life ---------------------------------------------------------------------------------

    @property
    def settings(self) -> WarehouseSettings:
        """Its settings in the newest catalogue. Raises UnknownObject: it has been dropped."""
        return self._life.settings(self.name)

    def alter(self, **changes: Any) -> Commit:
        """Change settings; see `Database.alter_virtual_warehouse`."""
        return self._life.alter(self.name, changes)

    def suspend(self, *, force: bool = False) -> None:
        """Give its workers back until the next query, or until `resume`.

        Args: force: end its queries now (Cancelled); else they are waited for.
        """
        self._life.suspend(self.name, force=force)

    def resume(self) -> None:
        """Take workers again; returns when the first of them serves.

        Raises Unavailable: the cluster does not give them.
        """
        self._life.resume(self.name)

    def status(self) -> dict[str, Any]:
        """Its coordinator's own numbers: workers, LSN, queries, requests and bytes read."""
        return self._client.status()

    def __repr__(self) -> str:
        return f"VirtualWarehouse({self.name})"

    @property
    def _client(self) -> WarehouseClient:
        if self._started is None:
            self._started = self._life.start(self.name)
        return self._started

    def _now(self) -> Session:
        """The session as it goes with a statement: this is the virtual warehouse in use."""
        session = self._session.current
        return replace(session, settings={**session.settings, WAREHOUSE: self.name})

    def _refusal(self, taken: AboutTransactions | AboutWarehouses) -> InvalidRequest:
        if isinstance(taken, AboutTransactions):
            what, sqlstate = "transactions are the primary's", "25001"
        elif isinstance(taken.node, UseWarehouse):
            what, sqlstate = "USE WAREHOUSE is about the connection", "0A000"
        else:
            what, sqlstate = "it only reads; CREATE, ALTER and DROP WAREHOUSE are writes", "25006"
        return InvalidRequest(f"virtual warehouse {self.name}: {what}; use Database.sql", sqlstate)
