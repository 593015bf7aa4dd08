"""What maintenance does and has done: running tasks with their progress, and sums."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from actors.observed import TaskRecord
from storage.clock import Clock
from storage.errors import MobulaError
from storage.rewrite import Rewritten
from storage.rewriting import Rewriting

__all__ = ["RunningTask", "TaskLog"]

KEPT = 100  # that are over


@dataclass(slots=True)
class RunningTask:
    """One of them. `rows_done`: stored so far."""

    record: TaskRecord
    table_id: int
    began_ms: float  # monotonic
    rows_done: int = 0
    result: Rewritten | None = None

    def progress(self, rows_done: int) -> None:
        self.rows_done = rows_done


class TaskLog:
    """Of one primary. `counts` and `written_bytes` are by kind, since it began."""

    def __init__(
        self,
        clock: Clock,
        written: Callable[[str, int, int], None] = lambda kind, table_id, size_bytes: None,
    ) -> None:
        """Args: written: hears of bytes that were written: kind of task, table id, how many."""
        self._clock = clock
        self._written = written
        self._running: list[RunningTask] = []
        self._over: deque[TaskRecord] = deque(maxlen=KEPT)
        self.counts: dict[str, int] = {}
        self.written_bytes: dict[str, int] = {}

    @contextlib.contextmanager
    def running(self, work: Rewriting, table: str) -> Iterator[RunningTask]:
        """Around a task, until it is committed. Args: table: `schema.table`."""
        record = TaskRecord(
            kind=work.kind,
            table_name=table,
            state="running",
            files=len(work.table.files),
            deltas=len(work.table.deltas),
            level=0 if work.task is None else work.task.level,
            row_count=work.row_count,
            rows_done=0,
            read_bytes=work.size_bytes,
            written_bytes=0,
            started_at=self._clock.now_ms(),
            ended_at=None,
            elapsed_ms=0.0,
            error=None,
        )
        task = RunningTask(record, work.table.id, self._clock.monotonic_ms())
        self._running.append(task)
        error: str | None = "cancelled"
        try:
            yield task
            error = None
        except MobulaError as found:
            error = str(found)
            raise
        finally:
            self._running.remove(task)
            self._end(task, error)

    def _end(self, task: RunningTask, error: str | None) -> None:
        written = 0 if task.result is None else _bytes_of(task.result)
        kind = task.record.kind
        if error is None:
            self.counts[kind] = self.counts.get(kind, 0) + 1
        self._written(kind, task.table_id, written)
        self.written_bytes[kind] = self.written_bytes.get(kind, 0) + written
        self._over.append(
            dataclasses.replace(
                task.record,
                state="succeeded" if error is None else "failed",
                rows_done=task.rows_done,
                written_bytes=written,
                ended_at=self._clock.now_ms(),
                elapsed_ms=self._clock.monotonic_ms() - task.began_ms,
                error=error,
            )
        )

    def status(self) -> dict[str, int]:
        """For that of the primary."""
        return {
            "flushes": self.counts.get("flush", 0),
            "compactions": self.counts.get("compact", 0),
            "flushed_bytes": self.written_bytes.get("flush", 0),
            "compacted_bytes": self.written_bytes.get("compact", 0),
        }

    def records(self) -> list[TaskRecord]:
        """Those that run, then those that are over, the last one first."""
        now_ms = self._clock.monotonic_ms()
        running = [
            dataclasses.replace(
                task.record,
                rows_done=task.rows_done,
                elapsed_ms=now_ms - task.began_ms,
            )
            for task in self._running
        ]
        return running + list(reversed(self._over))


def _bytes_of(result: Rewritten) -> int:
    """Of its files and runs."""
    runs = sum(run.size_bytes for file in result.files for run in file.runs.values())
    return runs + sum(file.row.size_bytes for file in result.files)
