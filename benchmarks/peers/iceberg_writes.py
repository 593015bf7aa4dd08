"""PyIceberg as a writer: `upsert` by identifier field, with a catalogue in SQLite.

It finds the rows of the keys, rewrites the files that have them, and appends what is new.
"""

from pathlib import Path

import pyarrow.compute
import pyarrow.parquet
import pyiceberg
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, LongType, NestedField, StringType
from serve_writes import serve

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "a", LongType()),
    NestedField(3, "b", DoubleType()),
    NestedField(4, "c", StringType()),
    identifier_field_ids=[1],
)


class Iceberg:
    version = f"PyIceberg {pyiceberg.__version__}"

    def load(self, directory, files):
        catalogue = self._catalogue(directory)
        catalogue.create_namespace("bench")
        self.table = catalogue.create_table("bench.t", SCHEMA)
        for path in files:
            self.table.append(pyarrow.parquet.read_table(path))

    def open(self, directory):
        self.table = self._catalogue(directory).load_table("bench.t")

    def upsert(self, rows):
        self.table.upsert(rows)

    def check(self):
        rows = sum_a = 0
        for batch in self.table.scan(selected_fields=("a",)).to_arrow_batch_reader():
            rows += batch.num_rows
            sum_a += pyarrow.compute.sum(batch["a"]).as_py() or 0
        return rows, sum_a

    def close(self):
        del self.table

    def _catalogue(self, directory):
        Path(directory).mkdir(parents=True, exist_ok=True)
        return SqlCatalog(
            "bench",
            uri=f"sqlite:///{directory}/catalogue.db",
            warehouse=f"file://{directory}/files",
        )


if __name__ == "__main__":
    serve(Iceberg())
