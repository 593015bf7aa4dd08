"""Settings from a file: the same as from Python, and nothing of it is passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.settings import NodeType, RaySettings, Settings
from storage.errors import InvalidRequest
from warehouse.settings_file import read_settings


def written(directory: Path, text: str) -> Path:
    path = directory / "mobula.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_a_file_says_is_what_python_says(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        cache_directory = "/mnt/nvme"
        poll_ms = 250
        [sequencer]
        queue_transactions_max = 7
        [ray]
        coordinator_floor = 1
        primary_resources = { primary = 0.01 }
        [ray.node_types.spot]
        resources = { vw_spot = 1 }
        floor = 2
        """,
    )
    found = read_settings(path)
    assert found == Settings(
        cache_directory="/mnt/nvme",
        poll_ms=250,
        sequencer=type(found.sequencer)(queue_transactions_max=7),
        ray=RaySettings(
            coordinator_floor=1,
            primary_resources={"primary": 0.01},
            node_types={"spot": NodeType(resources={"vw_spot": 1.0}, floor=2)},
        ),
    )


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, "")) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pol_ms = 1", r"pol_ms is no setting.*poll_ms"),
        ("[ray]\nprimary_cpu = 1.0", r"ray\.primary_cpu is no setting.*primary_cpus"),
        ("[ray.node_types.spot]\nflor = 1", r"ray\.node_types\.spot\.flor is no setting.*floor"),
        ('poll_ms = "soon"', r"Expected `int`, got `str`.*poll_ms"),
        ("ray = 1", r"Expected `object`, got `int`.*ray"),
        ("poll_ms =", "do not read as TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidRequest, match=said) as error:
        read_settings(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="nowhere"):
        read_settings(tmp_path / "nowhere")


def test_the_file_for_clusters_says_what_the_documents_say() -> None:
    text = Path("docs/deploy.md").read_text(encoding="utf-8")
    program = text.split("```python")[1].split("```")[0].split("db = connect")[0]
    said: dict[str, Any] = {}
    exec(program, said)
    assert read_settings(Path("docs/deploy/mobula.toml")) == Settings(ray=said["ray"])
