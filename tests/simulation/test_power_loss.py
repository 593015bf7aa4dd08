"""`LocalStore` keeps its promises when processes die and the power goes, at any step.

Each `after_…` tries many histories with a store of some class and says what was wrong with any of
them. `LocalStore` must have nothing wrong with it; `PLANTED` are its broken relatives, which show
that each of them can find something.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storage.errors import InvalidRequest, MobulaError, ObjectExists
from storage.objects import Created, LocalStore, create_settled
from tests.fakes import CountedIds, FakeClock
from tests.simulation.disk import Mount, Plan
from tests.simulation.promises import ROOT, Call, World, drive, read

LOSSES = (0.0, 1.0, 0.5, 0.5)  # of what was not fsync'd, how much survives: each by its own seed
NUMBERS = (errno.EIO, errno.EROFS)  # time may mend the one and not the other

BEFORE = (
    Call(method="create", name="log/1", data=b"one"),
    Call(method="create", name="epoch/1/owner", data=b"me"),
    Call(method="put", name="epoch/1/alive", data=b"yes"),
    Call(method="put", name="checkpoint/1/a", data=b"a"),
)
CALLS = (
    Call(method="create", name="log/2", data=b"two, which is long enough to be torn"),
    Call(method="create", name="log/1", data=b"another"),
    Call(method="create", name="checkpoint/2/parts/root", data=b"root of a checkpoint"),
    Call(method="create", name="format", data=b"at the top"),
    Call(method="put", name="epoch/1/alive", data=b"still, with more bytes than before"),
    Call(method="put", name="checkpoint/2/b", data=b"part of a checkpoint"),
    Call(method="put_file", name="data/1", data=b"rows in a file"),
    Call(method="put_file", name="checkpoint/1/a", data=b"replaced from a file"),
    Call(method="delete", name="log/1"),
    Call(method="delete", name="checkpoint/1/a"),
    Call(method="delete", name="log/none"),
)


def steps_of(world: World, call: Call) -> int:
    """How many steps the call takes for a process that begins now."""
    store, mount = world.process()
    before = mount.steps
    world.run(store, call)
    return mount.steps - before


def crashes(
    kind: type[LocalStore], file: Path, history: tuple[Call, ...], call: Call, *, warm: bool
) -> Iterator[tuple[str, Callable[[], World]]]:
    """Every way in which the process that makes the call can die, and that it does not.

    Args: warm: the process has made the history too, and remembers what is durable.
    """

    def world_until(step: int | None, done: bool) -> World:
        world = World(kind, file)
        store, mount = world.process()
        for one in history:
            assert world.run(store, one)
        if not warm:
            store, mount = world.process()
        if step is not None:
            mount.crash_at(step, done=done)
        world.run(store, call)
        return world

    probe = World(kind, file)
    store, _ = probe.process()
    for one in history:
        probe.run(store, one)
    count = steps_of(probe, call)
    yield f"{call}", lambda: world_until(None, done=False)
    for step in range(count):
        for done in (False, True):
            moment = f"{call}, dead {'after' if done else 'before'} step {step}"
            yield moment, lambda step=step, done=done: world_until(step, done)  # type: ignore[misc]


# --- histories ----------------------------------------------------------------------------------


def after_crashes(kind: type[LocalStore], file: Path) -> Iterator[str]:
    """One process, any call, dead at any step, and then the power goes."""
    for call in CALLS:
        for history, warm in ((BEFORE, True), (BEFORE, False), ((), False)):
            for moment, world_of in crashes(kind, file, history, call, warm=warm):
                for seed, kept in enumerate(LOSSES):
                    world = world_of()
                    world.lose(seed, kept)
                    yield from (f"{moment}: {one}" for one in world.go_on())


def after_predecessors(kind: type[LocalStore], file: Path) -> Iterator[str]:
    """A process dies at any step and leaves names that are not durable; another goes on."""
    for first in CALLS:
        for history in (BEFORE, ()):
            for moment, world_of in crashes(kind, file, history, first, warm=False):
                world = world_of()
                name = "log/2" if first.method == "delete" else first.name
                yield from (f"{moment}: {one}" for one in settled(world, name, b"successor"))


def settled(world: World, name: str, data: bytes, mount: Mount | None = None) -> Iterator[str]:
    """Create by a new process: what it then says is true after a power loss."""
    store, _ = world.process()
    if mount is not None:
        store = world.kind(ROOT, ids=CountedIds("settled"), disk=mount)
    try:
        outcome = drive(create_settled(store, name, data, clock=FakeClock(), rng=random.Random(0)))
    except InvalidRequest:
        world.lose(0, 1.0)
        if (content := drive(read(world.process()[0], name))) is not None:
            yield f"refused, and {name} is there: {content!r}"
        return
    except MobulaError:
        return  # nothing is said
    said = data if isinstance(outcome, Created) else outcome.data
    world.lose(0, 0.0)
    if (content := drive(read(world.process()[0], name))) != said:
        yield f"said to be {said!r}, and {name} is {content!r}"


def after_errors(kind: type[LocalStore], file: Path) -> Iterator[str]:
    """A process meets errors, at one step or from one on, where another has died at any."""
    call = Call(method="create", name="epoch/2/owner", data=b"predecessor")
    for moment, world_of in crashes(kind, file, BEFORE, call, warm=False):
        for number in NUMBERS:
            for first in range(12):
                for count in (1, 1_000):
                    for late in (False, True):
                        plan = failing(first, count, number)
                        world = world_of()
                        mount = world.disk.mount("settled")
                        mount.fault, mount.reply = (None, plan) if late else (plan, None)
                        told = f"{moment}; {count} x {errno.errorcode[number]} from {first}"
                        for one in settled(world, call.name, b"successor", mount):
                            yield f"{told}{' late' * late}: {one}"


def after_removals(kind: type[LocalStore], file: Path) -> Iterator[str]:
    """A directory is emptied, which removes it, and made anew by a process that dies at any step.

    The process that goes on has written to the old one.
    """
    data = b"bytes"
    for step in range(12):
        for done in (False, True):
            world = World(kind, file)
            (one, _), (two, _), (three, mount) = (world.process() for _ in range(3))
            world.run(one, Call(method="put", name="checkpoint/1/parts/a", data=data))
            world.run(two, Call(method="delete", name="checkpoint/1/parts/a"))
            mount.crash_at(step, done=done)
            world.run(three, Call(method="create", name="checkpoint/1/parts/b", data=data))
            world.run(one, Call(method="create", name="checkpoint/1/parts/c", data=data))
            world.lose(0, 0.0)
            yield from (f"dead at step {step}, {done}: {wrong}" for wrong in world.wrongs())


def after_refusals(kind: type[LocalStore], file: Path) -> Iterator[str]:
    """A call meets an error that time does not mend. If that is what it says, nothing happened."""
    for call in CALLS:
        for number in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC):
            for step in range(12):
                world = World(kind, file)
                store, mount = world.process()
                for one in BEFORE:
                    world.run(store, one)
                before = world.disk.files(ROOT)
                mount.fault = failing(step, 1, number)
                try:
                    drive(call.on(store, file))
                except InvalidRequest as error:
                    if world.disk.files(ROOT) != before:
                        yield f"{call}, step {step}: {error}"
                    if number == errno.ENOSPC:
                        yield f"{call}, step {step}: time may mend it, and yet {error}"
                except MobulaError:
                    pass


def failing(first: int, count: int, number: int) -> Plan:
    """Steps [first, first + count) fail."""
    asked = iter(range(1_000_000))

    def plan(step: str, path: Path) -> OSError | None:
        if first <= next(asked) < first + count:
            return OSError(number, os.strerror(number), str(path))
        return None

    return plan


def after_anything(kind: type[LocalStore], file: Path, seeds: range = range(150)) -> Iterator[str]:
    """Processes that come, fail, die and delete what others have made; now and then the power."""
    for seed in seeds:
        rng = random.Random(seed)
        world = World(kind, file)
        living = [world.process() for _ in range(3)]
        for step in range(60):
            number = rng.randrange(len(living))
            store, mount = living[number]
            if rng.random() < 0.15:
                mount.crash_at(rng.randrange(9), done=rng.random() < 0.5)
            chance = 0.1 if rng.random() < 0.3 else 0.0
            others = [one for one, other in living if other is not mount]
            mount.fault = among(world, rng, others, drawn(rng, chance), f"beside step {step}")
            mount.reply = drawn(rng, chance)
            world.run(store, any_call(rng, f"in step {step}"))
            mount.fault = mount.reply = None
            if not mount.alive:
                living[number] = world.process()
            if rng.random() < 0.05:
                world.lose(rng.randrange(1_000), rng.choice((0.0, 0.5, 1.0)))
                yield from (f"seed {seed}, step {step}: {one}" for one in world.wrongs())
                living = [world.process() for _ in range(3)]


def among(
    world: World, rng: random.Random, others: list[LocalStore], plan: Plan, told: str
) -> Plan:
    """That plan, and now and then another process does something just before a step."""

    def fault(step: str, path: Path) -> OSError | None:
        if rng.random() < 0.05:
            world.run(rng.choice(others), any_call(rng, told))
        return plan(step, path)

    return fault


def any_call(rng: random.Random, told: str) -> Call:
    method = rng.choice(("create", "settle", "put", "put_file", "delete", "delete"))
    name = rng.choice(("log/1", "epoch/1/owner", "checkpoint/1/a", "checkpoint/1/b/c"))
    return Call(method=method, name=name, data=f"written {told}".encode())


def drawn(rng: random.Random, chance: float) -> Plan:
    def plan(step: str, path: Path) -> OSError | None:
        if rng.random() < chance:
            number = rng.choice(NUMBERS)
            return OSError(number, os.strerror(number), str(path))
        return None

    return plan


HISTORIES = (
    after_crashes,
    after_predecessors,
    after_removals,
    after_errors,
    after_refusals,
    after_anything,
)


# --- stores that break their promises -----------------------------------------------------------


class SyncsNothing(LocalStore):
    """Names are not made durable."""

    def _sync(self, directory: Path) -> None:
        pass


class SyncsOneDirectory(LocalStore):
    """The names of directories are not made durable."""

    def _sync(self, directory: Path) -> None:
        self._disk.sync_directory(directory)


class SyncsBelowTheRoot(LocalStore):
    """The root's own name is not made durable."""

    def _sync(self, directory: Path) -> None:
        self._durable.add(self._root)
        super()._sync(directory)


