"""Clients of a benchmark: each in its order, only its calls timed, and what becomes of errors."""

from __future__ import annotations

import threading

import pytest

from benchmarks.clients import Call, Clients


def test_each_client_makes_its_steps_in_order() -> None:
    done: list[tuple[int, int]] = []
    enough = threading.Event()

    def step(client: int, number: int) -> Call:
        def call() -> None:
            done.append((client, number))
            if number == 5:
                enough.set()

        return f"client {client}", call

    with Clients(2, step) as clients:
        assert enough.wait(10)
    for client in (0, 1):
        own = [number for who, number in done if who == client]
        assert own == list(range(len(own)))
    assert len(clients.times) == len(done)
    assert {one.label for one in clients.times} <= {"client 0", "client 1"}
    assert all(one.begun <= one.ended for one in clients.times)


def test_a_call_that_fails_ends_the_block_with_its_error() -> None:
    def call() -> None:
        raise ValueError("no such table")

    made: list[int] = []

    def step(client: int, number: int) -> Call:
        made.append(number)
        return "call", call

    def ask() -> None:
        with clients:
            while not clients.failed:
                threading.Event().wait(0.01)

    clients = Clients(1, step)
    with pytest.raises(ValueError, match="no such table"):
        ask()
    assert clients.times == []
    assert made == [0]  # it does not go on


def test_calls_at_a_rate_are_not_made_before_they_are_due() -> None:
    done: list[int] = []
    third = threading.Event()

    def step(client: int, number: int) -> Call:
        def call() -> None:
            done.append(number)
            if number == 2:
                third.set()

        return "call", call

    with Clients(1, step, rate=100.0) as clients:
        assert third.wait(10)
    assert clients.times[2].begun - clients.times[0].begun >= 0.015
