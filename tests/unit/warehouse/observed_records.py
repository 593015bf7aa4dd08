"""Records of what runs, for tests: each has something in every column that may be empty, or not."""

from __future__ import annotations

from typing import Any

from actors.observed import QueryRecord, ScalingEvent, WarehouseRecord
from storage.snapshot.changes import VirtualWarehouse

__all__ = ["query_record", "scaling_event", "virtual_warehouse", "warehouse_record"]

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC


def query_record(query_id: str, **changes: Any) -> QueryRecord:
    found: dict[str, Any] = {
        "query_id": query_id,
        "warehouse": "bi",
        "state": "succeeded",
        "user_name": "ann",
        "sql": "SELECT 1",
        "priority": 0,
        "started_at": NOON,
        "ended_at": NOON + 1_500,
        "elapsed_ms": 1500.0,
        "queued_ms": 200.0,
        "plan_ms": 3.5,
        "execute_ms": 1296.5,
        "cluster": 1,
        "worker_pid": 4711,
        "attempts": 1,
        "worker_seconds": 1.25,
        "requests": 7,
        "bytes_fetched": 1 << 20,
        "cache_hits": 3,
        "files_scanned": 5,
        "rows_scanned": 1000,
        "result_rows": 1,
        "peak_memory_bytes": 1 << 25,
        "spilled_bytes": 4096,
        "snapshot_lsn": 41,
        "error": None,
        "sqlstate": None,
    }
    return QueryRecord(**(found | changes))


def virtual_warehouse(name: str, **changes: Any) -> VirtualWarehouse:
    return VirtualWarehouse(
        **({"name": name, "size": 2, "worker_cpus": 1.5, "cache_bytes": 1 << 30} | changes)
    )


def warehouse_record(name: str, **changes: Any) -> WarehouseRecord:
    found: dict[str, Any] = {
        "name": name,
        "state": "running",
        "size": 2,
        "worker_cpus": 1.5,
        "worker_memory_bytes": None,
        "cache_bytes": 1 << 30,
        "node_type": "default",
        "min_clusters": 1,
        "max_clusters": 4,
        "scaling_policy": "standard",
        "max_concurrency": None,
        "auto_suspend_s": None,
        "auto_resume": True,
        "statement_timeout_s": None,
        "queue_timeout_s": None,
        "max_queued": 1000,
        "comment": None,
    }
    return WarehouseRecord(**(found | changes))


def scaling_event(action: str, **changes: Any) -> ScalingEvent:
    found: dict[str, Any] = {
        "happened_at": NOON,
        "warehouse": "bi",
        "action": action,
        "clusters": 2,
        "workers": 4,
        "reason": "3 queries wait",
    }
    return ScalingEvent(**(found | changes))
