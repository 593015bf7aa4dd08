"""Before and after a cluster is gone, head and all; each in a process that is connected to it."""

from __future__ import annotations

from typing import Any

import warehouse


def before(root: str) -> dict[str, Any]:
    """A database with virtual warehouses that run, left as it is."""
    db = warehouse.connect(root)
    db.sql("CREATE TABLE t AS SELECT x AS a FROM generate_series(1, 1000) AS g (x)")
    bi = db.create_virtual_warehouse("bi", size=1, worker_cpus=0.5, comment="kept", max_queued=7)
    db.create_virtual_warehouse("off", initially_suspended=True)
    commit = db.sql("INSERT INTO t VALUES (1001)").commit
    assert commit is not None
    return {"sum": bi.sql("SELECT sum(a) FROM t", min_lsn=commit.lsn).scalar(), "lsn": commit.lsn}


def after(root: str) -> dict[str, Any]:
    """The same database on another cluster."""
    db = warehouse.connect(root, create=False)
    states = {record.name: record.state for record in db.virtual_warehouse_records()}
    bi = db.virtual_warehouse("bi")
    found = {
        "states": states,
        "comment": bi.settings.comment,
        "max_queued": bi.settings.max_queued,
        "sum": bi.sql("SELECT sum(a) FROM t").scalar(),
        "lsn": db.snapshot().lsn,
    }
    db.sql("INSERT INTO t VALUES (1002)")
    found["count"] = bi.sql("SELECT count(*) FROM t", min_lsn=db.snapshot().lsn).scalar()
    db.shutdown()
    return found
