"""BEGIN … COMMIT in SQL: the transaction that one connection has open on the primary."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from actors.client import Engine
from actors.messages import TransactionControl
from storage.errors import InvalidRequest, NotYet
from storage.snapshot.model import IngestToken
from warehouse.result import Commit
from warehouse.syntax.transaction_statements import (
    Begin,
    Release,
    Rollback,
    Savepoint,
    SetTransaction,
)
from warehouse.syntax.transaction_statements import Commit as CommitStatement

__all__ = ["SessionTransactions"]

DEFAULT_ISOLATION = "read committed"  # PostgreSQL's


class SessionTransactions:
    """Of one connection. Safe to share between threads, as the connection is."""

    def __init__(self, engine: Engine, token: Callable[[], IngestToken]) -> None:
        self._engine = engine
        self._token = token
        self._isolation = DEFAULT_ISOLATION
        self._read_only = False
        self._open_as = (DEFAULT_ISOLATION, False)  # the transaction that began last
        self._lock = threading.RLock()
        self.current = ""  # the id of the open transaction

    def run(self, node: Any) -> tuple[str, Commit | None]:
        """Carry out a statement about transactions: its tag, and what was committed.

        Raises what the primary raises; InvalidRequest (25P01): there is no transaction.
        """
        with self._lock:
            match node:
                case Begin():
                    return self._begin(node.isolation, node.read_only), None
                case CommitStatement():
                    return self._commit(node.chain)
                case Rollback(to=None):
                    return self._roll_back(node.chain), None
                case Rollback():
                    self._at("roll back to", str(node.to), "ROLLBACK TO SAVEPOINT")
                    return "ROLLBACK", None
                case Savepoint():
                    self._at("save", node.name, "SAVEPOINT")
                    return "SAVEPOINT", None
                case Release():
                    self._at("release", node.name, "RELEASE SAVEPOINT")
                    return "RELEASE", None
                case SetTransaction():
                    return self._set(node), None
                case _:
                    raise NotYet(f"{type(node).__name__} is not available")

    def close(self) -> None:
        """Roll back what is open."""
        with self._lock:
            if self.current:
                self._roll_back(chain=False)

    def _begin(self, isolation: str | None, read_only: bool | None) -> str:
        if not self.current:  # else there is one already, which PostgreSQL only warns of
            only = self._read_only if read_only is None else read_only
            self._open(isolation or self._isolation, only)
        return "BEGIN"

    def _open(self, isolation: str, read_only: bool) -> None:
        control = TransactionControl(action="begin", isolation=isolation, read_only=read_only)
        self.current = self._engine.control(control).transaction
        self._open_as = (isolation, read_only)

    def _commit(self, chain: bool) -> tuple[str, Commit | None]:
        if not self.current:
            return "COMMIT", None
        transaction, self.current = self.current, ""
        reply = self._engine.control(
            TransactionControl(action="commit", transaction=transaction, token=self._token())
        )
        if chain:  # with the same characteristics
            self._open(*self._open_as)
        commit = None if reply.receipt is None else Commit.of(reply.receipt)
        return ("COMMIT" if reply.committed else "ROLLBACK"), commit

    def _roll_back(self, chain: bool) -> str:
        transaction, self.current = self.current, ""
        if transaction:
            self._engine.control(TransactionControl(action="roll back", transaction=transaction))
            if chain:
                self._open(*self._open_as)
        return "ROLLBACK"

    def _at(self, action: str, name: str, what: str) -> None:
        if not self.current:
            raise InvalidRequest(f"{what} can only be used in transaction blocks", "25P01")
        self._engine.control(TransactionControl(action=action, transaction=self.current, name=name))

    def _set(self, node: SetTransaction) -> str:
        if node.session:
            self._isolation = node.isolation or self._isolation
            self._read_only = self._read_only if node.read_only is None else node.read_only
            return "SET"
        if not self.current:
            return "SET"  # of a transaction that is over already, as in PostgreSQL
        raise NotYet("SET TRANSACTION after BEGIN: say it in BEGIN")
