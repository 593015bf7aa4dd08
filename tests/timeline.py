"""What changed in a cluster, and when: sampled in a thread, printed as a table.

with Timeline({"nodes": count_nodes, "workers": count_workers}) as timeline:
    timeline.mark("10 queries at once")
    timeline.wait("nodes", lambda count: count > 0)
print(timeline.table())
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

__all__ = ["Timeline"]

SAMPLE_S = 0.3
WAIT_S = 120.0


class Timeline:
    """Rows of (seconds since the start, a value per column, what happened)."""

    def __init__(self, columns: Mapping[str, Callable[[], int]]) -> None:
        self._columns = columns
        self._rows: list[tuple[float, dict[str, int], str]] = []
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._start_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Timeline:
        self._sample("start")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def mark(self, event: str) -> None:
        """Something was done that the table shall tell."""
        self._sample(event)

    def wait(self, column: str, reached: Callable[[int], bool], wait_s: float = WAIT_S) -> float:
        """Return when a column has such a value: the seconds that took. Fails after `wait_s`."""
        begun_s = time.monotonic()
        with self._lock:
            while not reached(self._rows[-1][1][column]):
                left_s = begun_s + wait_s - time.monotonic()
                if self._failure is not None:
                    raise self._failure
                if left_s <= 0:
                    raise AssertionError(f"{column} was not reached in {wait_s} s\n{self.table()}")
                self._lock.wait(min(left_s, 1.0))
        return time.monotonic() - begun_s

    def hold(self, column: str, holds: Callable[[int], bool], hold_s: float) -> None:
        """Fails if a column has another value within the next `hold_s` seconds."""
        until_s = time.monotonic() + hold_s
        with self._lock:
            while (left_s := until_s - time.monotonic()) > 0:
                if not holds(self._rows[-1][1][column]):
                    raise AssertionError(f"{column} did not hold for {hold_s} s\n{self.table()}")
                self._lock.wait(left_s)

    def values(self, column: str) -> list[int]:
        """What a column was, from the start on."""
        with self._lock:
            return [values[column] for _, values, _ in self._rows]

    def table(self) -> str:
        """The rows as text, one line for each change."""
        names = list(self._columns)
        lines = ["  ".join(["seconds", *names, "event"])]
        for at_s, values, event in self._rows:
            cells = [f"{values[name]:>{len(name)}}" for name in names]
            lines.append("  ".join([f"{at_s:7.1f}", *cells, event]).rstrip())
        return "\n".join(lines)

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            try:
                self._sample("")
            except Exception as error:  # shown by who waits
                self._failure = error
                return

    def _sample(self, event: str) -> None:
        values = {name: read() for name, read in self._columns.items()}
        with self._lock:
            if event or values != self._rows[-1][1]:
                self._rows.append((time.monotonic() - self._start_s, values, event))
                self._lock.notify_all()
