"""The README's quickstart runs as it stands, but for the engine and the place."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.unit.house.source_tree import text

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [quickstart] = BLOCK.findall(text("README.md"))
    local, count = re.subn(r'connect\("\./shop"\)', 'connect("./shop", engine="local")', quickstart)
    assert count == 1
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(local, "README.md", "exec"), {})
    assert "20.25" in printed.getvalue()
    assert printed.getvalue().split()[-2:] == ["3", "2"]


def test_the_quickstart_stays_short() -> None:
    [quickstart] = BLOCK.findall(text("README.md"))
    assert len(quickstart.splitlines()) <= 25