class TrustsWhatIsThere(LocalStore):
    """Directories above the root that were there when the process began are durable, it thinks."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)
        self._durable.update(path for path in root.parents if self._disk.is_directory(path))


class NeverForgets(LocalStore):
    """What was durable once is so for ever, though others remove directories and make them anew."""

    def _sync(self, directory: Path) -> None:
        super()._sync(directory)
        self._durable.add(directory)


class TrustsOthers(LocalStore):
    """What somebody else has linked is durable, it thinks."""

    def _publish(self, name: str, publish: Callable[[], None]) -> None:
        try:
            super()._publish(name, publish)
        except FileExistsError:
            if self._disk.is_directory(self._path(name)):
                raise
            raise ObjectExists(f"object {name!r} exists") from None


class HasNoDoubts(LocalStore):
    """What it reads after a failure is durable, it thinks."""

    def _read(self, name: str, start: int, length: int | None) -> bytes:
        self._doubts = type(self._doubts)()
        return super()._read(name, start, length)


class DoubtsItsOwnNamesAlone(LocalStore):
    """A failure casts doubts only after it has given the name."""

    def _publish(self, name: str, publish: Callable[[], None]) -> None:
        self._named = True
        super()._publish(name, publish)

    @contextmanager
    def _writing(self, verb: str, name: str) -> Iterator[None]:
        self._named = False
        doubts, self._doubts = self._doubts, type(self._doubts)()
        try:
            with super()._writing(verb, name):
                yield
        finally:
            if not self._named:
                self._doubts = doubts


class RefusesWhatIsDone(LocalStore):
    """A name was given, and the error says that the call must be mended."""

    def _confirm(self, name: str, directory: Path) -> None:
        self._sync(directory)


class WritesInPlace(LocalStore):
    """No file of tmp/: what is half written has its final name."""

    def _create(self, name: str, data: bytes) -> None:
        self._disk.make_directories(self._path(name).parent)
        self._disk.write(self._path(name), data)
        self._confirm(name, self._path(name).parent)


@pytest.mark.parametrize("histories", HISTORIES, ids=lambda one: one.__name__)
def test_promises_are_kept(
    histories: Callable[[type[LocalStore], Path], Iterator[str]], tmp_path: Path
) -> None:
    assert next(histories(LocalStore, tmp_path / "file"), None) is None


PLANTED = (
    (SyncsNothing, after_crashes),
    (SyncsNothing, after_anything),
    (SyncsOneDirectory, after_crashes),
    (SyncsBelowTheRoot, after_crashes),
    (TrustsWhatIsThere, after_predecessors),
    (NeverForgets, after_removals),
    (NeverForgets, after_anything),
    (TrustsOthers, after_predecessors),
    (TrustsOthers, after_anything),
    (HasNoDoubts, after_errors),
    (HasNoDoubts, after_anything),
    (DoubtsItsOwnNamesAlone, after_errors),
    (RefusesWhatIsDone, after_refusals),
    (WritesInPlace, after_crashes),
)


@pytest.mark.parametrize(("kind", "histories"), PLANTED)
def test_promises_that_are_broken_are_noticed(
    kind: type[LocalStore],
    histories: Callable[[type[LocalStore], Path], Iterator[str]],
    tmp_path: Path,
) -> None:
    assert next(histories(kind, tmp_path / "file"), None) is not None


def test_bytes_that_nobody_has_synced_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mount, "_sync_file", lambda mount, path: None)
    assert next(after_crashes(LocalStore, tmp_path / "file"), None) is not None
