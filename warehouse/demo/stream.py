"""A writer that keeps appending batches, and a virtual warehouse that keeps counting them.

Every count is checked: it sees whole batches only, all of them up to some batch, and none that was
committed before the count was asked for is missing (`min_lsn`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl

from storage.clock import Clock
from storage.errors import InternalError
from warehouse.database import Database
from warehouse.virtual_warehouse import VirtualWarehouse

__all__ = ["BATCH_ROWS", "Stream", "streaming"]

BATCH_ROWS = 100
PAUSE_S = 0.02  # between two batches, and between two counts: the queries run beside them
TABLE = "events"
CREATE = f"CREATE TABLE {TABLE} (batch BIGINT NOT NULL, position BIGINT NOT NULL)"
COUNT = f"SELECT count(*) AS n, count(DISTINCT batch) AS batches, max(batch) AS last FROM {TABLE}"


@dataclass(slots=True)
class Stream:
    """What happened. `counts`: every count in order; durations in milliseconds."""

    batches: int = 0
    last_lsn: int = 0
    elapsed_ms: float = 0.0
    counts: list[int] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def commits_per_s(self) -> float:
        return 1000 * self.batches / self.elapsed_ms if self.elapsed_ms else 0.0


@contextmanager
def streaming(db: Database, reader: VirtualWarehouse, clock: Clock) -> Iterator[Stream]:
    """Append and count in the background while the block runs, then count once more to the end.

    Raises:
        InternalError: a count that no version of the table could have had.
    """
    created = db.sql(CREATE).commit
    assert created is not None
    stream, stop = Stream(last_lsn=created.lsn), threading.Event()
    threads = [
        threading.Thread(target=_until, args=(stop, stream, lambda: _append(db, stream))),
        threading.Thread(target=_until, args=(stop, stream, lambda: _count(reader, stream))),
    ]
    started_ms = clock.monotonic_ms()
    for thread in threads:
        thread.start()
    try:
        yield stream
    finally:
        stop.set()
        stream.elapsed_ms = clock.monotonic_ms() - started_ms
        for thread in threads:
            thread.join()
    if stream.errors:
        raise stream.errors[0]
    _count(reader, stream)


def _until(stop: threading.Event, stream: Stream, step: Callable[[], None]) -> None:
    try:
        while not stop.is_set():
            step()
            stop.wait(PAUSE_S)
    except BaseException as error:  # raised again by the thread that waits for us
        stream.errors.append(error)


def _append(db: Database, stream: Stream) -> None:
    rows = pl.DataFrame(
        {"batch": [stream.batches] * BATCH_ROWS, "position": list(range(BATCH_ROWS))}
    )
    stream.last_lsn = db.table(TABLE).append(rows).lsn
    stream.batches += 1  # after the LSN: what is counted here can be seen there


def _count(reader: VirtualWarehouse, stream: Stream) -> None:
    committed = stream.batches
    n, batches, last = reader.sql(COUNT, min_lsn=stream.last_lsn).rows()[0]
    whole = n == batches * BATCH_ROWS and batches == (0 if last is None else last + 1)
    if not whole or batches < committed:
        raise InternalError(
            f"a count saw {n} rows of {batches} batches, the last being {last}, when {committed} "
            "were committed: no version of the table from then on was like that"
        )
    stream.counts.append(n)
