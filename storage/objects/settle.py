"""Turns the ambiguous outcome of create-if-absent into certainty.

1. Create. A clean success is `Created`.
2. Any error: read the object back. Our own bytes: `Created` (they hold a nonce, so they are ours).
   Another's bytes: `Exists`.
3. Absent, or unreadable: an attempt may still be on its way. Repeat from 1 with the same bytes,
   after a pause, until the budget is spent; then the outcome is unknown and the error says so.

A refusal (`InvalidRequest`) of the very first attempt, with nothing there afterwards, is passed on
at once: no attempt is on its way. Cancellation is passed on too, and leaves the outcome unknown.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from storage.clock import Clock
from storage.errors import InvalidRequest, MobulaError, ObjectMissing, Unavailable
from storage.objects.base import ObjectStore
from storage.objects.names import check_name
from storage.objects.retry import backoff_ms

__all__ = ["Created", "Exists", "create_settled"]


@dataclass(frozen=True, slots=True)
class Created:
    """The object is ours and durable. `attempts`: how many it took, or were sent in vain."""

    attempts: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """Somebody else's object has the name; `data` is what they wrote."""

    data: bytes


async def create_settled(
    store: ObjectStore,
    name: str,
    data: bytes,
    *,
    clock: Clock,
    budget_ms: int = 30_000,
    rng: random.Random | None = None,
) -> Created | Exists:
    """Create the object if absent, and know whether that happened.

    Args:
        data: must differ from what any other writer could write there, by a nonce within.
        budget_ms: no new attempt after that; requests under way are waited for.
        rng: the source of jitter; by default the data, in which no two writers agree.
    Raises:
        InvalidRequest: refused, and nothing is there.
        Unavailable: the outcome is unknown: it may yet be created. Only the same bytes may be
            tried again.
    """
    check_name(name)
    rng = rng if rng is not None else random.Random(data)
    started_ms = clock.monotonic_ms()
    attempt = 0
    while True:
        attempt += 1
        try:
            await store.create(name, data)
            return Created(attempt)
        except Exception as error:
            failed = error
        found = await _read_back(store, name)
        if isinstance(found, bytes):
            return Created(attempt) if found == data else Exists(data=found)
        if isinstance(failed, InvalidRequest):
            _give_up_if_refused(failed, found, attempt, f"{store.url}: create {name!r}")
        pause_ms = backoff_ms(attempt, rng)
        if clock.monotonic_ms() - started_ms + pause_ms >= budget_ms:
            raise Unavailable(_unknown(store, name, attempt, failed, found)) from failed
        await clock.sleep_ms(pause_ms)


async def _read_back(store: ObjectStore, name: str) -> bytes | Exception:
    """The object's bytes, or why there are none to compare."""
    try:
        return await store.get(name)
    except Exception as error:
        return error


def _give_up_if_refused(
    failed: InvalidRequest, found: Exception, attempt: int, action: str
) -> None:
    """Time does not mend a refused call. It is certain only if no other attempt came before."""
    if attempt == 1 and isinstance(found, ObjectMissing):
        raise failed
    raise Unavailable(
        f"{action}: refused, and it is unknown whether an attempt reached the store; "
        f"{_why(failed)}; reading back: {_why(found)}"
    ) from failed


def _unknown(
    store: ObjectStore, name: str, attempts: int, failed: Exception, found: Exception
) -> str:
    return (
        f"{store.url}: create {name!r}: the outcome is unknown after {attempts} attempts; it may "
        f"have happened. Last attempt: {_why(failed)}. Reading back: {_why(found)}. "
        "Repeat with the same bytes"
    )


def _why(error: Exception) -> str:
    """Without the next step: that nothing can be read back is no damage here."""
    return error.message if isinstance(error, MobulaError) else str(error)
