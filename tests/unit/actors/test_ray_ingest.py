"""Loads by tasks: how many at once, and what the first error ends. The tasks are made up here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from actors.messages import TableInfo
from actors.ray_ingest import TASKS_MIN, IngestTasks, RayIngest
from actors.settings import NodeSettings, Settings
from storage.errors import InvalidRequest
from storage.ingest import IngestedFile
from storage.sources_format import SourceReading

FILES = 100


class Reference:
    """Of a value that is there."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def future(self) -> Future[Any]:
        done = Future[Any]()
        done.set_result(self.value)
        return done


class Cluster:
    """Tasks that end one by one; `cpus` of it may change meanwhile."""

    def __init__(self, last: Callable[[int], Any]) -> None:
        self.cpus = 4.0
        self.last = last
        self.started: list[str] = []
        self.running = self.most = 0

    async def load(self, *arguments: Any) -> AsyncIterator[Reference]:
        number = len(self.started)
        self.started.append(arguments[2])
        self.running += 1
        self.most = max(self.most, self.running)
        yield Reference(10)
        for _ in range(number % 7):
            await asyncio.sleep(0)
        self.running -= 1
        yield Reference(self.last(number))


def loaded(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[IngestedFile]:
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": cluster.cpus})
    node = NodeSettings(
        root="memory://x", store=None, branch="main", database_id="d", settings=Settings()
    )
    tasks = IngestTasks(load=cluster.load, slice=lambda *_: None)
    ingest = RayIngest(cast(Any, None), node, tasks)
    names = [f"{n}.parquet" for n in range(FILES)]
    infos = [cast(TableInfo, None)] * FILES
    reading = cast(SourceReading, None)
    return asyncio.run(ingest.sources(infos, names, reading, lambda rows, files: None))


def test_as_many_tasks_as_the_cluster_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(lambda number: [number])
    assert loaded(cluster, monkeypatch) == list(range(FILES))
    assert cluster.most == TASKS_MIN  # twice 4 CPUs of half a CPU each


def test_more_when_the_cluster_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    def last(number: int) -> list[int]:
        cluster.cpus = 10.0
        return [number]

    cluster = Cluster(last)
    assert loaded(cluster, monkeypatch) == list(range(FILES))
    assert TASKS_MIN < cluster.most <= 40


def test_after_the_first_error_none_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none is cancelled: that can end the process that asks for it."""
    cluster = Cluster(lambda number: InvalidRequest("bad row") if number == 3 else [number])
    with pytest.raises(InvalidRequest, match="bad row"):
        loaded(cluster, monkeypatch)
    assert len(cluster.started) < FILES // 2


def test_nothing_cancels_tasks() -> None:
    """Decision 14."""
    root = Path(__file__).parents[3]
    calls = [
        str(path)
        for package in ("actors", "jobs", "warehouse")
        for path in (root / package).rglob("*.py")
        if "ray.cancel(" in path.read_text(encoding="utf-8")
    ]
    assert calls == []
