"""Calls of actors: their values or errors as themselves, Ray's own errors translated.

A call whose actor died, or cannot be reached, is `ActorGone`: whoever knows that it may be repeated
does so (`patiently`), while Ray restarts the actor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import ray
import ray.exceptions
import tenacity

from storage.errors import InternalError, MobulaError, OutOfMemory, Unavailable

__all__ = ["ActorGone", "end", "got", "patiently"]

CLOSE_S = 60.0


class ActorGone(Exception):
    """The actor died, or cannot be reached, with our call on its way."""


def got(reference: Any, timeout_s: float | None, what: str) -> Any:
    """The value behind a reference, or the error that the actor raised, as itself."""
    try:
        return ray.get(reference, timeout=timeout_s)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, MobulaError):
            raise cause from None
        raise InternalError(f"{what} failed: {error}") from error
    except ray.exceptions.OutOfMemoryError as error:
        raise OutOfMemory(f"{what} took more memory than its node has: {error}") from error
    except ray.exceptions.RayActorError as error:
        raise ActorGone(str(error)) from error
    except ray.exceptions.GetTimeoutError as error:
        raise Unavailable(
            f"{what} did not answer within {timeout_s:g} s; does the cluster have free CPUs? "
            f"It has {_available()}; `ray status` shows what waits"
        ) from error
    except ray.exceptions.RayError as error:
        raise Unavailable(f"{what}: {error}; retry") from error


def patiently(call: Callable[[], Any], limit_s: float, what: str) -> Any:
    """Repeat a call that may be repeated while Ray restarts its actor."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ActorGone),
        wait=tenacity.wait_exponential(multiplier=0.05, max=1.0),
        stop=tenacity.stop_after_delay(limit_s),
        reraise=True,
    )
    try:
        return retrying(call)
    except ActorGone as error:
        raise Unavailable(f"{what} stays unreachable after {limit_s:g} s: {error}") from error


def end(actor: Any) -> None:
    """Let an actor close what it holds, then end its process for good."""
    with contextlib.suppress(MobulaError, ActorGone):
        got(actor.close.remote(), CLOSE_S, "closing")
    ray.kill(actor)


def _available() -> str:
    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return f"{free.get('CPU', 0):g} of {total.get('CPU', 0):g} CPUs free"
