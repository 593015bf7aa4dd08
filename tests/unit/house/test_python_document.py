"""The examples of docs/python.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.house.source_tree import text

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(text("docs/python.md"))


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_runs(
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[number], "docs/python.md", "exec"), {})
    printed = capsys.readouterr().out
    expected = [
        "[15, 8]\n1 13",
        "100000 100000",
        "2 4 30.0\n[(3, 'bi')] 32\nFalse",
        "42P01 table itms does not exist",
    ]
    assert expected[number] in printed
