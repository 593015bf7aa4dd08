"""How many processes of a shape to start or to end, so that the pool has its floors.

Who waits comes first. To start a process takes a CPU for a second or two, often on the machine
where those that were just lent begin to work: with the pool refilled at once, a first query from it
took five times as long on two CPUs. So it is filled once nothing has been lent for a while.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.fleet.shapes import Shape
from storage.clock import Clock

__all__ = ["Floors"]

REFILL_MS = 2_000.0


class Floors:
    """See the module."""

    def __init__(self, floors: Mapping[Shape, int], clock: Clock) -> None:
        """Args: floors: spare processes of a shape that are kept; of other shapes none."""
        self._floors = floors
        self._clock = clock
        self._lent_ms = -REFILL_MS

    @property
    def shapes(self) -> set[Shape]:
        """Those that have a floor."""
        return set(self._floors)

    def lent(self) -> None:
        """A spare process begins to work now."""
        self._lent_ms = self._clock.monotonic_ms()

    def missing(self, shape: Shape, lacking: int, have: int) -> int:
        """How many to start; below 0: how many to end.

        Args:
            lacking: that are waited for.
            have: that are spare or start already.
        """
        floor = self._floors.get(shape, 0)
        if have > lacking + floor:
            return lacking + floor - have
        fills = self._clock.monotonic_ms() - self._lent_ms >= REFILL_MS
        return max(lacking + floor * fills - have, 0)
