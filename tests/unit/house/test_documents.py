"""The documents say what the code has: every record, column, module and target; no broken link."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import PurePosixPath

import msgspec
import pytest

from actors.observed import OBSERVED
from storage.container import Section
from storage.log.epoch import Alive, Owner
from storage.log.record import GroupHeader, OperationRecord, TransactionRecord
from storage.partitions.scheme import Bound, Partition, Partitioning
from storage.snapshot import changes, checkpoint, graveyard, model
from storage.snapshot.files import FileSet
from tests.unit.house.source_tree import PACKAGES, ROOT, sources, text

RECORDS = [*typing.get_args(changes.CatalogueChange), *typing.get_args(changes.TableChange)]
LOG_VALUES = [
    GroupHeader,
    OperationRecord,
    TransactionRecord,
    Section,
    changes.Bitmap,
    changes.ClusterBy,
    changes.IndexRun,
    changes.TableDefinition,
    changes.VirtualWarehouse,
    Bound,
    Partition,
    Partitioning,
]
CHECKPOINT_VALUES = [
    checkpoint.Catalogue,
    graveyard.Buried,
    graveyard.Grave,
    checkpoint.PartHeader,
    checkpoint.PartReference,
    checkpoint.RootHeader,
    checkpoint.TableEntry,
    model.Delta,
    model.Receipt,
    model.Sequence,
    model.UserType,
]
DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")


def _names(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _missing(document: str, names: list[str]) -> list[str]:
    known = set(re.findall(r"[\w.]+", text(document)))
    return [name for name in names if name not in known]


@pytest.mark.parametrize("record", RECORDS)
def test_the_log_format_has_every_record_with_its_fields(record: type[msgspec.Struct]) -> None:
    tag = record.__struct_config__.tag
    rows = [r for r in text("docs/formats/log.md").splitlines() if r.startswith(f"| `{tag}` |")]
    assert len(rows) == 1, f"{tag} has {len(rows)} rows in docs/formats/log.md"
    assert not [name for name in _names(record) if f"`{name}`" not in rows[0]]


@pytest.mark.parametrize("kind", LOG_VALUES)
def test_the_log_format_has_every_field(kind: type[msgspec.Struct]) -> None:
    assert not _missing("docs/formats/log.md", _names(kind))


def test_the_checkpoint_format_has_every_column_of_a_file_set() -> None:
    assert not _missing("docs/formats/checkpoint.md", FileSet.empty().table.schema.names)


@pytest.mark.parametrize("kind", CHECKPOINT_VALUES)
def test_the_checkpoint_format_has_every_field(kind: type[msgspec.Struct]) -> None:
    assert not _missing("docs/formats/checkpoint.md", _names(kind))


@pytest.mark.parametrize("kind", [Owner, Alive])
def test_the_epoch_format_has_every_field(kind: type[msgspec.Struct]) -> None:
    assert not _missing("docs/formats/epoch.md", _names(kind))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    here = PurePosixPath(document).parent
    broken = [link for link in LINK.findall(text(document)) if not (ROOT / here / link).exists()]
    assert not broken


def test_the_map_shows_every_module() -> None:
    path = rf"`((?:{'|'.join(PACKAGES)})/[\w/]+\.py)`"
    shown = set(re.findall(path, text("docs/ARCHITECTURE.md")))
    modules = {path for path in sources(*PACKAGES) if not path.endswith("/__init__.py")}
    assert not sorted(modules - shown), "write a line for each in docs/ARCHITECTURE.md"
    gone = sorted(name for name in shown if not (ROOT / name).exists())
    assert not gone, "take them off the map in docs/ARCHITECTURE.md"


def test_every_target_of_make_is_listed_with_a_sentence() -> None:
    makefile = text("Makefile")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        assert re.search(rf"^{target}:.*## [A-Z].*\.$", makefile, re.MULTILINE), target


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in text("README.md")
    assert "run make test" in text(".ci/run")


@pytest.mark.parametrize("name", OBSERVED)
def test_the_sql_document_has_every_column_of_what_is_observed(name: str) -> None:
    section = text("docs/sql.md").split(f"`mobula.{name}()`: ")[1].split("`mobula.")[0]
    columns = [field.name for field in dataclasses.fields(OBSERVED[name])]
    assert not [column for column in columns if f"`{column}`" not in section]
