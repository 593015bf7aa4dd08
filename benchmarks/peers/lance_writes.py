"""Lance as a writer: `merge_insert` on the key, which has a BTREE index with the argument `index`.

Each batch is a new version of the dataset: a fragment of the batch's rows, and a deletion file in
each fragment that had one of them.
"""

import sys

import lance
import pyarrow.dataset
from serve_writes import serve


class Lance:
    version = f"Lance {lance.__version__}"

    def __init__(self, index):
        self.index = index

    def load(self, directory, files):
        reader = pyarrow.dataset.dataset(files).scanner().to_reader()
        self.dataset = lance.write_dataset(reader, directory)
        if self.index:
            self.dataset.create_scalar_index("id", "BTREE")

    def open(self, directory):
        self.dataset = lance.dataset(directory)

    def upsert(self, rows):
        merge = self.dataset.merge_insert("id")
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def check(self):
        sums = [
            pyarrow.compute.sum(batch["a"]).as_py() or 0
            for batch in self.dataset.scanner(columns=["a"]).to_batches()
        ]
        return self.dataset.count_rows(), sum(sums)

    def close(self):
        del self.dataset


if __name__ == "__main__":
    serve(Lance(sys.argv[1:] == ["index"]))
