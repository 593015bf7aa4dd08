"""Each call of the store in each step of the protocol fails once, in each way; nothing is lost."""

from __future__ import annotations

import asyncio
import functools
import random
import sys
from collections.abc import Iterable

import pytest

from storage.errors import InvalidRequest, MobulaError, ObjectMissing
from storage.format import open_or_create
from tests.fakes import CountedIds
from tests.simulation.crash_points import (
    MORE,
    REFERENCES,
    WAYS,
    Point,
    play_with,
    points,
    sites_in_source,
)
from tests.simulation.faults import Call, Fault
from tests.simulation.loop import Process, SimulatedLoop, Stuck
from tests.simulation.node import SimulatedClock
from tests.simulation.store import Bucket, Fate, SimulatedStore

REFUSED = "storage/format.py:_prove_conditional delete"  # see the last test
SCRUB = "storage/scrub/"  # writes nothing, and nothing depends on its dying


@functools.cache
def reference() -> dict[Point, int]:
    """By point, the first reference run that comes by."""
    found: dict[Point, int] = {}
    for number, case in enumerate((*REFERENCES, *MORE)):
        if number >= len(REFERENCES) and not lacking(found):
            break
        for point in points(case):
            found.setdefault(point, number)
    return found


def lacking(known: Iterable[Point]) -> set[str]:
    """Calls in the code that none of these points is."""
    reached = {f"{point.site} {point.method}" for point in known}
    written = {site for site in sites_in_source(["storage", "actors"]) if SCRUB not in site}
    return written - reached - {REFUSED}


def test_every_call_of_a_store_is_a_crash_point() -> None:
    """A failure says which call no reference run reaches: add what reaches it."""
    assert lacking(reference()) == set()
    assert len(lacking([])) > 20
    assert REFUSED in sites_in_source(["storage"])


def test_each_point_fails_once() -> None:
    """In one of the ways; the next one does so in all."""
    for place, (point, number) in enumerate(sorted(reference().items())):
        way = list(WAYS)[place % len(WAYS)]
        sys.stdout.write(f"{way} at {point}\n")
        report = play_with((*REFERENCES, *MORE)[number], point, WAYS[way])
        assert report.violation is None, (point, report.violation)
        assert report.faults, point  # it has happened


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_each_point_fails_once_in_each_way(way: str) -> None:
    for point, number in sorted(reference().items()):
        sys.stdout.write(f"{way} at {point}\n")
        report = play_with((*REFERENCES, *MORE)[number], point, WAYS[way])
        assert report.violation is None, (point, report.violation)
        assert report.faults, point  # it has happened


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(len(REFERENCES)))
def test_each_point_fails_in_each_world(number: int, way: str) -> None:
    """At its first call, and at two later ones."""
    case = REFERENCES[number]
    for point, count in sorted(points(case).items()):
        later = random.Random(f"{number} {way} {point}").sample(range(count), min(count, 3))
        for skip in {0, *later}:
            sys.stdout.write(f"{way} at {point}, after {skip}\n")
            report = play_with(case, point, WAYS[way], skip=skip)
            assert report.violation is None, (point, skip, report.violation)


class _Careless(Bucket):
    """Takes no notice of If-None-Match."""

    def create(self, name: str, data: bytes) -> None:
        self.put(name, data)


@pytest.mark.parametrize("way", [*WAYS, "nothing"])
@pytest.mark.parametrize("number", range(6))
def test_a_store_without_conditional_writes_is_refused_Whatever_fails(
    number: int, way: str
) -> None:
    """Its `format` goes again; a process that dies before that leaves it, and the next finds a
    database of which nothing was acknowledged."""
    loop, bucket = SimulatedLoop(random.Random(number)), _Careless()
    network, director = Process("network"), Process("director")
    sites: list[str] = []

    def fault(call: Call) -> Fault | None:
        sites.append(f"{call.site} {call.method}")
        return WAYS.get(way) if call.number == number + 1 else None

    async def opened(name: str, met: bool) -> None:
        process = Process(name)
        fate = Fate(process, fault if met else lambda call: None)
        store = SimulatedStore(bucket, process, network, seed=1, fate=fate, lease_s=1.0)
        clock = SimulatedClock(loop, random.Random(1))
        work = loop.create_task(
            open_or_create(store, CountedIds(name), clock), context=process.context.copy()
        )
        await asyncio.wait({work}, timeout=60)
        if work.done() and work.exception() is not None:
            raise work.exception() or AssertionError

    try:
        with pytest.raises((MobulaError, Stuck)) if way == "nothing" else _Whatever():
            loop.run(director, opened("first", met=True), until_s=600)
        if way == "nothing":
            assert REFUSED in sites
            assert bucket.objects == {}
        elif not bucket.objects:
            with pytest.raises(InvalidRequest, match="If-None-Match"):
                loop.run(director, opened("second", met=False), until_s=600)
            assert bucket.objects == {}
    finally:
        loop.bury()


class _Whatever:
    """Any of our errors, or none."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, MobulaError | ObjectMissing)
