"""Somebody who asks while the writer is killed, and remembers what was answered."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

import warehouse
from storage.errors import InvalidRequest, Unavailable, UnknownObject
from tests.durability.audit import Audit, digested
from tests.durability.batches import Digest
from tests.durability.life import CLIENTS
from tests.durability.places import Place

__all__ = ["Reader", "Sighting"]

READ_EVERY_S = 0.1
REOPEN_EVERY = 20  # questions of one connection


@dataclass(slots=True, kw_only=True)
class Sighting:
    """What a reader saw, and the greatest LSN that had been acknowledged before it asked."""

    lsn: int
    digest: Digest
    acknowledged: int


class Reader:
    """Asks for the digest of everything, on connections that it opens anew now and then."""

    def __init__(self, place: Place, audit: Audit) -> None:
        self.sightings: list[Sighting] = []
        self.errors: Counter[str] = Counter()
        self._place = place
        self._audit = audit
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Ask from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking; returns when it has."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._ask()
            except Unavailable:
                self.errors["Unavailable"] += 1
            except UnknownObject:
                self._only_before("UnknownObject")
            except InvalidRequest as error:
                self._only_before(f"{error}")
            except Exception as error:
                self._audit.wrong.append(f"reader: {type(error).__name__}: {error}")
            self._over.wait(READ_EVERY_S)

    def _only_before(self, error: str) -> None:
        """Before there is a database and its tables nothing is found; later that is wrong."""
        if self.sightings:
            self._audit.wrong.append(f"reader: {error}")
        self.errors["before the tables are made"] += 1

    def _ask(self) -> None:
        with warehouse.connect(
            self._place.root, engine="local", create=False, store=self._place.disturbed
        ) as db:
            for _ in range(REOPEN_EVERY):
                before = max([0, *list(self._audit.acknowledged.values())[-CLIENTS:]])
                lsn, digest = digested(db)
                self.sightings.append(Sighting(lsn=lsn, digest=digest, acknowledged=before))
                if self._over.wait(READ_EVERY_S):
                    return
