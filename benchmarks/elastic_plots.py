"""Pictures of the benchmarks of virtual warehouses, by matplotlib (the extra `bench`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.concurrency_report import ConcurrencyReport
from benchmarks.elasticity_report import WANTED_MS, ElasticityReport
from benchmarks.isolation_report import IsolationReport, pooled
from benchmarks.plots import panels, save
from benchmarks.upsert_report import percentile

__all__ = ["plot_concurrency", "plot_elasticity", "plot_isolation"]

TITLES = {"commit": "Commits", "query": "Queries"}


def plot_elasticity(report: ElasticityReport, path: Path) -> None:
    """For each way, a row of dots per measure, one for each round; a bar where it is wanted."""
    figure, axes = panels(len(report.times_ms))
    for (way, measures), panel in zip(report.times_ms.items(), axes, strict=True):
        names = list(reversed(measures))
        for row, measure in enumerate(names):
            times = [max(ms, 1.0) for ms in measures[measure]]
            panel.plot(times, [row] * len(times), "o", color="C0", alpha=0.4)
            wanted = WANTED_MS.get((way, measure))
            if wanted is not None:
                panel.plot([wanted], [row], "|", color="C3", markersize=14)
        panel.set_yticks(range(len(names)), names, fontsize="small")
        panel.set(xscale="log", xlabel="ms; red: wanted")
        panel.set_title(way)
    save(figure, path)


def plot_isolation(report: IsolationReport, path: Path) -> None:
    """For commits and for queries, the share that took no longer than a time."""
    figure, axes = panels(len(report.times_ms))
    for (what, times), panel in zip(report.times_ms.items(), axes, strict=True):
        for label, found, style in (
            ("alone", times["alone"], "-"),
            ("beside the load", times["loaded"], "--"),
        ):
            panel.step(*_shares(pooled(found)), style, where="post", label=label)
        panel.set(xscale="log", xlabel="ms", ylabel="no longer than this, %")
        panel.set_title(TITLES.get(what, what))
        panel.legend(fontsize="small")
    save(figure, path)


def plot_concurrency(report: ConcurrencyReport, path: Path) -> None:
    """Queries/s, then p50 and p99, by the number of clients."""
    figure, (rates, times) = panels(2)
    for number, kind in enumerate(dict.fromkeys(load.kind for load in report.loads)):
        loads = sorted(
            (load for load in report.loads if load.kind == kind and load.times_ms),
            key=lambda load: load.clients,
        )
        clients = [load.clients for load in loads]
        colour = f"C{number}"
        rates.plot(clients, [one.per_second for one in loads], "o-", color=colour, label=kind)
        for percent, style in ((50, "o-"), (99, "o--")):
            values = [percentile(load.times_ms, percent) for load in loads]
            label = f"{kind}, p{percent}"
            times.plot(clients, values, style, color=colour, label=label)
    rates.set(xscale="log", xlabel="clients", ylabel="queries/s")
    rates.set_title("Higher is better")
    times.set(xscale="log", yscale="log", xlabel="clients", ylabel="ms")
    times.set_title("Lower is better")
    counts = sorted({load.clients for load in report.loads})
    for panel in (rates, times):
        panel.set_xticks(counts, [str(count) for count in counts])
        panel.minorticks_off()
        panel.legend(fontsize="small")
    save(figure, path)


def _shares(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The values in order, and of each the share, in percent, that is no greater."""
    found = sorted(values)
    return found, [(rank + 1) / len(found) * 100 for rank in range(len(found))]
