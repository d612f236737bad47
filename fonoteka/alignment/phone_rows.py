"""The phones of clips and streams with their times, in Parquet tables.

A table has a row per phone, 60,000 per hour of speech. As a list of tuples each would take 150
bytes, so columns are kept, of 24 bytes per phone, and lists are made of one clip at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # 0.8 CPU seconds, for which programs that need `Row` alone do not wait
    import pandas as pd

Row = tuple[str, float, float]
"""A phone with its start and end, in seconds of the clip or stream."""


class StoredPhones(Mapping[str, list[Row]]):
    """The phones of each clip or stream by its name, in the order of the table."""

    def __init__(self, table: pd.DataFrame, name: str, phone: str) -> None:
        """Take a table.

        Args:
            table: with the columns `start_s` and `end_s`.
            name: the column of the names of clips or streams.
            phone: the column of the phones.
        """
        numbers, names = table[name].factorize()
        order = np.argsort(numbers, kind="stable")
        self.numbers = {str(key): number for number, key in enumerate(names)}
        self.ends = np.cumsum(np.bincount(numbers, minlength=len(names)))
        self.phones = table[phone].to_numpy(object)[order]
        self.start_s, self.end_s = (
            table[column].to_numpy(np.float64)[order] for column in ("start_s", "end_s")
        )

    def __getitem__(self, key: str) -> list[Row]:
        number = self.numbers[key]
        part = slice(self.ends[number - 1] if number else 0, self.ends[number])
        columns = (self.phones[part], self.start_s[part], self.end_s[part])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def __contains__(self, key: object) -> bool:
        return key in self.numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def read_phone_rows(segments: Path) -> StoredPhones:
    """Return the phones of each clip in data/corpus/segments.parquet."""
    import pandas as pd

    columns = ["utterance", "symbol", "start_s", "end_s"]
    table = pd.read_parquet(segments, columns=columns, filters=[("kind", "==", "phone")])
    return StoredPhones(table, "utterance", "symbol")


class RowTable:
    """A table that grows by rows and keeps columns: a number takes 8 bytes, a text a reference."""

    def __init__(self, columns: Mapping[str, type]) -> None:
        """Begin an empty table; `columns` names the type of each column."""
        self.columns: dict[str, Any] = {
            name: array("d") if kind is float else [] for name, kind in columns.items()
        }

    def extend(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows whose values are in the order of the columns."""
        columns = [*self.columns.values()]
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                column.append(value)

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        import pandas as pd

        return pd.DataFrame(
            {
                name: np.array(column) if isinstance(column, array) else column
                for name, column in self.columns.items()
            }
        )
