"""The command line in this process, on directories of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import warehouse
from warehouse.cli.app import app

Mobula = Callable[..., "Outcome"]


class Outcome:
    """What a call of `mobula` left behind."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    @property
    def error(self) -> str:
        """The one line of an error of ours."""
        assert self.status == 1, self.stdout + self.stderr
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOBULA_ROOT", "MOBULA_ENGINE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mobula() -> Mobula:
    """Call `mobula --engine local …`; `text` goes to standard input."""

    def call(*arguments: str, text: str | None = None, engine: str | None = "local") -> Outcome:
        options = [] if engine is None else ["--engine", engine]
        result = CliRunner().invoke(app, [*options, *arguments], input=text)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Where no database is yet."""
    return str(tmp_path / "db")


@pytest.fixture
def orders(root: str) -> str:
    """A database with the table orders: three rows, one of them with NULLs."""
    with warehouse.connect(root, engine="local") as db:
        db.sql("CREATE TABLE orders (id BIGINT, note TEXT, amount DECIMAL(10,2))")
        db.sql("INSERT INTO orders VALUES (1, 'a,b', 1.50), (2, '', 20.00), (3, NULL, NULL)")
    return root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Parquet file that fits the table orders."""
    path = tmp_path / "more.parquet"
    pl.DataFrame({"id": [4, 5], "note": ["d", "e"]}).write_parquet(path)
    return path


def is_empty(root: str) -> bool:
    """Whether nothing was made at this place."""
    return not Path(root).exists()
