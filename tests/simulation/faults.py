"""What goes wrong with calls of a store: drawn by seed, or named.

Each call of each process has an identity, `name of the process/number of the call`. Whether it
fails, and how, depends on the seed and that identity alone, so that a fault can be left out
without moving the others: a failing case is made small that way (`shrink.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

__all__ = ["READS", "Call", "Fault", "Faults", "drawn"]

READS = frozenset({"get", "get_range", "fetch", "list"})


class Fault(Enum):
    """What goes wrong with one call."""

    BEFORE = "an error before the server has it"
    REPLY_LOST = "done, and the reply is lost"
    TWICE = "done twice, once more a little later"
    CRASH_BEFORE = "the caller dies before the server has it"
    CRASH_AFTER = "done, and the caller dies"
    CONFLICT = "409, another conditional request is in flight"
    EXISTS = "412 for the caller's own write, which was sent twice"
    SLOW_DOWN = "503"
    TIMEOUT = "the caller gives up; the server does it later"
    SLOW = "longer than a lease"
    BIT_FLIP = "a bit of what is read is wrong"
    TRUNCATED = "what is read ends early"

    @property
    def crashes(self) -> bool:
        return self in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)


_EVERY = (Fault.BEFORE, Fault.SLOW_DOWN, Fault.TIMEOUT, Fault.SLOW)
_CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
_OF_WRITES = (*_EVERY, *_CRASHES, Fault.REPLY_LOST, Fault.TWICE)
_OF_METHOD = {
    "create": (*_OF_WRITES, Fault.CONFLICT, Fault.EXISTS),
    "list": (*_EVERY, *_CRASHES),
    **dict.fromkeys(("put", "put_file", "delete"), _OF_WRITES),
    **dict.fromkeys(
        ("get", "get_range", "fetch"), (*_EVERY, *_CRASHES, Fault.BIT_FLIP, Fault.TRUNCATED)
    ),
}


def possible(method: str) -> tuple[Fault, ...]:
    """What can go wrong with a method."""
    return _OF_METHOD[method]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a process. `site`: the module and function that asked (`store.py`)."""

    process: str
    number: int
    method: str
    name: str
    site: str

    @property
    def id(self) -> str:
        return f"{self.process}/{self.number}"


Faults = Callable[[Call], Fault | None]
"""What goes wrong with a call."""


def drawn(
    seed: int,
    probability: float,
    kinds: Collection[Fault],
    *,
    only: Collection[str] | None = None,
) -> Faults:
    """Any call fails with that probability, in a way of `kinds` that its method can.

    Crashes are a quarter as likely as the rest, and bit flips: what they hit begins anew.
    Args: only: the identities of the calls that may fail; None: all.
    """

    def fault(call: Call) -> Fault | None:
        if only is not None and call.id not in only:
            return None
        rng = random.Random(f"{seed} {call.id}")
        if rng.random() >= probability:
            return None
        found = rng.choice([kind for kind in possible(call.method) if kind in kinds] or [None])
        if found is not None and found in _RARE and rng.random() < _RARELY:
            return None
        return found

    return fault


_RARE = frozenset({*_CRASHES, Fault.BIT_FLIP, Fault.TRUNCATED, Fault.SLOW})
_RARELY = 0.75
