"""Every call of the store in every step of the protocol, made to fail once.

1. A reference run (a whole small world in which no call fails by chance, with takeovers, flushes,
   checkpoints, rotten objects and an outage) records which calls of the store there are: the site
   in the code, the method, the kind of object.
2. For each of them and each way to fail, the same world is played again with that one fault, at the
   first call of its kind, or at a later one. All promises must hold, and all must be well after it.

`sites_in_source` finds the sites by reading the code, so that none is forgotten: a new one that no
reference run reaches makes a test fail.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.faults import READS, Call, Fault
from tests.simulation.play import Report, run
from tests.simulation.world import Case, World

__all__ = ["MORE", "REFERENCES", "WAYS", "Point", "play_with", "points", "sites_in_source"]

ROOT = Path(__file__).parents[2]
CALM = Case(
    seed=1,
    candidates=2,
    readers=1,
    clients=3,
    steps=14,
    trouble=0.0,
    loss=0.0,
    events=6,
    impatience=0.0,
    think_ms=200,
)
SHORT = dataclasses.replace(CALM, clients=2, steps=7, events=3)
ROTTEN = dataclasses.replace(CALM, events=16, kinds=("rot", "rot", "crash"))
APART = dataclasses.replace(SHORT, events=8, kinds=("outage", "cut off"))
REFERENCES = (  # those that take least first; together they come by every call that there is
    SHORT,
    dataclasses.replace(SHORT, directory=True),
    dataclasses.replace(APART, seed=29),
    dataclasses.replace(APART, seed=18),
    dataclasses.replace(APART, seed=25),
    dataclasses.replace(ROTTEN, seed=92),
)
MORE = tuple(
    dataclasses.replace(kind, seed=seed) for seed in range(14, 40) for kind in (ROTTEN, APART)
)
WAYS = {
    "crash before": Fault.CRASH_BEFORE,
    "crash after": Fault.CRASH_AFTER,
    "reply lost": Fault.REPLY_LOST,
}
_METHODS = frozenset({"create", "put", "put_file", "delete", "get", "get_range", "fetch", "list"})


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """Where a call of a store is, and what it is about: `kind` is the name without its numbers."""

    site: str
    method: str
    kind: str

    @classmethod
    def of(cls, call: Call) -> Point:
        head, _, tail = call.name.partition("/")
        if head in {"data", "index"}:
            tail = "…" + tail.rpartition(".")[2]
        kind = re.sub(r"part-\d+", "part", re.sub(r"[0-9]{8,}[^/]*", "…", tail))
        return cls(call.site, call.method, f"{head}/{kind}".removesuffix("/"))


def points(case: Case) -> Counter[Point]:
    """The calls of a reference run, and how often each comes. Raises what is wrong with it."""
    found: Counter[Point] = Counter()
    world = World(case)

    def note(call: Call) -> None:
        if not world.healed:  # afterwards nothing can fail
            found[Point.of(call)] += 1

    world.called = note
    report = run(world)
    if report.violation is not None:
        raise report.violation
    return found


def play_with(case: Case, point: Point, fault: Fault, *, skip: int = 0) -> Report:
    """The world of a case with one fault, at a call of that point. Args: skip: how many go well."""
    left = skip + 1

    def faults(call: Call) -> Fault | None:
        nonlocal left
        if left and Point.of(call) == point:
            left -= 1
            if not left:
                return fault if call.method not in READS or fault.crashes else Fault.BEFORE
        return None

    return run(World(case, faults=faults))


# --- the code -------------------------------------------------------------------------------------


def sites_in_source(directories: Sequence[str]) -> set[str]:
    """Every call of a store in these directories, as `path:function method`: `store.get(…)`,
    `self._store.put(…)`, `create_settled(…)` and their like."""
    found: set[str] = set()
    for directory in directories:
        for path in sorted((ROOT / directory).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("storage/objects/"):
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found |= {f"{name}:{call}" for call in _calls(tree, "")}
    return found


def _calls(node: ast.AST, inside: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        name = inside
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{inside}.{child.name}" if inside else child.name
        if isinstance(child, ast.Call) and (method := _method(child.func)) is not None:
            yield f"{inside} {method}"
        yield from _calls(child, name)


def _method(function: ast.expr) -> str | None:
    """Which method of a store is called; None: it is no call of one."""
    if isinstance(function, ast.Name) and function.id == "create_settled":
        return "create"
    if not isinstance(function, ast.Attribute) or function.attr not in _METHODS:
        return None
    owner = function.value
    last = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return function.attr if last in {"store", "_store"} else None
