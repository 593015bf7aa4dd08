"""Statements and lookups on their way out: with the session's timeouts and priority, and a name.

Every one has a query id, made here unless the caller made one, so that it can be ended by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.messages import Lookup, Session, Statement
from storage.errors import InvalidRequest
from storage.ids import Ids, RandomIds
from storage.key_frame import plain_keys
from storage.snapshot.model import IngestToken
from warehouse.session_settings import priority_of, queue_timeout_ms, statement_timeout_ms

__all__ = ["Parameters", "Requests"]

Parameters = Sequence[Any] | Mapping[str, Any]
QUERY_ID_CHARACTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Requests:
    """Makes the messages of one connection."""

    ids: Ids = field(default_factory=RandomIds)

    def statement(
        self,
        session: Session,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
        token: IngestToken | None = None,
    ) -> Statement:
        """A SQL statement; see `Statement`.

        Args: timeout_s, priority: None: what the session says (`session_settings`).
        Raises InvalidRequest (22023): priority or query id are out of range.
        """
        return Statement(
            sql=text,
            parameters=parameters if isinstance(parameters, Mapping) else tuple(parameters),
            min_lsn=min_lsn,
            timeout_ms=statement_timeout_ms(session, timeout_s),
            session=session,
            token=token,
            query_id=self._query_id(query_id),
            priority=priority_of(session, priority),
            queue_timeout_ms=queue_timeout_ms(session),
        )

    def lookup(
        self,
        session: Session,
        table: tuple[str, str],
        keys: Any,
        *,
        min_lsn: int | None = None,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
    ) -> Lookup:
        """Rows by key. Args: table: schema and name; the rest: as of `statement`."""
        schema, name = table
        return Lookup(
            schema=schema,
            table=name,
            keys=plain_keys(keys),
            session=session,
            min_lsn=min_lsn,
            timeout_ms=statement_timeout_ms(session, timeout_s),
            query_id=self._query_id(query_id),
            priority=priority_of(session, priority),
            queue_timeout_ms=queue_timeout_ms(session),
        )

    def _query_id(self, given: str | None) -> str:
        if given is None:
            return self.ids.new()
        if not (isinstance(given, str) and 0 < len(given) <= QUERY_ID_CHARACTERS_MAX):
            raise InvalidRequest(
                f"query_id is {given!r}; expected 1 to {QUERY_ID_CHARACTERS_MAX} characters",
                "22023",
            )
        return given
