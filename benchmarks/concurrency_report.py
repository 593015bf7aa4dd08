"""What a run of the concurrency benchmark found: rates, times, CPU, and where the time goes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.upsert_report import percentile

__all__ = [
    "LOOKUPS",
    "PARTS",
    "WANTED_P50_MS",
    "ConcurrencyReport",
    "Load",
    "joined",
    "limit_per_second",
    "markdown",
    "parts_of",
    "write_json",
]

LOOKUPS = ("get", "select")
WANTED_P50_MS = 10.0  # of a lookup from one client
PARTS = ("calls", "plan", "queue", "worker call", "execute", "coordinator, other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many clients that asked for one kind of query for a while.

    Attributes:
        times_ms: of each query, in no order.
        coordinator_cpu_s, workers_cpu_s: CPU that they took in the `seconds`, all threads together.
    """

    kind: str
    clients: int
    seconds: float
    times_ms: list[float]
    coordinator_cpu_s: float
    workers_cpu_s: float

    @property
    def per_second(self) -> float:
        """Queries."""
        return len(self.times_ms) / self.seconds

    def cpu_ms(self, cpu_s: float) -> float | None:
        """Of a query; None: there were none."""
        return cpu_s * 1000 / len(self.times_ms) if self.times_ms else None


@dataclass(slots=True, kw_only=True)
class ConcurrencyReport:
    """One run. `parts_ms`: by kind, of each query of one client, its time by part."""

    rows: int
    size: int
    worker_cpus: float
    processes: int
    seconds: float
    seed: int
    machine: dict[str, str | int]
    loads: list[Load] = field(default_factory=list)
    parts_ms: dict[str, list[dict[str, float]]] = field(default_factory=dict)


def joined(loads: Sequence[Load]) -> list[Load]:
    """The rounds of the same load as one."""
    found: dict[tuple[str, int], list[Load]] = {}
    for load in loads:
        found.setdefault((load.kind, load.clients), []).append(load)
    return [
        Load(
            kind=kind,
            clients=clients,
            seconds=sum(load.seconds for load in same),
            times_ms=[ms for load in same for ms in load.times_ms],
            coordinator_cpu_s=sum(load.coordinator_cpu_s for load in same),
            workers_cpu_s=sum(load.workers_cpu_s for load in same),
        )
        for (kind, clients), same in found.items()
    ]


def parts_of(total_ms: float, record: Mapping[str, Any]) -> dict[str, float]:
    """Where the time of one query went; the parts of `PARTS` sum up to the total.

    Args:
        total_ms: as its client saw it.
        record: its row of `mobula.queries()`.
    """
    worker_ms = record["worker_seconds"] * 1000
    inside = record["plan_ms"] + record["queued_ms"] + worker_ms
    return {
        "calls": total_ms - record["elapsed_ms"],
        "plan": record["plan_ms"],
        "queue": record["queued_ms"],
        "worker call": worker_ms - record["execute_ms"],
        "execute": record["execute_ms"],
        "coordinator, other": record["elapsed_ms"] - inside,
    }


def limit_per_second(report: ConcurrencyReport, kind: str) -> dict[str, float] | None:
    """Where one coordinator would be full, from the load with the highest rate: its CPU for a
    query, and the rate at which that is a core (it is one Python process); and how many workers'
    CPU that rate takes. None: nothing was measured, or it took no CPU that could be counted."""
    loads = [load for load in report.loads if load.kind == kind and load.times_ms]
    if not loads:
        return None
    best = max(loads, key=lambda load: load.per_second)
    coordinator_ms, worker_ms = (
        best.cpu_ms(cpu_s) for cpu_s in (best.coordinator_cpu_s, best.workers_cpu_s)
    )
    if not coordinator_ms or worker_ms is None:
        return None
    return {
        "clients": best.clients,
        "coordinator_cpu_ms": coordinator_ms,
        "queries_per_second": 1000 / coordinator_ms,
        "worker_cpus": worker_ms / coordinator_ms,
    }


def summary(report: ConcurrencyReport) -> list[dict[str, Any]]:
    """A row for each kind and number of clients."""
    return [
        {
            "kind": load.kind,
            "clients": load.clients,
            "queries": len(load.times_ms),
            "queries_per_second": load.per_second,
            "p50_ms": percentile(load.times_ms, 50) if load.times_ms else None,
            "p99_ms": percentile(load.times_ms, 99) if load.times_ms else None,
            "coordinator_cpu_ms": load.cpu_ms(load.coordinator_cpu_s),
            "workers_cpu_ms": load.cpu_ms(load.workers_cpu_s),
            "coordinator_busy": load.coordinator_cpu_s / load.seconds,
        }
        for load in report.loads
    ]


def markdown(report: ConcurrencyReport) -> str:
    """Rates and times, then the parts of one client's time, then what they say."""
    found = [_table(_LOADS, [_load_cells(row) for row in summary(report)])]
    if report.parts_ms:
        head = ["One client, mean, ms", "Total", *PARTS]
        found.append(_table(head, [_part_cells(k, p) for k, p in report.parts_ms.items()]))
    return "\n\n".join([*found, "\n".join(_sentences(report))])


_LOADS = ["Query", "Clients", "Queries/s", "p50, ms", "p99, ms"]
_LOADS += ["Coordinator CPU, ms a query", "Workers CPU, ms a query", "Coordinator busy, %"]


def _load_cells(row: Mapping[str, Any]) -> list[str]:
    return [
        row["kind"],
        str(row["clients"]),
        f"{row['queries_per_second']:,.1f}",
        *(_number(row[name]) for name in ("p50_ms", "p99_ms")),
        *(_number(row[name]) for name in ("coordinator_cpu_ms", "workers_cpu_ms")),
        f"{row['coordinator_busy'] * 100:.0f}",
    ]


def _part_cells(kind: str, parts: Sequence[Mapping[str, float]]) -> list[str]:
    means = [sum(one[part] for one in parts) / len(parts) for part in PARTS]
    return [kind, *(_number(mean) for mean in (sum(means), *means))]


def _sentences(report: ConcurrencyReport) -> list[str]:
    found = []
    for row in summary(report):
        if row["kind"] in LOOKUPS and row["clients"] == 1 and row["p50_ms"] is not None:
            met = "as wanted" if row["p50_ms"] < WANTED_P50_MS else "not as wanted"
            found.append(
                f"A lookup by {row['kind']} from one client: p50 {row['p50_ms']:.1f} ms, {met} "
                f"(under {WANTED_P50_MS:g} ms)."
            )
    for kind in dict.fromkeys(load.kind for load in report.loads):
        limit = limit_per_second(report, kind)
        if limit is not None:
            found.append(
                f"{kind}: the coordinator takes {limit['coordinator_cpu_ms']:.2f} ms of CPU a "
                f"query (with {limit['clients']:.0f} clients), so one core of it is full at "
                f"{limit['queries_per_second']:,.0f} queries/s; workers need "
                f"{limit['worker_cpus']:.1f} cores for those."
            )
    return found


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def write_json(report: ConcurrencyReport, path: Path) -> None:
    """Everything that was measured, each time included, in microseconds' digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = dict.fromkeys(load.kind for load in report.loads)
    content = {
        **asdict(report),
        "loads": [
            {**asdict(load), "times_ms": [round(ms, 3) for ms in load.times_ms]}
            for load in report.loads
        ],
        "summary": summary(report),
        "coordinator_limits": {kind: limit_per_second(report, kind) for kind in kinds},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
