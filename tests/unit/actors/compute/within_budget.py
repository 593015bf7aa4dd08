"""A process that runs one query over a Parquet file and prints what memory it took.

Its argument is JSON: a directory, the query, the budget of its worker in MiB or null. With "export"
the rows are written to a file, and what is printed is how many they are.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4]))

from actors.compute.inputs import source_input
from actors.compute.memory import anonymous_bytes
from actors.compute.worker import Worker
from actors.fragments import Fragment, FragmentResult, Output
from storage.exports import ExportTarget
from storage.objects import CountingStore, MemoryStore
from storage.sources_format import SourceFormat
from tests.fakes import FakeClock
from tests.unit.warehouse.planning.database import Database, snapshot_of

LOOK_S = 0.005


async def run(directory: Path, sql: str, budget_mb: int | None, *, export: bool) -> FragmentResult:
    plan = Database(directory, snapshot_of()).query(sql)
    output = Output()
    if export:
        url = str(directory / "rows")
        target = ExportTarget(url=url, format=SourceFormat(kind="parquet"), names=plan.result_names)
        output = Output(kind="export", export=target)
    fragment = Fragment(
        query_id="q",
        attempt=1,
        program=plan.program,
        inputs=tuple(source_input(source) for source in plan.sources),
        output=output,
        memory_bytes=None if budget_mb is None else budget_mb << 20,
    )
    store = CountingStore(MemoryStore())
    cache = directory / "cache"
    worker = Worker(store, FakeClock(), cache_directory=cache, cache_bytes=1 << 20)
    try:
        return await worker.execute(fragment)
    finally:
        await worker.close()


def main(directory: str, sql: str, budget_mb: int | None, export: bool) -> dict[str, Any]:
    peak = 0
    over = threading.Event()

    def look() -> None:
        nonlocal peak
        while not over.wait(LOOK_S):
            peak = max(peak, anonymous_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    started = time.perf_counter()
    result = asyncio.run(run(Path(directory), sql, budget_mb, export=export))
    elapsed = time.perf_counter() - started
    over.set()
    looking.join()
    return {
        "rows": repr(result.rows.to_pylist()),
        "seconds": round(elapsed, 1),
        "spilled_mb": result.stats.spilled_bytes >> 20,
        "peak_mb": peak >> 20,
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))  # noqa: T201
