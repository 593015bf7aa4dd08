"""What a coordinator knows about its load: counted as it happens, read as one frozen value.

`LoadMeter` is told of every query that queues, starts, ends or gives up. In little memory it keeps:

1. How long queries have been queueing. A queue that empties for a moment between two queries of a
   busy client has not been cured, so an empty queue does not reset that time, it takes as much from
   it as it lasts; the time is bounded, so a pause of a second forgets everything.
2. When the query that has waited longest came: arrivals are counted by the second.
3. Peak and trough of demand (queries that run or wait) over trailing windows: extremes per second.
4. The mean execution time: of all queries while they are few, then of the recent ones.
5. When clusters were added, began to serve or were taken away, which `load` notices by itself.

Times are milliseconds of one monotonic clock and come in with every call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

__all__ = ["WINDOW_LONG_MS", "WINDOW_SHORT_MS", "Load", "LoadMeter"]

WINDOW_SHORT_MS = 20_000
WINDOW_LONG_MS = 60_000
QUEUEING_MS_MAX = 1_000.0  # so long an empty queue remembers, at most, that there was queueing
RECENT_QUERIES = 20  # that the mean execution time is mostly made of
_BUCKET_MS = 1_000
_BUCKETS = WINDOW_LONG_MS // _BUCKET_MS + 1  # one more: the window begins within the oldest


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of a virtual warehouse at one moment.

    Attributes:
        clusters: wanted now, those that are starting included; 0: suspended.
        serving: of these, the clusters that take queries.
        running, queued: queries.
        queueing_ms: how long queries have been queueing, less the time in which none was; at most
            `QUEUEING_MS_MAX`.
        oldest_queued_ms: when the query that waits longest came, to the second; None: none waits.
        idle_since_ms: when the last query ended, or when it woke up; None: a query runs or waits.
        execute_ms: mean execution time of recent queries; None: none has ended yet.
        peak_short, peak_long: most queries that ran or waited at a time, over the two windows.
        trough_long: fewest over the long window.
        changed_ms: when the number of clusters wanted changed last.
        grown_ms: when clusters were added last, or began to serve.
    """

    clusters: int
    serving: int
    running: int = 0
    queued: int = 0
    queueing_ms: float = 0.0
    oldest_queued_ms: float | None = None
    idle_since_ms: float | None = None
    execute_ms: float | None = None
    peak_short: int = 0
    peak_long: int = 0
    trough_long: int = 0
    changed_ms: float | None = None
    grown_ms: float | None = None

    @property
    def demand(self) -> int:
        """Queries that run or wait."""
        return self.running + self.queued


