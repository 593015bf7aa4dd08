"""The way in: `connect`, and the database it returns."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from types import TracebackType
from typing import Any

from actors.client import Engine
from actors.messages import CommitReply, Session, Transaction
from actors.operations import Operation
from actors.primary.promotion import Promotion
from actors.settings import NodeSettings, Settings
from actors.temporary import drop_temporary, new_session_id
from storage.clock import SystemClock
from storage.errors import Conflict, InvalidRequest, MobulaError, NotYet
from storage.format import MAIN_BRANCH
from storage.ids import RandomIds
from storage.log.epoch import Owner
from storage.log.record import GroupHeader
from storage.log.standing import Standing
from storage.objects import StoreOptions
from storage.snapshot.model import IngestToken, Snapshot
from warehouse.life_cycle import WarehouseLifeCycle
from warehouse.load_sources import LoadSources
from warehouse.opening import database_id, from_here, make_engine, store_options
from warehouse.progress import loading
from warehouse.requests import Parameters, Requests
from warehouse.result import Commit, Result
from warehouse.routes import Routes
from warehouse.session import AboutTransactions, AboutWarehouses, Cancels, SqlSession, Told
from warehouse.session_transactions import SessionTransactions
from warehouse.stream import RowStream
from warehouse.table import Table, split_name
from warehouse.transaction import TransactionScope
from warehouse.warehouse_face import WarehouseFace

__all__ = ["Database", "connect"]


def connect(
    root: str | PathLike[str],
    *,
    engine: str = "ray",
    branch: str = MAIN_BRANCH,
    create: bool = True,
    store: StoreOptions | Mapping[str, Any] | None = None,
    settings: Settings | None = None,
) -> Database:
    """Open the database at `root`; an empty place becomes a new one.

    Args:
        root: `s3://bucket/prefix`, `file:///path`, a path, or `memory://name` (local engine only).
        engine: "ray" runs primary and virtual warehouses as actors on the cluster this process is
            on (one is started on this machine if there is none); "local" runs them in this process.
        branch: only "main" yet.
        create: False raises where there is no database.
        store: how to reach S3 (`endpoint_url`, `key`, `secret`, `token`, `region`); by default the
            AWS_… environment variables.
        settings: everything tunable.
    Raises:
        InvalidRequest: the root holds other things, or a newer format, or an unknown engine.
        Unavailable: the store does not answer.
        NotYet: another branch than main.
    """
    if branch != MAIN_BRANCH:
        raise NotYet(f"branch {branch!r}: branches are not there yet; connect to {MAIN_BRANCH!r}")
    if engine not in ("ray", "local"):
        raise InvalidRequest(f"engine {engine!r} is unknown; expected 'ray' or 'local'")
    root = from_here(fspath(root))
    if engine == "ray" and root.startswith("memory://"):
        raise InvalidRequest("memory:// lives in one process; use engine='local'")
    options = store_options(store)
    node = NodeSettings(
        root=root,
        store=options,
        branch=branch,
        database_id=database_id(root, options, create=create),
        settings=settings or Settings(),
    )
    return Database(make_engine(engine, node), node)


class Database(WarehouseFace):
    """One connection to a database. Safe to share between threads."""

    def __init__(self, engine: Engine, node: NodeSettings) -> None:
        self._engine = engine
        self._node = node
        # The session writes with its id as its name: so it is known when it last wrote.
        self._writer = new_session_id(SystemClock().now_ms(), RandomIds().new())
        self._session = SqlSession(self._writer)
        self._requests = Requests()
        self._transactions = SessionTransactions(engine, self._token)
        self._life = WarehouseLifeCycle(engine, self._commit_alone)
        self._routes = Routes(self._life.start)
        self._temporary = False
        self._sequence = 0
        self._counting = threading.Lock()

    @property
    def root(self) -> str:
        """The root URL, as given; a path is absolute."""
        return self._node.root

    @property
    def id(self) -> str:
        """The database's own id, the same at every root it may be reached by."""
        return self._engine.database_id

    def sql(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float | None = None,
        priority: int | None = None,
        query_id: str | None = None,
        token: IngestToken | None = None,
    ) -> Result:
        """Run one statement on the primary: DDL and DML, and reads on its own compute. After USE
        WAREHOUSE reads run there, on a snapshot that has what this connection committed.

        Args:
            parameters: values of $1, $2, … in order, or a mapping for $name and :name.
            min_lsn: for a read: on a snapshot at this LSN or later.
            timeout_s, priority, query_id: for a read: see `VirtualWarehouse.sql`; a write is waited
                for until its outcome is known.
            token: for a write: see `Table.append`.
        """
        taken = self._session.take(text, parameters)
        if not isinstance(taken, tuple):
            return self._told(taken)
        text, parameters = taken
        statement = self._requests.statement(
            self._now(),
            text,
            parameters,
            min_lsn=min_lsn,
            timeout_s=timeout_s,
            priority=priority,
            query_id=query_id,
            token=token or self._token(),
        )
        warehouse = self._routes.warehouse(statement)
        if warehouse is not None:
            found = warehouse.query(self._routes.after_own_commits(statement))
            return Result.of(found, statement.query_id)
        reply = self._engine.execute(statement)
        if isinstance(reply, CommitReply) and reply.temporary:
            self._temporary = True
            self._routes.made_temporary(statement)
        result = Result.replied(reply, statement.query_id)
        self._routes.committed(result.commit)
        return result

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
        """Run one read where `sql` would, and give its rows as they come.

        Args: as of `sql`; `timeout_s` holds for the planning and for each batch.
        Raises:
            InvalidRequest: the statement is wrong, or is no read. What goes wrong while it runs is
                raised by the stream.
        """
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
        warehouse = self._routes.warehouse(statement)
        if warehouse is None:
            return RowStream(self._engine.stream(statement), statement.query_id)
        statement = self._routes.after_own_commits(statement)
        return RowStream(warehouse.stream(statement), statement.query_id)

    @property
    def in_transaction(self) -> bool:
        """Whether BEGIN has opened a transaction that is not over."""
        return bool(self._transactions.current)

    def register_function(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        arguments: Sequence[str],
        returns: str,
    ) -> None:
        """Let SQL of this connection call a Python function, a whole column at a time.

        Args:
            name: in lower case.
            function: gets one `pa.Array` per argument, NULLs included, and returns an Arrow array
                (or something that `pa.array` takes) of the same length. It runs in the workers.
            arguments, returns: SQL types, such as "integer", "numeric(12, 2)", "text[]".
        Raises:
            InvalidRequest: the name is no name or taken. UnknownObject: no such type.
        """
        self._session.register(name, function, arguments, returns)

    def table(self, name: str) -> Table:
        """The table `name` or `schema.name`; that it exists is checked when it is used.

        `pg_temp.name` is a temporary table of this connection; a name alone is of `public`.
        """
        return Table(
            self._engine,
            name,
            commit=self._commit,
            sql=self.sql,
            get=self._get,
            first=self._first,
            session=self._session.current,
        )

    def load(
        self,
        table: str,
        sources: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        mode: str = "insert",
        progress: bool = False,
        token: IngestToken | None = None,
        format: str | None = None,  # noqa: A002 (what SQL and the command call it)
        header: bool | None = None,
        delimiter: str | None = None,
        null: str | None = None,
        quote: str | None = None,
        escape: str | None = None,
    ) -> Commit:
        """Load Parquet, CSV or NDJSON files as one commit: all their rows or none.

        Args:
            sources: paths, `file://` or `s3://` URLs, with wildcards or without.
            mode: what a row does whose key the table has: "insert" refuses the load, "ignore"
                leaves the row out, "upsert" replaces the other row; "update" replaces it, and
                leaves out rows whose key is not there. Two rows of a load with the same key are an
                error in every mode.
            progress: show a bar.
            format: "parquet", "csv" or "ndjson"; None: what the names of the files say, Parquet
                where they say nothing.
            header: of CSV: the first line names the columns (True unless it is said); without, they
                are the table's, in their order.
            delimiter, null, quote, escape: of CSV; a comma, the empty text, `"`, the quote.
        Raises:
            InvalidRequest: no file matches, a file does not read or does not fit; names it, and of
                text formats the line. A key is there twice (23505); the table has none (55000).
        """
        told = {
            "header": header,
            "delimiter": delimiter,
            "null": null,
            "quote": quote,
            "escape": escape,
        }
        try:
            found = LoadSources.of(
                sources, self._node.store, table=table, mode=mode, kind=format, told=told
            )
            return self._load(table, found, progress, token)
        except (InvalidRequest, Conflict):
            first = None if token is None else self._first(token)
            if first is None:
                raise
            return first

    def _load(
        self, table: str, found: LoadSources, progress: bool, token: IngestToken | None
    ) -> Commit:
        info = self._engine.table(*split_name(table, self._session.current))
        with loading(table, found.rows_total, shown=progress) as bar:
            operation = self._engine.prepare_load(
                info, found.files, bar.report, found.reading, found.mode
            )
            if operation.runs:
                bar.checking(sum(file.row_count for file in operation.files))
            return self._commit([operation], token)

    def transaction(
        self,
        *,
        isolation: str = "repeatable read",
        token: IngestToken | None = None,
        retry: int = 0,
    ) -> TransactionScope:
        """Statements and writes as one commit: `with db.transaction() as tx: …`.

        Args:
            isolation: "repeatable read": every statement sees the snapshot of the begin;
                "read committed": each sees the newest.
            token: makes the commit repeatable; see `Table`. Once it has committed, the block may
                stop where it is refused (a key that is there already), and counts as done.
            retry: how often the body may run again, on a new snapshot, after a Conflict:
                `for tx in db.transaction(retry=5): with tx: …`, or `….run(function)`.
        """
        return TransactionScope(
            self._engine,
            self._session.current,
            self._token if token is None else lambda: token,
            requests=self._requests,
            committed=self._routes.committed,
            first=lambda: None if token is None else self._first(token),
            isolation=isolation,
            retry=retry,
        )

    def snapshot(self) -> Snapshot:
        """The newest state of the catalogue, read from the store; needs no primary."""
        return self._engine.snapshot()

    def log(self, last: int = 20) -> list[GroupHeader]:
        """Headers of the newest groups, oldest first, read from the store."""
        if last < 1:
            raise InvalidRequest(f"log: last is {last}, expected at least 1")
        return self._engine.log_headers(last)

    def status(self) -> dict[str, Any]:
        """What the running primary says of itself; empty when none runs for this engine."""
        return self._engine.status()

    def primary_standing(self) -> Standing | None:
        """Who reigns over this database and whether it is alive, read from the store; None: nobody
        ever has. Where there is no lock to tell, it takes up to a lease of whoever reigns."""
        return self._engine.standing()

    def release_primary(self) -> Owner | None:
        """Have the primary of this process or cluster finish what is queued and step down, so that
        another need not wait. The next write, here or elsewhere, starts one.

        Returns: who has stepped down; None: none reigns here.
        """
        return self._engine.release_primary()

    def promote_primary(self) -> Promotion:
        """Take over now, whoever reigns: it is fenced, hears `Fenced` and stops. On Ray the primary
        of this cluster goes on; in this process the next write opens one.

        Raises: Fenced: somebody else was promoted at the same time. Unavailable.
        """
        return self._engine.promote_primary()

    def create_branch(self, name: str, *, at: int | None = None) -> None:
        """Not yet: a writable fork of the database."""
        raise NotYet(f"branch {name}: branches are not there yet")

    def shutdown(self) -> None:
        """End the primary and all virtual warehouses of this database, then close. Data stays,
        temporary tables do not, nor what has not been committed."""
        self._end_session()
        self._engine.shutdown()

    def close(self) -> None:
        """Leave, roll back an open transaction and drop this connection's temporary tables. On Ray,
        primary and virtual warehouses go on running for others."""
        self._end_session()
        self._engine.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({self.root})"

    def _now(self) -> Session:
        """The session as it goes with a statement, with its open transaction."""
        return dataclasses.replace(self._session.current, transaction=self._transactions.current)

    def _told(self, taken: Told | AboutTransactions | AboutWarehouses | Cancels) -> Result:
        """The result of a statement that is the session's."""
        match taken:
            case Told(tag):
                return Result.told(tag)
            case AboutTransactions(node):
                tag, commit = self._transactions.run(node)
            case Cancels(query_id, tag):
                self._life.cancel(query_id, must=True)
                return Result.told(tag)
            case AboutWarehouses(node):
                tag, commit = self._about_warehouses(node)
        self._routes.committed(commit)
        return Result.told(tag, commit)

    def _get(self, table: tuple[str, str], keys: Any) -> Result:
        lookup = self._requests.lookup(self._now(), table, keys)
        warehouse = self._routes.of_lookup(lookup)
        if warehouse is None:
            return Result.of(self._engine.get(lookup), lookup.query_id)
        return Result.of(warehouse.get(self._routes.after_own_commits(lookup)), lookup.query_id)

    def _end_session(self) -> None:
        with contextlib.suppress(MobulaError):  # else it ends when it has been idle for long
            self._transactions.close()
        self._drop_temporary()

    def _drop_temporary(self) -> None:
        """If it does not succeed, a primary drops them later."""
        drop = drop_temporary(self._session.current) if self._temporary else None
        self._temporary = False
        if drop is not None:
            with contextlib.suppress(MobulaError):
                self._commit([drop], None)

    def _token(self) -> IngestToken:
        with self._counting:
            self._sequence += 1
            return IngestToken(writer=self._writer, sequence=self._sequence)

    def _commit(self, operations: Sequence[Operation], token: IngestToken | None) -> Commit:
        transaction = Transaction(
            operations=tuple(operations), token=token or self._token(), session=self._now()
        )
        commit = Commit.of(self._engine.submit(transaction))
        self._routes.committed(commit)
        return commit

    def _first(self, token: IngestToken) -> Commit | None:
        """What a call with this token has committed; None: nothing."""
        receipt = self._engine.outcome(token)
        commit = None if receipt is None else Commit.of(receipt)
        self._routes.committed(commit)
        return commit

    def _commit_alone(self, operation: Operation) -> Commit:
        return self._commit([operation], None)
