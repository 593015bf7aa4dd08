"""The way in: `connect`, and the database it returns."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from actors.client import Engine
from actors.loop import LoopThread
from actors.messages import (
    CommitReply,
    Session,
    Statement,
    Transaction,
)
from actors.operations import DropWarehouse, NewWarehouse, Operation, WriteMode
from actors.settings import NodeSettings, Settings
from actors.temporary import drop_temporary, new_session_id
from storage.clock import SystemClock
from storage.errors import InvalidRequest, MobulaError, NotYet
from storage.format import MAIN_BRANCH, open_or_create, read_format
from storage.ids import RandomIds
from storage.log.record import GroupHeader
from storage.objects import StoreOptions, open_store
from storage.snapshot.changes import VirtualWarehouse as WarehouseSettings
from storage.snapshot.model import IngestToken, Snapshot
from storage.sources import count_rows, expand_source
from storage.sources_format import SourceReading
from warehouse.planning.planner import SqlPlanner, utc_now
from warehouse.planning.source_options import load_format
from warehouse.planning.texts import SqlTextParser
from warehouse.progress import loading
from warehouse.result import Commit, Result
from warehouse.session import AboutTransactions, Parameters, SqlSession, Told
from warehouse.session_transactions import SessionTransactions
from warehouse.stream import RowStream
from warehouse.table import Table, split_name
from warehouse.transaction import TransactionScope
from warehouse.virtual_warehouse import VirtualWarehouse

__all__ = ["Database", "connect"]

DEFAULT_CACHE_BYTES = 4 << 30
NAME_CHARACTERS_MAX = 63


def connect(
    root: str,
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
    if engine == "ray" and root.startswith("memory://"):
        raise InvalidRequest("memory:// lives in one process; use engine='local'")
    options = _store_options(store)
    root = _from_here(root)
    node = NodeSettings(
        root=root,
        store=options,
        branch=branch,
        database_id=_database_id(root, options, create=create),
        settings=settings or Settings(),
    )
    return Database(_engine(engine, node), node)


def _load_mode(mode: str) -> WriteMode:
    modes = {m.value: m for m in WriteMode if m is not WriteMode.DELETE}
    if mode not in modes:
        raise InvalidRequest(f"load: mode {mode!r}, expected one of {', '.join(modes)}")
    return modes[mode]


def _from_here(path: str) -> str:
    """A path made absolute: the processes of a cluster have other working directories. URLs, and
    what is wrong anyhow, stay."""
    return str(Path(path).absolute()) if path and "://" not in path else path


def _store_options(store: StoreOptions | Mapping[str, Any] | None) -> StoreOptions:
    if store is None:
        return StoreOptions.from_environment()
    if isinstance(store, StoreOptions):
        return store
    try:
        return StoreOptions(**store)
    except TypeError as error:
        known = ", ".join(StoreOptions.__dataclass_fields__)
        raise InvalidRequest(f"store options: {error}; known are {known}") from error


def _database_id(root: str, options: StoreOptions, *, create: bool) -> str:
    clock = SystemClock()

    async def find() -> str:
        store = open_store(root, options, clock=clock)
        try:
            found = await (
                open_or_create(store, RandomIds(), clock) if create else read_format(store)
            )
        finally:
            await store.close()
        return found.database_id

    loop = LoopThread("mobula-connect")  # a notebook has a loop of its own running here
    try:
        return loop.run(find())
    finally:
        loop.close()


def _engine(engine: str, node: NodeSettings) -> Engine:
    make_planner = partial(SqlPlanner, store=node.store, root=node.root)
    if engine == "local":
        from actors.local_engine import LocalEngine

        return LocalEngine(node, make_planner)
    from actors.ray_engine import RayEngine

    return RayEngine(node, make_planner)


class Database:
    """One connection to a database. Safe to share between threads."""

    def __init__(self, engine: Engine, node: NodeSettings) -> None:
        self._engine = engine
        self._node = node
        # The session writes with its id as its name: so it is known when it last wrote.
        self._writer = new_session_id(SystemClock().now_ms(), RandomIds().new())
        self._session = SqlSession(self._writer)
        self._transactions = SessionTransactions(engine, self._token)
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
        timeout_s: float = 600.0,
        token: IngestToken | None = None,
    ) -> Result:
        """Run one statement on the primary: DDL and DML, and reads on its own compute.

        Args:
            parameters: values of $1, $2, … in order, or a mapping for $name and :name.
            min_lsn: for a read: on a snapshot at this LSN or later.
            timeout_s: for a read; a write is waited for until its outcome is known.
            token: for a write: see `Table.append`.
        """
        taken = self._session.take(text, parameters)
        if isinstance(taken, Told):
            return Result.told(taken.tag)
        if isinstance(taken, AboutTransactions):
            return Result.told(*self._transactions.run(taken.node))
        text, parameters = taken
        statement = Statement(
            sql=text,
            parameters=parameters if isinstance(parameters, Mapping) else tuple(parameters),
            min_lsn=min_lsn,
            timeout_ms=int(timeout_s * 1000),
            session=self._now(),
            token=token or self._token(),
        )
        reply = self._engine.execute(statement)
        if isinstance(reply, CommitReply) and reply.temporary:
            self._temporary = True
        return Result.replied(reply)

    def stream(
        self,
        text: str,
        parameters: Parameters = (),
        *,
        min_lsn: int | None = None,
        timeout_s: float = 600.0,
    ) -> RowStream:
        """Run one read on the primary's compute and give its rows as they come.

        Args: as of `sql`; `timeout_s` holds for the planning and for each batch.
        Raises:
            InvalidRequest: the statement is wrong, or is no read. What goes wrong while it runs is
                raised by the stream.
        """
        statement = self._session.reading(text, parameters, min_lsn, timeout_s)
        return RowStream(self._engine.stream(dataclasses.replace(statement, session=self._now())))

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
        return Table(self._engine, name, self._commit, self.sql, self._now)

    def load(
        self,
        table: str,
        sources: str | Sequence[str],
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
        found_mode = _load_mode(mode)
        urls = [sources] if isinstance(sources, str) else list(sources)
        if not urls:
            raise InvalidRequest(f"load into {table}: no source given")
        store = self._node.store
        files = [_from_here(file) for url in urls for file in expand_source(url, store, format)]
        told = {
            "header": header,
            "delimiter": delimiter,
            "null": null,
            "quote": quote,
            "escape": escape,
        }
        found = load_format(files, format, told)
        reading = SourceReading(format=found, parser=SqlTextParser(utc_now(SystemClock())))
        rows_total = None
        if found.kind == "parquet":
            rows_total = sum(count_rows(file, store) for file in files)
        info = self._engine.table(*split_name(table, self._session.current))
        with loading(table, rows_total, shown=progress) as bar:
            operation = self._engine.prepare_load(info, files, bar.report, reading, found_mode)
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
            token: makes the commit repeatable; see `Table`.
            retry: how often the body may run again, on a new snapshot, after a Conflict:
                `for tx in db.transaction(retry=5): with tx: …`, or `….run(function)`.
        """
        return TransactionScope(
            self._engine,
            self._session.current,
            self._token if token is None else lambda: token,
            isolation=isolation,
            retry=retry,
        )

    def create_virtual_warehouse(
        self,
        name: str,
        *,
        size: int = 1,
        worker_cpus: float = 1.0,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        min_clusters: int = 1,
        max_clusters: int = 1,
        scaling_policy: str = "standard",
        auto_suspend_s: float | None = None,
        if_not_exists: bool = False,
    ) -> VirtualWarehouse:
        """Make a virtual warehouse in the catalogue and start it.

        Args:
            size: workers per cluster, from 1; worker_cpus: of each, also its Polars threads.
            cache_bytes: local file cache of each worker.
            min_clusters, max_clusters, scaling_policy, auto_suspend_s: not yet; other values than
                the defaults raise NotYet.
        """
        _check_warehouse(name, size=size, worker_cpus=worker_cpus, cache_bytes=cache_bytes)
        elastic = (min_clusters, max_clusters, scaling_policy, auto_suspend_s)
        if elastic != (1, 1, "standard", None):
            raise NotYet(
                f"virtual warehouse {name}: min_clusters, max_clusters, scaling_policy and "
                "auto_suspend_s are not there yet; leave them out"
            )
        made = WarehouseSettings(
            name=name, size=size, worker_cpus=worker_cpus, cache_bytes=cache_bytes
        )
        self._commit([NewWarehouse(warehouse=made, if_not_exists=if_not_exists)], None)
        return self.virtual_warehouse(name)

    def virtual_warehouse(self, name: str) -> VirtualWarehouse:
        """The virtual warehouse of the catalogue, found running or started."""
        return VirtualWarehouse(name, self._engine.start_warehouse(name), self._session)

    def drop_virtual_warehouse(self, name: str, *, if_exists: bool = False) -> None:
        """Remove it from the catalogue and end its processes; queries on it fail."""
        self._commit([DropWarehouse(name=name, if_exists=if_exists)], None)
        self._engine.stop_warehouse(name)

    def virtual_warehouses(self) -> dict[str, WarehouseSettings]:
        """The settings of every virtual warehouse, by name."""
        return dict(self.snapshot().virtual_warehouses)

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
        return Commit.of(self._engine.submit(transaction))


def _check_warehouse(name: str, *, size: int, worker_cpus: float, cache_bytes: int) -> None:
    plain = name.replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and len(name) <= NAME_CHARACTERS_MAX):
        raise InvalidRequest(
            f"virtual warehouse {name!r}: a name is 1 to {NAME_CHARACTERS_MAX} letters, digits, "
            "'_' and '-'"
        )
    checks: tuple[tuple[str, float, Callable[[], bool]], ...] = (
        ("size", size, lambda: isinstance(size, int) and 1 <= size <= 1024),
        ("worker_cpus", worker_cpus, lambda: 0 < worker_cpus <= 1024),
        ("cache_bytes", cache_bytes, lambda: cache_bytes >= 1 << 20),
    )
    for what, value, good in checks:
        if not good():
            raise InvalidRequest(
                f"virtual warehouse {name}: {what} is {value!r}; expected size 1 to 1024, "
                "worker_cpus above 0 up to 1024, cache_bytes of at least 1 MiB"
            )