class _Levels:
    """Extremes of a level, second by second, as far back as the long window; before that, 0."""

    def __init__(self, now_ms: float) -> None:
        self._second = int(now_ms // _BUCKET_MS)
        self._level = 0
        self._maxima: deque[int] = deque([0] * _BUCKETS, maxlen=_BUCKETS)
        self._minima: deque[int] = deque([0] * _BUCKETS, maxlen=_BUCKETS)

    def set(self, now_ms: float, level: int) -> None:
        """From now on it is `level`; until now it was what it had been."""
        second = int(now_ms // _BUCKET_MS)
        for _ in range(min(second - self._second, _BUCKETS)):
            self._maxima.append(self._level)
            self._minima.append(self._level)
        self._second = max(second, self._second)
        self._level = level
        self._maxima[-1] = max(self._maxima[-1], level)
        self._minima[-1] = min(self._minima[-1], level)

    def peak(self, window_ms: int) -> int:
        """The highest of the window that ends now."""
        count = window_ms // _BUCKET_MS + 1
        return max(islice(reversed(self._maxima), count))

    def trough(self) -> int:
        """The lowest of the long window."""
        return min(self._minima)


class LoadMeter:
    """Counts queries. Every method takes the time at which something happened, none goes back."""

    def __init__(self, now_ms: float) -> None:
        self._running = 0
        self._queued = 0
        self._arrivals: dict[int, int] = {}  # second -> queries of that second that still wait
        self._queueing_ms = 0.0
        self._settled_ms = now_ms
        self._idle_since_ms = now_ms
        self._execute_ms: float | None = None
        self._ended = 0
        self._demand = _Levels(now_ms)
        self._clusters = 0
        self._serving = 0
        self._waking = False
        self._changed_ms: float | None = None
        self._grown_ms: float | None = None

    def queued(self, now_ms: float) -> None:
        """A query came. One that need not wait is reported as started right after."""
        self._settle(now_ms)
        self._queued += 1
        second = int(now_ms // _BUCKET_MS)
        self._arrivals[second] = self._arrivals.get(second, 0) + 1
        self._count(now_ms)

    def started(self, now_ms: float, queued_at_ms: float | None = None) -> None:
        """A query that waited runs: the one that came at `queued_at_ms`, or else the oldest."""
        self._leave(now_ms, queued_at_ms)
        self._running += 1
        self._count(now_ms)

    def dropped(self, now_ms: float, queued_at_ms: float | None = None) -> None:
        """A query that waited gave up: cancelled, or too late. Which: as for `started`."""
        self._leave(now_ms, queued_at_ms)
        self._count(now_ms)

    def ended(self, now_ms: float, execute_ms: float | None) -> None:
        """A query that ran is over. `execute_ms` None: how long it took says nothing of others."""
        self._stop(now_ms)
        if execute_ms is not None:
            self._ended = min(self._ended + 1, RECENT_QUERIES)
            mean = execute_ms if self._execute_ms is None else self._execute_ms
            self._execute_ms = mean + (execute_ms - mean) / self._ended
        self._count(now_ms)

    def returned(self, now_ms: float) -> None:
        """A query that ran has lost its worker, and waits for another."""
        self._stop(now_ms)
        self.queued(now_ms)

    def load(self, now_ms: float, clusters: int, serving: int) -> Load:
        """The load now, of that many clusters wanted and serving."""
        self._settle(now_ms)
        self._notice(now_ms, clusters, serving)
        self._count(now_ms)
        demand = self._running + self._queued
        second = next(iter(self._arrivals), None)
        return Load(
            clusters=clusters,
            serving=serving,
            running=self._running,
            queued=self._queued,
            queueing_ms=self._queueing_ms,
            oldest_queued_ms=None if second is None else float(second * _BUCKET_MS),
            idle_since_ms=None if demand else self._idle_since_ms,
            execute_ms=self._execute_ms,
            peak_short=self._demand.peak(WINDOW_SHORT_MS),
            peak_long=self._demand.peak(WINDOW_LONG_MS),
            trough_long=self._demand.trough(),
            changed_ms=self._changed_ms,
            grown_ms=self._grown_ms,
        )

    def _settle(self, now_ms: float) -> None:
        passed_ms = max(now_ms - self._settled_ms, 0.0)
        change_ms = passed_ms if self._queued else -passed_ms
        self._queueing_ms = min(max(self._queueing_ms + change_ms, 0.0), QUEUEING_MS_MAX)
        self._settled_ms = max(now_ms, self._settled_ms)
        if self._running or self._queued:
            self._idle_since_ms = now_ms

    def _leave(self, now_ms: float, queued_at_ms: float | None) -> None:
        assert self._queued > 0, "no query waits"
        self._settle(now_ms)
        if queued_at_ms is None:
            second = next(iter(self._arrivals))
        else:
            second = int(queued_at_ms // _BUCKET_MS)
        self._arrivals[second] -= 1
        if not self._arrivals[second]:
            del self._arrivals[second]
        self._queued -= 1

    def _stop(self, now_ms: float) -> None:
        assert self._running > 0, "no query runs"
        self._settle(now_ms)
        self._running -= 1

    def _count(self, now_ms: float) -> None:
        self._demand.set(now_ms, self._running + self._queued)

    def _notice(self, now_ms: float, clusters: int, serving: int) -> None:
        if clusters != self._clusters:
            self._changed_ms = now_ms
        if clusters > self._clusters or serving > self._serving:
            self._grown_ms = now_ms
        if self._clusters == 0 < clusters:
            self._waking = True
        if self._waking:  # who resumes it by hand gets to use it: idleness begins when it serves
            self._idle_since_ms = now_ms
        if clusters == 0 or serving:
            self._waking = False
        self._clusters, self._serving = clusters, serving
