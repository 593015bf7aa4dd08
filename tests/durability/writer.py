"""A process that writes without pause, made to be killed at any moment. Run by `kills.py`:

    python -m tests.durability.writer ROOT --seed 7 --next 1,1

It connects with engine="local". Two clients, which are threads, write their batches one after the
other (`batches.py` says which), each with its token. What happens is told line by line as JSON on
standard output, each line written whole before anything else is done:

    {"event": "opening"}                                  the process is loaded, now it connects
    {"event": "made", "sequence": 1, "lsn": 2}            a statement of the set-up is committed
    {"event": "reigning", "epoch": 3}                     it is the primary, the tables are there
    {"event": "begin", "client": 0, "sequence": 5, "kind": "upsert"}
    {"event": "done", "client": 0, "sequence": 5, "lsn": 17}     acknowledged
    {"event": "known", "client": 0, "sequence": 4, "lsn": 16}    an acknowledged token once more
    {"event": "again", "error": …}                        Unavailable or Conflict: the token again
    {"event": "failed", "error": …}                       any other error; the process ends

`--next` says with which sequence number each client goes on: after a kill the first one that was
not acknowledged, whose outcome is unknown. With `--known` the one before it is asked for first; the
answer must be its first receipt. When standard input closes, the process ends.
"""

from __future__ import annotations

import argparse
import faulthandler
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import warehouse
from actors.primary.limits import CheckpointPolicy, KeyedLimits
from storage.errors import Conflict, Unavailable
from storage.flush_policy import FlushPolicy
from storage.objects import StoreOptions
from tests.durability.batches import SETUP, Batch, planned
from warehouse import Commit, Database, IngestToken, Settings

T = TypeVar("T")

PAUSE_S = 0.05  # after an error
CONFLICTS_MAX = 20


def settings(lease_ms: int) -> Settings:
    """Small bounds, so that files, flushes, merges and checkpoints are frequent."""
    return Settings(
        lease_ms=lease_ms,
        rows_inline_bytes_max=16 << 10,
        checkpoints=CheckpointPolicy(tail_bytes_max=1 << 20, tail_groups_max=80),
        keyed=KeyedLimits(flush=FlushPolicy(rows_max=20_000, bytes_max=1 << 20, deltas_max=60)),
    )


def report(event: str, **told: Any) -> None:
    """One line, in one piece: no reader ever sees half of it."""
    line = json.dumps({"event": event, "at_ms": round(time.monotonic() * 1000, 1), **told})
    os.write(1, f"{line}\n".encode())


def until_known(call: Callable[[], T], **told: Any) -> T:
    """Repeat while the outcome is unknown, or others were first."""
    while True:
        try:
            return call()
        except (Unavailable, Conflict) as error:
            report("again", error=f"{type(error).__name__}: {error}", **told)
            time.sleep(PAUSE_S)
        except BaseException as error:
            report("failed", error=f"{type(error).__name__}: {error}", **told)
            os._exit(3)


def set_up(db: Database) -> None:
    """The tables, each made once however often it is asked for."""
    for sequence, text in enumerate(SETUP, 1):
        token = IngestToken(writer="setup", sequence=sequence)
        commit = until_known(partial(_statement, db, text, token), statement=text)
        report("made", sequence=sequence, lsn=commit.lsn)


def _statement(db: Database, text: str, token: IngestToken) -> Commit:
    commit = db.sql(text, token=token).commit
    assert commit is not None
    return commit


def perform(db: Database, batch: Batch) -> Commit:
    """Write a batch with its token."""
    kv, token = db.table("kv"), batch.token
    match batch.kind:
        case "upsert" | "large_upsert":
            return kv.upsert(batch.kv_frame(), token=token)
        case "append" | "large":
            return db.table("events").append(batch.events_frame(), token=token)
        case "delete":
            return kv.delete(list(batch.keys), token=token)
        case "update":
            first, last = batch.keys
            where = "k BETWEEN $1 AND $2"
            change = {"v": f"v + {batch.change}"}
            return kv.update(set=change, where=where, parameters=[first, last], token=token)
        case "both" | "transfer":
            return _transaction(db, batch)
        case "create":
            return _statement(db, f"CREATE TABLE {batch.scratch} (n BIGINT PRIMARY KEY)", token)
        case _:
            return _statement(db, f"DROP TABLE {batch.scratch}", token)


def _transaction(db: Database, batch: Batch) -> Commit:
    transactions = db.transaction(token=batch.token, retry=CONFLICTS_MAX)
    for tx in transactions:
        with tx:
            if batch.rows:
                tx.table("kv").upsert(batch.kv_frame())
                tx.table("events").append(batch.events_frame())
            for giver, taker, amount in batch.transfers:
                text = "UPDATE accounts SET balance = balance + $1 WHERE id = $2"
                tx.sql(text, [-amount, giver])
                tx.sql(text, [amount, taker])
    assert transactions.commit is not None
    return transactions.commit


def maintain(db: Database, batch: Batch) -> None:
    """Ask for the flush or the checkpoint that is due before a batch."""
    if batch.maintenance:
        report("begin", kind=batch.maintenance, client=batch.client, sequence=0)
        try:
            db.sql(f"CALL mobula.{batch.maintenance}()")
        except Unavailable as error:
            report("again", error=f"Unavailable: {error}", kind=batch.maintenance)
        except BaseException as error:
            report("failed", error=f"{type(error).__name__}: {error}", kind=batch.maintenance)
            os._exit(3)


def write(db: Database, seed: int, client: int, first: int, *, known: bool) -> None:
    """One client, for ever."""
    if known and first > 1:
        before = planned(seed, client, first - 1)
        commit = until_known(partial(perform, db, before), client=client, sequence=first - 1)
        report("known", client=client, sequence=first - 1, lsn=commit.lsn)
    for sequence in itertools.count(first):
        batch = planned(seed, client, sequence)
        maintain(db, batch)
        told = {"client": client, "sequence": sequence, "kind": batch.kind}
        report("begin", **told)
        commit = until_known(partial(perform, db, batch), **told)
        report("done", client=client, sequence=sequence, lsn=commit.lsn)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--next", required=True, help="by client, its next sequence number")
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--lease-ms", type=int, default=10_000)
    parser.add_argument("--read-timeout-ms", type=int, default=15_000)
    chosen = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)  # says on standard error where it stands
    options = replace(StoreOptions.from_environment(), read_timeout_ms=chosen.read_timeout_ms)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    report("opening")
    db = until_known(
        partial(
            warehouse.connect,
            chosen.root,
            engine="local",
            store=options,
            settings=settings(chosen.lease_ms),
        )
    )
    set_up(db)
    report("reigning", epoch=db.status()["epoch"])
    threads = [
        threading.Thread(
            target=write,
            args=(db, chosen.seed, client, int(first)),
            kwargs={"known": chosen.known},
        )
        for client, first in enumerate(chosen.next.split(","))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
