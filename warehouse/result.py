"""What a statement returns: rows as Arrow and what they cost, or what was committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from actors.fragments import QueryStats
from actors.messages import CommitReply, QueryReply
from storage.snapshot.model import Receipt
from warehouse.values import python_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Commit", "Result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A durable transaction. Pass `lsn` as `min_lsn=` to a virtual warehouse to read it there.

    Attributes:
        lsn: the log sequence number of its group.
        tso: its timestamp, milliseconds << 18 | counter.
        rows: rows written, over all its operations: an update of a key counts twice.
    """

    lsn: int
    tso: int
    rows: int

    @classmethod
    def of(cls, receipt: Receipt) -> Commit:
        return cls(lsn=receipt.lsn, tso=receipt.tso, rows=sum(receipt.row_counts))


class Result:
    """Rows of a statement.

    Attributes:
        stats: what it cost (`QueryStats`).
        commit: for a statement that wrote, else None.
        tag: for a statement that did more than return rows: what it did, as PostgreSQL says it
            (`CREATE TABLE`, `UPDATE 3`).
        has_rows: are there rows to show: of a query, or of RETURNING?
        query_id: what the statement was called while it ran; empty: it was not sent anywhere.
    """

    def __init__(
        self,
        table: pa.Table,
        stats: QueryStats,
        *,
        commit: Commit | None = None,
        tag: str | None = None,
        query_id: str = "",
    ) -> None:
        self._table = table
        self.stats = stats
        self.commit = commit
        self.tag = tag
        self.has_rows = tag is None or table.num_columns > 0
        self.query_id = query_id

    @classmethod
    def told(cls, tag: str, commit: Commit | None = None) -> Result:
        """Of a statement about the session or its transaction: no rows."""
        return cls(pl.DataFrame().to_arrow(), QueryStats(), commit=commit, tag=tag)

    @classmethod
    def replied(cls, reply: QueryReply | CommitReply, query_id: str = "") -> Result:
        """The result of any statement, its rows here."""
        if isinstance(reply, QueryReply):
            return cls.of(reply, query_id)
        stats = QueryStats(snapshot_lsn=reply.receipt.lsn)
        empty = pl.DataFrame().to_arrow()
        commit = Commit.of(reply.receipt)
        return cls(empty, stats, commit=commit, tag=reply.tag, query_id=query_id)

    @classmethod
    def of(cls, reply: QueryReply, query_id: str = "") -> Result:
        """The result of a read, or of RETURNING, whose rows are here."""
        rows: pa.Table = reply.rows
        named = rows.rename_columns(list(reply.names)) if reply.names else rows
        commit = Commit.of(reply.receipt) if reply.receipt is not None else None
        tag = reply.tag or None
        return cls(named, reply.stats, commit=commit, tag=tag, query_id=query_id)

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table; DECIMAL is decimal128, TEXT large_string."""
        return self._table

    def polars(self) -> pl.DataFrame:
        """The rows as a Polars frame, without a copy where the types allow. A name that SQL gave
        twice becomes `name` and `name_2`."""
        frame = pl.from_arrow(self._table.rename_columns(_distinct(self._table.column_names)))
        assert isinstance(frame, pl.DataFrame)
        return frame

    def pandas(self) -> pd.DataFrame:
        """The rows as a pandas frame. Raises ImportError without pandas."""
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return list(self._table.column_names)

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as tuples of Python values; `warehouse.values` says which type each has."""
        return python_rows(self._table)

    def scalar(self) -> Any:
        """The one value of a result of one row and one column. Raises ValueError otherwise."""
        if self._table.num_rows != 1 or self._table.num_columns != 1:
            raise ValueError(
                f"expected one row of one column, found {self._table.num_rows} of "
                f"{self._table.num_columns}"
            )
        return python_rows(self._table)[0][0]

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        return repr(self.polars()) if self.has_rows else str(self.tag)

    def _repr_html_(self) -> str:
        """Notebooks: the rows, and below them what they cost."""
        if not self.has_rows:
            return f"<pre>{self.tag}</pre>"
        s = self.stats
        cost = (
            f"{len(self):,} rows · {s.execute_ms:.0f} ms · "
            f"{s.files_scanned} of {s.files_total} micropartitions · "
            f"{s.bytes_fetched:,} bytes fetched · LSN {s.snapshot_lsn}"
        )
        return f"{self.polars()._repr_html_()}<small>{cost}</small>"


def _distinct(names: list[str]) -> list[str]:
    """The names, each once: a repeated one gets the first free number."""
    distinct: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in distinct or (number > 1 and candidate in names):
            number += 1
            candidate = f"{name}_{number}"
        distinct.append(candidate)
    return distinct
