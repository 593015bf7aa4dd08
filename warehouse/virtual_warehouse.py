"""A virtual warehouse as users hold it: SQL on its own workers, never a write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from actors.client import WarehouseClient
from actors.messages import Lookup, Statement
from storage.errors import InvalidRequest, NotYet
from storage.key_frame import plain_keys
from warehouse.result import Result
from warehouse.session import AboutTransactions, Parameters, SqlSession, Told
from warehouse.stream import RowStream
from warehouse.table import split_name

__all__ = ["VirtualWarehouse"]


class VirtualWarehouse:
    """Made by `Database.create_virtual_warehouse` and `Database.virtual_warehouse`."""

    def __init__(self, name: str, client: WarehouseClient, session: SqlSession) -> None:
        self.name = name
        self._client = client
        self._session = session

    def sql(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float = 600.0,
    ) -> Result:
        """Run one read.

        Args:
            parameters: values of $1, $2, … in order, or a mapping for $name and :name.
            min_lsn: on a snapshot at this LSN or later: pass a commit's `lsn` to read your writes.
            timeout_s: for all of it.
        Raises:
            InvalidRequest: the statement is wrong, or writes. Unavailable: `min_lsn` does not
                appear in the log. Cancelled: the timeout passed.
        """
        taken = self._session.take(text, parameters)
        if isinstance(taken, Told):
            return Result.told(taken.tag)
        if isinstance(taken, AboutTransactions):
            raise InvalidRequest(
                f"virtual warehouse {self.name}: transactions are the primary's; use Database.sql",
                "25001",
            )
        text, parameters = taken
        statement = Statement(
            sql=text,
            parameters=parameters if isinstance(parameters, Mapping) else tuple(parameters),
            min_lsn=min_lsn,
            timeout_ms=int(timeout_s * 1000),
            session=self._session.current,
        )
        return Result.of(self._client.query(statement))

    def stream(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float = 600.0,
    ) -> RowStream:
        """Run one read and give its rows as they come; see `Database.stream`."""
        statement = self._session.reading(text, parameters, min_lsn, timeout_s)
        return RowStream(self._client.stream(statement))

    def get(
        self, table: str, keys: Any, *, min_lsn: int | None = None, timeout_s: float = 600.0
    ) -> Result:
        """The rows of a table that have these primary keys, in no order.

        Args: table: `name` or `schema.name`; keys: see `Table.get`; the rest: as of `sql`.
        """
        schema, name = split_name(table, self._session.current)
        lookup = Lookup(
            schema=schema,
            table=name,
            keys=plain_keys(keys),
            session=self._session.current,
            min_lsn=min_lsn,
            timeout_ms=int(timeout_s * 1000),
        )
        return Result.of(self._client.get(lookup))

    def scan(self, table: str) -> pl.LazyFrame:
        """Not yet: a lazy frame that is pruned and filtered on the workers."""
        raise NotYet(f"scan({table!r}) is not there yet; use sql(…).polars().lazy()")

    def suspend(self) -> None:
        """Not yet: give the workers back until the next query."""
        raise NotYet(f"virtual warehouse {self.name}: suspend is not there yet; drop it instead")

    def resume(self) -> None:
        """Not yet: the opposite of suspend."""
        raise NotYet(f"virtual warehouse {self.name}: resume is not there yet")

    def status(self) -> dict[str, Any]:
        """Its coordinator's own numbers: workers, LSN, queries, requests and bytes read."""
        return self._client.status()

    def __repr__(self) -> str:
        return f"VirtualWarehouse({self.name})"
