"""Mobula under sustained upserts: engine "local", its own maintenance, and a virtual warehouse.

The argument is the number of hash partitions of the table; 0: none. Client, primary, maintenance
and the virtual warehouse's worker are threads of this process.
"""

import importlib.metadata
import sys

from serve_sustained import serve

import warehouse
from storage.table_health import table_health

COLUMNS = "id BIGINT PRIMARY KEY, a BIGINT, b DOUBLE PRECISION, c TEXT"
TOTALS = ("foreground_bytes", "background_bytes")
QUERY = "SELECT count(*), sum(a), max(b) FROM t"
CHECK = """SELECT count(*), sum((id * 2654435761 + a * 40503 + CAST(substr(c, 6) AS BIGINT) * 31)
           % 2147483647) FROM t"""


class Mobula:
    version = f"Mobula {importlib.metadata.version('mobula')}"

    def __init__(self, partitions):
        self.partitions = partitions

    def load(self, directory, files):
        self.open(directory)
        by = f" PARTITION BY HASH (id) PARTITIONS {self.partitions}" if self.partitions else ""
        self.database.sql(f"CREATE TABLE t ({COLUMNS}){by}")
        self.database.load("t", files)
        self.database.create_virtual_warehouse("bi", size=1)

    def open(self, directory):
        self.database = warehouse.connect(directory, engine="local")

    def upsert(self, rows):
        self.database.table("t").upsert(rows)

    def between(self, batches):
        pass

    def query(self):
        self.database.virtual_warehouse("bi").sql(QUERY).rows()

    def written(self):
        status = self.database.status()
        kinds = {f"written_{kind}": size for kind, size in status.get("written", {}).items()}
        return {name: status.get(name, 0) for name in TOTALS} | kinds

    def state(self):
        health = table_health(self.database.snapshot().find_table("t"))
        return {
            "delta_rows": health.delta_rows,
            "level_0": health.level_0,
            "files": health.level_0 + health.level_1,
            "read_amplification": health.read_amplification,
            "space_amplification": health.space_amplification,
        }

    def check(self):
        rows, checksum = self.database.sql(CHECK).rows()[0]
        return rows, int(checksum)

    def close(self):
        self.database.shutdown()


if __name__ == "__main__":
    serve(Mobula(int(sys.argv[1])))
