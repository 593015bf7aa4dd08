"""delta-rs as a writer: MERGE on the key. It rewrites every file that has one of the keys."""

import deltalake
import pyarrow.compute
import pyarrow.dataset
from serve_writes import serve


class Delta:
    version = f"delta-rs {deltalake.__version__}"

    def load(self, directory, files):
        reader = pyarrow.dataset.dataset(files).scanner().to_reader()
        deltalake.write_deltalake(directory, reader)
        self.open(directory)

    def open(self, directory):
        self.table = deltalake.DeltaTable(directory)

    def upsert(self, rows):
        merge = self.table.merge(
            rows, "target.id = source.id", source_alias="source", target_alias="target"
        )
        merge.when_matched_update_all().when_not_matched_insert_all().execute()

    def check(self):
        scanner = self.table.to_pyarrow_dataset().scanner(columns=["a"])
        rows = sum_a = 0
        for batch in scanner.to_batches():
            rows += batch.num_rows
            sum_a += pyarrow.compute.sum(batch["a"]).as_py() or 0
        return rows, sum_a

    def close(self):
        del self.table


if __name__ == "__main__":
    serve(Delta())
