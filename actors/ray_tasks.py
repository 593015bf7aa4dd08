"""What Ray tasks answer, as values and as errors of our tree."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import ray.exceptions

from storage.errors import InternalError, MobulaError, OutOfMemory, Unavailable

__all__ = ["task_value"]


async def task_value(reference: Any, what: str) -> Any:
    """What a task says; an error that it says is raised. Errors of Ray as ours.

    Args: what: the task, for messages: "an ingest task".
    """
    with _task_errors(what):
        found = await asyncio.wrap_future(reference.future())
    if isinstance(found, MobulaError):
        raise found
    return found


@contextlib.contextmanager
def _task_errors(what: str) -> Iterator[None]:
    try:
        yield
    except ray.exceptions.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{what} took more memory than its node has; nothing was committed: {error}"
        ) from error
    except ray.exceptions.RayTaskError as error:
        raise InternalError(f"{what} failed: {error}") from error
    except ray.exceptions.RayError as error:
        raise Unavailable(f"{what} was lost: {error}; nothing was committed") from error
