"""What other processes hear of a fleet that does not answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
import ray.exceptions

from actors.shells.fleet_calls import observed_by_fleet
from storage.errors import Unavailable


def fleet(answer: Any) -> Any:
    """An actor whose `observe` gives or raises this."""

    def remote(kind: str) -> Any:
        found: Future[Any] = Future()
        if isinstance(answer, BaseException):
            found.set_exception(answer)
        else:
            found.set_result(answer(kind))
        return SimpleNamespace(future=lambda: found)

    return SimpleNamespace(observe=SimpleNamespace(remote=remote))


def observed(actor: Any) -> Any:
    return asyncio.run(observed_by_fleet(actor, "warehouses"))


def test_what_the_fleet_shows_is_shown() -> None:
    assert observed(fleet(lambda kind: [kind])) == ["warehouses"]
    assert observed(None) == ()


def test_a_silent_fleet_does_not_mean_that_nothing_runs() -> None:
    with pytest.raises(Unavailable, match="the fleet does not answer"):
        observed(fleet(ray.exceptions.RayActorError()))
