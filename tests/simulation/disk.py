"""A disk in memory that loses at a power loss what nobody has fsync'd: below the real `LocalStore`.

    disk = SimulatedDisk()
    mount = disk.mount("primary-1")                                  # what one process sees
    store = LocalStore(Path("/db"), ids=CountedIds("1"), disk=mount)
    disk.crash("primary-1")                                          # its locks are free
    disk.power_loss(random.Random(seed))                             # everybody dies

What is durable:
1. A file's bytes once it was fsync'd. Otherwise it may come back empty, cut off or filled with
   zeros, under whatever names it has.
2. All names of a directory at the moment of its fsync. Of each name that was given, taken away or
   replaced since, some first part of those changes has reached the disk: none, some, or all. Names
   are independent of each other, so that a rename may leave both names or none; that is weaker than
   any journal, so what survives here survives there.
3. A directory has a name too, in the directory above it.

Every step of a call (making a file, writing it and its fsync are three) can fail by plan, or be the
one at which the process dies. A process that has died does nothing any more: its calls raise
`Crashed`, which no `except Exception` catches.
"""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

__all__ = ["Crashed", "Mount", "Plan", "SimulatedDisk"]

Plan: TypeAlias = Callable[[str, Path], OSError | None]
"""(step, path) -> what goes wrong. Steps: make, write, sync_file, link, replace, unlink,
make_directory, remove_directory, sync_directory, scan, size, modified, read, lock."""


class Crashed(BaseException):
    """The process is dead: what it does has no effect."""


@dataclass(eq=False, slots=True, kw_only=True)
class _File:
    modified_ms: int
    content: bytes = b""
    synced: bool = False

    def lose(self, rng: random.Random, kept: float) -> None:
        if not self.synced and self.content and rng.random() >= kept:
            whole = rng.choice((0, rng.randrange(len(self.content))))
            zeros = rng.choice((0, len(self.content) - whole))
            self.content = self.content[:whole] + bytes(zeros)
        self.synced = True


@dataclass(eq=False, slots=True)
class _Directory:
    entries: dict[str, _Node] = field(default_factory=dict)
    durable: dict[str, _Node] = field(default_factory=dict)
    changes: dict[str, list[_Node | None]] = field(default_factory=dict)  # since the last fsync

    def change(self, name: str, node: _Node | None) -> None:
        if node is None:
            del self.entries[name]
        else:
            self.entries[name] = node
        self.changes.setdefault(name, []).append(node)

    def sync(self) -> None:
        self.durable = dict(self.entries)
        self.changes.clear()

    def lose(self, rng: random.Random, kept: float) -> None:
        self.entries = dict(self.durable)
        for name, changes in sorted(self.changes.items()):
            reached = 0
            while reached < len(changes) and rng.random() < kept:
                reached += 1
            node = changes[reached - 1] if reached else self.durable.get(name)
            if node is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = node
        self.sync()


_Node: TypeAlias = _File | _Directory


