"""Pictures of the benchmarks of writes, by matplotlib (the extra `bench`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.freshness_report import FreshnessReport
from benchmarks.sustained_report import SustainedReport, summary
from benchmarks.upsert_report import UpsertReport

__all__ = ["panels", "plot_freshness", "plot_sustained", "plot_upserts", "save"]

PANEL_INCHES = (4.6, 3.8)


def plot_upserts(report: UpsertReport, path: Path) -> None:
    """Rows/s by table size, then for each size the time of every commit."""
    figure, axes = panels(1 + len(report.outcomes))
    names = list(dict.fromkeys(name for found in report.outcomes.values() for name in found))
    colours = {name: f"C{number}" for number, name in enumerate(names)}
    for name in names:
        rates = {
            rows: found[name].rows_per_second(report.batch_rows)
            for rows, found in report.outcomes.items()
            if name in found and found[name].times_ms
        }
        if rates:
            line = (list(rates), list(rates.values()))
            axes[0].plot(*line, marker="o", label=name, color=colours[name])
    axes[0].set(xscale="log", yscale="log", xlabel="rows in the table", ylabel="rows/s")
    axes[0].set_title("Upserts, higher is better")
    axes[0].legend(fontsize="small")
    for (rows, found), panel in zip(report.outcomes.items(), axes[1:], strict=True):
        for name, outcome in found.items():
            times = outcome.times_ms
            panel.plot(range(1, len(times) + 1), times, ".-", label=name, color=colours[name])
        panel.set(yscale="log", xlabel="batch", ylabel="commit, ms")
        panel.set_title(f"{rows:,} rows, lower is better")
    save(figure, path)


def plot_freshness(report: FreshnessReport, path: Path) -> None:
    """For each way, the share of commits that were visible within a time."""
    figure, (panel,) = panels(1)
    for way in report.ways:
        delays = sorted(max(delay, 1.0) for delay in way.visible_ms)
        shares = [(rank + 1) / len(delays) * 100 for rank in range(len(delays))]
        style = "-" if way.probe == "query" else "--"
        panel.step(delays, shares, style, where="post", label=f"{way.mode}, {way.probe}")
    panel.set(xscale="log", xlabel="ms after the receipt", ylabel="visible commits, %")
    panel.set_title("Freshness of a virtual warehouse")
    panel.legend(fontsize="small")
    save(figure, path)


def plot_sustained(report: SustainedReport, path: Path) -> None:
    """Over the minutes: rows/s, commits, queries, bytes written, memory, and what waits."""
    shown = {
        "Upserts, rows/s": ("rows_per_second",),
        "Commits, ms": ("p50_ms", "p99_ms"),
        "Queries, ms": ("query_p50_ms",),
        "Written in a minute, MB": ("foreground_mb", "background_mb"),
        "Memory, MB": ("rss_mb",),
        "Level-0 files and files": ("level_0", "files"),
        "Delta rows": ("delta_rows",),
    }
    figure, axes = panels(len(shown))
    found = summary(report)
    for panel, (title, fields) in zip(axes, shown.items(), strict=True):
        for number, name in enumerate(report.runs):
            turns = [one for one in found if one["system"] == name]
            for field, style in zip(fields, ("-", "--"), strict=False):
                values = [(one["minute"], one[field]) for one in turns if one[field] is not None]
                if values:
                    label = name if len(fields) == 1 else f"{name}, {field}"
                    panel.plot(*zip(*values, strict=True), style, label=label, color=f"C{number}")
        panel.set(xlabel="minute", ylim=(0, None))
        panel.set_title(title)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize="small")
    save(figure, path)


def panels(count: int) -> tuple[Any, list[Any]]:
    """A figure with so many diagrams beside each other."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    width, height = PANEL_INCHES
    figure, axes = plt.subplots(
        1, count, figsize=(width * count, height), layout="constrained", squeeze=False
    )
    for panel in axes[0]:
        panel.grid(visible=True, which="major", alpha=0.3)
    return figure, list(axes[0])


def save(figure: Any, path: Path) -> None:
    """Write the figure in the format that the path's suffix names."""
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
