"""Transactions from Python: statements and writes that become one commit, or nothing.

with db.transaction() as tx:
    tx.table("orders").upsert(orders)
    total = tx.sql("SELECT sum(amount) FROM orders").scalar()  # sees its own writes
tx.commit.lsn

for tx in db.transaction(retry=5):  # the body again, on a new snapshot, after a conflict
    with tx:
        tx.sql("UPDATE accounts SET balance = balance - 10 WHERE id = 1")
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

import tenacity

from actors.client import Engine
from actors.messages import Session, Transaction, TransactionControl
from actors.operations import Operation
from storage.errors import Conflict, InvalidRequest, MobulaError
from storage.snapshot.model import IngestToken
from warehouse.requests import Parameters, Requests
from warehouse.result import Commit, Result
from warehouse.table import Table

__all__ = ["TransactionScope"]

T = TypeVar("T")
RETRY_WAIT_MAX_S = 1.0


class TransactionScope:
    """One transaction, or with `retry` as many attempts at it as that. Used once.

    Nothing of it is visible before it commits, to anybody; an error in the block rolls it back.

    Attributes:
        commit: what it has committed; None before, and if it wrote nothing.
    """

    def __init__(
        self,
        engine: Engine,
        session: Session,
        token: Callable[[], IngestToken],
        *,
        requests: Requests,
        committed: Callable[[Commit], None],
        first: Callable[[], Commit | None],
        isolation: str,
        retry: int,
    ) -> None:
        """Args:
        committed: hears of the commit.
        first: what an earlier call with the same token has committed; None: nothing, or there is
            no token that an earlier call could have had.
        """
        self._engine = engine
        self._requests = requests
        self._committed = committed
        self._first = first
        self._session = session
        self._token = token
        self._isolation = isolation
        self._retry = retry
        self._attempt: tenacity.AttemptManager | None = None
        self._used = False
        self._id = ""
        self.commit: Commit | None = None

    # --- inside -----------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        """A table whose writes belong to this transaction; `get` sees them."""
        return Table(
            self._engine,
            name,
            commit=self._write,
            sql=self.sql,
            get=self._get,
            first=lambda token: None,  # the transaction has the token
            session=self._inside(),
        )

    def sql(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
        token: IngestToken | None = None,
    ) -> Result:
        """Run one statement in the transaction: it sees the snapshot and what was written here.

        Args: as of `Database.sql`.
        """
        statement = self._requests.statement(
            self._inside(),
            text,
            parameters,
            timeout_s=timeout_s,
            priority=priority,
            query_id=query_id,
        )
        return Result.replied(self._engine.execute(statement), statement.query_id)

    def savepoint(self, name: str) -> None:
        """Remember this moment under a name."""
        self._control("save", name=name)

    def roll_back_to(self, name: str) -> None:
        """Undo what was written since the savepoint, which stays."""
        self._control("roll back to", name=name)

    def release(self, name: str) -> None:
        """Forget the savepoint, and those after it; what was written stays."""
        self._control("release", name=name)

    # --- begin and end ----------------------------------------------------------------------------

    def __enter__(self) -> TransactionScope:
        if self._used:
            raise InvalidRequest("a transaction object is used once; call db.transaction() again")
        if self._retry and self._attempt is None:
            raise InvalidRequest(
                "retry= needs the body again: `for tx in db.transaction(retry=…): with tx: …`"
            )
        self._used = True
        control = TransactionControl(action="begin", isolation=self._isolation)
        self._id = self._engine.control(control).transaction
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            self._end(commit=error is None)
        except Conflict as conflict:
            if self._attempt is not None:
                return bool(self._attempt.__exit__(type(conflict), conflict, None))
            raise
        if isinstance(error, InvalidRequest | Conflict) and (first := self._first()) is not None:
            self.commit = first  # the call is repeated, and has met what it did before
            if self._attempt is not None:
                self._attempt.__exit__(None, None, None)
            return True
        if self._attempt is not None:
            return bool(self._attempt.__exit__(kind, error, trace))
        return False

    def __iter__(self) -> Iterator[TransactionScope]:
        """The transaction, again and again until it has committed without a conflict."""
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._retry + 1),
            wait=tenacity.wait_random_exponential(multiplier=0.01, max=RETRY_WAIT_MAX_S),
            retry=tenacity.retry_if_exception_type(Conflict),
            reraise=True,
        )
        for attempt in attempts:
            scope = TransactionScope(
                self._engine,
                self._session,
                self._token,
                requests=self._requests,
                committed=self._committed,
                first=self._first,
                isolation=self._isolation,
                retry=self._retry,
            )
            scope._attempt = attempt
            yield scope
            self.commit = scope.commit

    def run(self, body: Callable[[TransactionScope], T]) -> T:
        """Call `body` with the transaction, again after each conflict; what it returns."""
        for scope in self:
            with scope:
                found = body(scope)
        return found

    def _end(self, *, commit: bool) -> None:
        transaction, self._id = self._id, ""
        if not commit:
            control = TransactionControl(action="roll back", transaction=transaction)
            with contextlib.suppress(MobulaError):  # else it ends when it has been idle for long
                self._engine.control(control)
            return
        reply = self._engine.control(
            TransactionControl(action="commit", transaction=transaction, token=self._token())
        )
        if reply.receipt is not None:
            self.commit = Commit.of(reply.receipt)
            self._committed(self.commit)
        if not reply.committed:
            raise InvalidRequest(
                "the transaction was rolled back: one of its statements had failed", "25P02"
            )

    def _inside(self) -> Session:
        if not self._id:
            raise InvalidRequest("the transaction has ended; nothing was written", "25P01")
        return dataclasses.replace(self._session, transaction=self._id)

    def _control(self, action: str, *, name: str) -> None:
        self._engine.control(
            TransactionControl(action=action, transaction=self._inside().transaction, name=name)
        )

    def _get(self, table: tuple[str, str], keys: Any) -> Result:
        lookup = self._requests.lookup(self._inside(), table, keys)
        return Result.of(self._engine.get(lookup), lookup.query_id)

    def _write(self, operations: Sequence[Operation], token: IngestToken | None) -> Commit:
        if token is not None:
            raise InvalidRequest("inside a transaction, the transaction has the token")
        transaction = Transaction(operations=tuple(operations), session=self._inside())
        return Commit.of(self._engine.submit(transaction))