class SimulatedDisk:
    """One disk, as many processes as want it. Usable from any thread."""

    def __init__(self, *, now_ms: Callable[[], int] = lambda: 0) -> None:
        """`tell` hears when a name is given to a file, or taken away (None), at that moment.

        Args: now_ms: the wall time that files are written at.
        """
        self.now_ms = now_ms
        self.guard = threading.RLock()
        self.locks: dict[Path, _Lock] = {}
        self._root = _Directory()
        self._mounts: list[Mount] = []
        self.tell: Callable[[Path, bytes | None], None] = lambda path, content: None

    def mount(self, owner: str, *, fault: Plan | None = None, reply: Plan | None = None) -> Mount:
        """What a process named `owner` sees; one that begins anew takes a new one.

        Args:
            fault: what goes wrong with a step instead of its effect. A `write` that fails has
                written half.
            reply: the same after it, as on a file server whose answer is lost.
        """
        mount = Mount(self, owner, fault, reply)
        with self.guard:
            self._mounts.append(mount)
        return mount

    def crash(self, owner: str) -> None:
        """The process dies, the machine does not: its locks are free, its writes are as they are.

        It must be one that has mounted the disk and lives.
        """
        with self.guard:
            dying = [mount for mount in self._mounts if mount.owner == owner]
            if not dying:
                raise KeyError(owner)
            for mount in dying:
                self.end(mount)

    def end(self, mount: Mount) -> None:
        """The same for one mount of a process."""
        with self.guard:
            mount.alive = False
            self._mounts = [one for one in self._mounts if one is not mount]
            self.locks = {k: v for k, v in self.locks.items() if v.mount is not mount}

    def power_loss(self, rng: random.Random, *, kept: float = 0.5) -> None:
        """Everybody dies, and of what was not fsync'd each item survives with that probability."""
        with self.guard:
            for mount in self._mounts:
                self.end(mount)
            seen: set[int] = set()
            left: list[_Node] = [self._root]
            while left:
                node = left.pop()
                if id(node) in seen:
                    continue  # a second name of a file
                seen.add(id(node))
                node.lose(rng, kept)
                if isinstance(node, _Directory):
                    left += [child for _, child in sorted(node.entries.items(), reverse=True)]

    def files(self, below: Path) -> dict[str, bytes]:
        """All files below a directory, by their paths from there: what a person would see."""
        with self.guard:
            try:
                return dict(_files(self.directory(below), ""))
            except FileNotFoundError:
                return {}

    def find(self, path: Path) -> _Node:
        """Raises FileNotFoundError, NotADirectoryError."""
        node: _Node = self._root
        for part in path.parts[1:]:
            if not isinstance(node, _Directory):
                raise os_error(errno.ENOTDIR, path)
            if part not in node.entries:
                raise os_error(errno.ENOENT, path)
            node = node.entries[part]
        return node

    def directory(self, path: Path) -> _Directory:
        """Raises FileNotFoundError, NotADirectoryError."""
        node = self.find(path)
        if not isinstance(node, _Directory):
            raise os_error(errno.ENOTDIR, path)
        return node

    def file(self, path: Path) -> _File:
        """Raises FileNotFoundError, NotADirectoryError, IsADirectoryError."""
        node = self.find(path)
        if not isinstance(node, _File):
            raise os_error(errno.EISDIR, path)
        return node


