"""The phones of clips and streams with their times, in Parquet tables.

A table has a row per phone, 60,000 per hour of speech. As a list of tuples each would take 150
bytes, so columns are kept, of 17 bytes per phone, and lists are made of one clip at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fonoteka.core.lazy_mapping import LazyMapping

if TYPE_CHECKING:  # 0.8 CPU seconds, for which programs that need `Row` alone do not wait
    import pandas as pd

Row = tuple[str, float, float]
"""A phone with its start and end, in seconds of the clip or stream."""
ROWS_AT_ONCE = 65_536
"""Rows that `RowWriter` keeps in memory, and the rows of a row group of its files."""


class StoredPhones(LazyMapping[int, list[Row]]):
    """The phones of each clip or stream by its name, in the order of the table."""

    def __init__(self, table: pd.DataFrame, name: str, phone: str) -> None:
        """Take a table.

        Args:
            table: with the columns `start_s` and `end_s`.
            name: the column of the names of clips or streams.
            phone: the column of the phones.
        """
        numbers, names = table[name].factorize()
        super().__init__({str(key): number for number, key in enumerate(names)})
        order = np.argsort(numbers, kind="stable")
        self.ends = np.cumsum(np.bincount(numbers, minlength=len(names)))
        phones = table[phone].astype("category").cat
        # Numbers of phones take 1 byte each, references to their texts 8.
        self.phones = phones.categories.to_numpy(object)
        self.numbers = phones.codes.to_numpy()[order]
        self.start_s, self.end_s = (
            table[column].to_numpy(np.float64)[order] for column in ("start_s", "end_s")
        )

    def read(self, place: int) -> list[Row]:
        """Return the phones of the clip with a number."""
        part = slice(self.ends[place - 1] if place else 0, self.ends[place])
        columns = (self.phones[self.numbers[part]], self.start_s[part], self.end_s[part])
        return list(zip(*(column.tolist() for column in columns), strict=True))


def read_phone_rows(
    segments: Path, part: str | None = None, kinds: Sequence[str] = ("phone",)
) -> StoredPhones:
    """Return the phones of each clip in data/corpus/segments.parquet.

    Args:
        segments: the table.
        part: train, valid or test; without it, all of them.
        kinds: of segments; a silence is a row whose phone is the empty string.
    """
    columns = ["utterance", "symbol", "start_s", "end_s"]
    of_part = [] if part is None else [("part", "==", part)]
    table = read_table(segments, columns, [[("kind", "==", kind), *of_part] for kind in kinds])
    return StoredPhones(table, "utterance", "symbol")


def read_table(
    path: Path, columns: Sequence[str], filters: Sequence[Sequence[tuple[str, str, Any]]]
) -> pd.DataFrame:
    """Return the rows of a Parquet table that pass all filters of a list; texts are categories.

    As strings, the name and the phone of a row would take five times the memory of its times.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    texts = [field.name for field in pq.read_schema(path) if str(field.type) == "string"]
    return pd.read_parquet(
        path, columns=list(columns), filters=[list(own) for own in filters], read_dictionary=texts
    )


class RowWriter:
    """A Parquet table that is written while its rows are made, `ROWS_AT_ONCE` at a time."""

    def __init__(self, path: Path, columns: Mapping[str, type]) -> None:
        """Begin an empty table; `columns` names the type of each column: str, float or bool."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
        self.schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
        self.writer = pq.ParquetWriter(path, self.schema)
        self.waiting: list[Sequence[Any]] = []

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self.writer.close()

    def extend(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows whose values are in the order of the columns."""
        self.waiting.extend(rows)
        if len(self.waiting) >= ROWS_AT_ONCE:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        if not self.waiting:
            return
        columns = zip(self.schema, zip(*self.waiting, strict=True), strict=True)
        arrays = [pa.array(values, field.type) for field, values in columns]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
        self.waiting = []
