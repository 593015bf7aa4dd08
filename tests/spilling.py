"""Queries whose operators all work on the disk, however small they are: for tests of any query."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from actors.program import InputFrame
from storage.spill_space import SpillLimits, SpillSpace
from warehouse.execution.program import Program

__all__ = ["FORCED", "SpillingPrograms"]

# Parts are worked on one by one, and there is room for each.
FORCED = SpillLimits(
    memory_bytes=64 << 20, disk_bytes=1 << 30, partitions=4, together_bytes=0, forced=True
)


class SpillingPrograms:
    """While it is installed, every program spills below `directory`."""

    def __init__(self, directory: Path, **limits: int) -> None:
        self.spaces: list[SpillSpace] = []
        self._directory = directory
        self._limits = replace(FORCED, **limits)
        self._numbers = itertools.count()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        ordinary = Program.build

        def build(
            program: Program, inputs: Mapping[str, InputFrame], space: SpillSpace | None = None
        ) -> pl.LazyFrame:
            while len(self.spaces) > 8:  # queries that are over
                self.spaces.pop(0).close()
            forced = SpillSpace(self._directory / f"{next(self._numbers)}", self._limits)
            self.spaces.append(forced)
            return ordinary(program, inputs, forced)

        patch.setattr(Program, "build", build)

    def close(self) -> None:
        for space in self.spaces:
            space.close()