class Mount:
    """A `Disk`, as one process sees it."""

    def __init__(
        self, disk: SimulatedDisk, owner: str, fault: Plan | None, reply: Plan | None
    ) -> None:
        self.owner = owner
        self.alive = True
        self.fault = fault
        self.reply = reply
        self.steps = 0  # done or tried
        self._disk = disk
        self._crash: tuple[int, bool] | None = None

    def crash_at(self, step: int, *, done: bool) -> None:
        """Die at that step from now on (0 is the next one): before it, or when it is done."""
        self._crash = (self.steps + step, done)

    def write(self, path: Path, data: bytes) -> None:
        self._make(path)
        self._fill(path, data)
        self._sync_file(path)

    def copy(self, source: Path, path: Path) -> None:
        self.write(path, source.read_bytes())

    def fetch(self, path: Path, target: Path) -> int:
        with self._step("read", path):
            content = self._disk.file(path).content
            with target.open("xb") as file:
                file.write(content)
            return len(content)

    def link(self, path: Path, new: Path) -> None:
        with self._step("link", new):
            node = self._disk.find(path)
            above = self._disk.directory(new.parent)
            if new.name in above.entries:
                raise os_error(errno.EEXIST, new)
            if not isinstance(node, _File):
                raise os_error(errno.EPERM, path)
            above.change(new.name, node)
            self._disk.tell(new, node.content)

    def replace(self, path: Path, new: Path) -> None:
        with self._step("replace", new):
            below, above = self._disk.directory(path.parent), self._disk.directory(new.parent)
            node = self._disk.find(path)
            assert isinstance(node, _File), "no renames of directories here"
            old = above.entries.get(new.name)
            if isinstance(old, _Directory):
                raise os_error(errno.ENOTEMPTY if new in path.parents else errno.EISDIR, new)
            if old is not node:  # else both are names of one file, and stay
                above.change(new.name, node)
                below.change(path.name, None)
                self._disk.tell(new, node.content)

    def unlink(self, path: Path) -> None:
        with self._step("unlink", path):
            self._disk.file(path)
            self._disk.directory(path.parent).change(path.name, None)
            self._disk.tell(path, None)

    def make_directories(self, path: Path) -> None:
        for one in (*reversed(path.parents), path):
            try:
                self._disk.directory(one)
            except FileNotFoundError:
                with self._step("make_directory", one):
                    above = self._disk.directory(one.parent)
                    if one.name not in above.entries:
                        above.change(one.name, _Directory())
            except NotADirectoryError:
                if one == path:
                    raise os_error(errno.EEXIST, path) from None
                raise

    def remove_directory(self, path: Path) -> None:
        with self._step("remove_directory", path):
            if self._disk.directory(path).entries:
                raise os_error(errno.ENOTEMPTY, path)
            self._disk.directory(path.parent).change(path.name, None)

    def sync_directory(self, path: Path) -> None:
        with self._step("sync_directory", path):
            self._disk.directory(path).sync()

    def scan(self, path: Path) -> list[str]:
        with self._step("scan", path):
            entries = self._disk.directory(path).entries.items()
            return [f"{name}/" if isinstance(one, _Directory) else name for name, one in entries]

    def is_directory(self, path: Path) -> bool:
        try:
            self._disk.directory(path)
        except OSError:
            return False
        return True

    def size(self, path: Path) -> int:
        with self._step("size", path):
            return len(self._disk.file(path).content)

    def modified_ms(self, path: Path) -> int:
        with self._step("modified", path):
            return self._disk.file(path).modified_ms

    def read(self, path: Path, start: int, length: int | None) -> bytes:
        with self._step("read", path):
            content = self._disk.file(path).content
            first = max(0, len(content) + start) if start < 0 else start
            return content[first:] if length is None else content[first : first + length]

    def try_lock(self, path: Path) -> _Lock | None:
        with self._step("lock", path):
            above = self._disk.directory(path.parent)
            if path.name not in above.entries:
                above.change(path.name, _File(modified_ms=self._disk.now_ms()))
            if path in self._disk.locks:
                return None
            lock = self._disk.locks[path] = _Lock(self._disk, path, self)
            return lock

    # --- the steps of writing a file --------------------------------------------------------------

    def _make(self, path: Path) -> None:
        with self._step("make", path):
            above = self._disk.directory(path.parent)
            if path.name in above.entries:
                raise os_error(errno.EEXIST, path)
            above.change(path.name, _File(modified_ms=self._disk.now_ms()))

    def _fill(self, path: Path, data: bytes) -> None:
        try:
            with self._step("write", path):
                self._disk.file(path).content = bytes(data)
        except OSError:
            self._disk.file(path).content = bytes(data[: len(data) // 2])
            raise

    def _sync_file(self, path: Path) -> None:
        with self._step("sync_file", path):
            self._disk.file(path).synced = True

    @contextmanager
    def _step(self, operation: str, path: Path) -> Iterator[None]:
        """The one moment at which something happens to the disk, or does not."""
        with self._disk.guard:
            number = self.steps
            self.steps += 1
            self._die_if((number, False))
            if self.fault is not None and (error := self.fault(operation, path)) is not None:
                raise error
            yield
            self._die_if((number, True))
            if self.reply is not None and (error := self.reply(operation, path)) is not None:
                raise error

    def _die_if(self, moment: tuple[int, bool]) -> None:
        if self._crash == moment:
            self._disk.end(self)
        if not self.alive:
            raise Crashed(f"{self.owner} is dead")


class _Lock:
    """Held until its release, or until its process or the machine dies."""

    def __init__(self, disk: SimulatedDisk, path: Path, mount: Mount) -> None:
        self.mount = mount
        self._disk = disk
        self._path = path

    def release(self) -> None:
        with self._disk.guard:
            if self._disk.locks.get(self._path) is self:
                del self._disk.locks[self._path]


def os_error(number: int, path: Path) -> OSError:
    """As the operating system raises it."""
    return OSError(number, os.strerror(number), str(path))


def _files(directory: _Directory, above: str) -> Iterator[tuple[str, bytes]]:
    for name, node in sorted(directory.entries.items()):
        if isinstance(node, _File):
            yield above + name, node.content
        else:
            yield from _files(node, f"{above}{name}/")
