"""What travels between clients, primary, coordinators and workers: frozen, picklable values.

Every request carries its `Session`; every write its ingest token. What coordinators ask of workers
is in `fragments.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from actors.fragments import QueryStats
from actors.operations import Operation
from storage.schema import SqlType
from storage.snapshot.model import IngestToken, Receipt
from storage.target import IngestTarget

__all__ = [
    "CommitReply",
    "Lookup",
    "QueryReply",
    "Session",
    "SessionFunction",
    "Statement",
    "TableInfo",
    "Transaction",
    "TransactionControl",
    "TransactionReply",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFunction:
    """A Python function that SQL of a session may call, over Arrow arrays.

    `code`: the function, as cloudpickle wrote it.
    """

    arguments: tuple[SqlType, ...]
    returns: SqlType
    code: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks, and how names and settings are read.

    Attributes:
        id: of one connection, for its temporary tables (`actors.temporary`); empty: it has none.
        transaction: the id of the transaction that is open on the primary; empty: none is.
        directory: what relative paths of files begin at, absolute; empty: there are none.
    """

    id: str = ""
    user: str = "mobula"
    schema_path: tuple[str, ...] = ("public",)
    settings: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, SessionFunction] = field(default_factory=dict)
    directory: str = ""
    transaction: str = ""


# --- writes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Operations that become durable and visible together, or not at all.

    A client that does not know whether its call succeeded repeats it with the same token and gets
    the first receipt. Of a transaction that was open, per operation, `made`: the id of the delta
    or first file that it made there (`actors.primary.delta_names`), and `row_counts`: its rows;
    refused (Conflict) if they are others now.
    """

    operations: tuple[Operation, ...]
    token: IngestToken | None = None
    session: Session = Session()
    made: tuple[int | None, ...] = ()
    row_counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionControl:
    """BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their relatives.

    Attributes:
        action: "begin", "commit", "roll back", "save", "roll back to" or "release".
        transaction: the id that "begin" returned.
        isolation: of "begin": see `actors.primary.transactions.ISOLATION_LEVELS`.
        read_only: of "begin": whatever writes is refused (25006).
        name: of a savepoint.
        token: of "commit": makes it repeatable.
    """

    action: str
    transaction: str = ""
    isolation: str = "repeatable read"
    read_only: bool = False
    name: str = ""
    token: IngestToken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReply:
    """Of `TransactionControl`: the transaction's id; `receipt` of a commit that wrote, and
    `committed`: false if it was rolled back, because one of its statements had failed."""

    transaction: str
    receipt: Receipt | None = None
    committed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """What a client needs to fit rows to a table and to write its micropartitions."""

    table_id: int
    target: IngestTarget


# --- reads ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A SQL statement for the primary or a virtual warehouse.

    Attributes:
        parameters: values of $1, $2, … in order, or by name ($name, :name).
        min_lsn: run on a snapshot at this LSN or later (read your writes).
        timeout_ms: for reaching `min_lsn`, for waiting and for running.
        query_id: what the client calls it, to end it by; empty: it gets one.
        priority: of those that wait for a worker the greatest is next.
        queue_timeout_ms: for waiting for a worker; None: what the virtual warehouse says.
    """

    sql: str
    parameters: tuple[Any, ...] | Mapping[str, Any] = ()
    min_lsn: int | None = None
    timeout_ms: int = 600_000
    session: Session = Session()
    token: IngestToken | None = None
    query_id: str = ""
    priority: int = 0
    queue_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Rows of a table by primary key.

    `keys`: in any form that `storage.key_frame.key_rows` takes and that can be pickled. The rest:
    see `Statement`.
    """

    schema: str
    table: str
    keys: Any
    session: Session = Session()
    min_lsn: int | None = None
    timeout_ms: int = 600_000
    query_id: str = ""
    priority: int = 0
    queue_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReply:
    """What a statement that writes returns: its receipt, and what it did (`CREATE TABLE`).

    `temporary`: it made a temporary table, so the session has something to drop at its end.
    """

    receipt: Receipt
    tag: str
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReply:
    """Rows for a client (pa.Table, or on Ray a reference to one) and what they cost.

    `names` are those of the columns where they differ from the table's own, which are distinct:
    SQL allows a name twice, Ray's serialisation of Arrow tables does not. `tag`, `receipt`: of a
    statement that is no query, what it did (`COPY 3`, `UPDATE 2`), and if it wrote.
    """

    rows: pa.Table | Any
    stats: QueryStats
    names: tuple[str, ...] = ()
    tag: str = ""
    receipt: Receipt | None = None
