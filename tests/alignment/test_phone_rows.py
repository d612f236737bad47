"""The phones of each clip come back as the table has them, without a list of all."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from fonoteka.alignment import phone_rows
from fonoteka.alignment.phone_rows import RowWriter, StoredPhones, read_phone_rows

ROWS = [
    ("b", "phone", "d", 0.0, 0.1),
    ("a", "silence", "", 0.0, 0.2),
    ("b", "phone", "a", 0.1, 0.25),
    ("a", "phone", "i", 0.2, 0.3),
    ("b", "word", "da", 0.0, 0.25),
    ("c", "word", "ne", 0.0, 0.25),
]
COLUMNS = {"utterance": str, "kind": str, "symbol": str, "start_s": float, "end_s": float}


def test_phones_of_a_clip_are_in_the_order_of_the_table(tmp_path):
    pd.DataFrame(ROWS, columns=[*COLUMNS]).to_parquet(tmp_path / "segments.parquet")
    phones = read_phone_rows(tmp_path / "segments.parquet")
    assert dict(phones) == {"b": [("d", 0.0, 0.1), ("a", 0.1, 0.25)], "a": [("i", 0.2, 0.3)]}
    assert ("a" in phones, "c" in phones, len(phones)) == (True, False, 2)
    assert phones.get("c", ()) == ()
    assert all(type(value) is float for _, *times in phones["b"] for value in times)


def test_a_table_without_phones_has_no_clip(tmp_path):
    table = pd.DataFrame(ROWS[:0], columns=[*COLUMNS]).astype({"start_s": float, "end_s": float})
    assert dict(StoredPhones(table, "utterance", "symbol")) == {}


def test_silences_and_one_part_alone_can_be_asked_for(tmp_path):
    table = pd.DataFrame(ROWS, columns=[*COLUMNS])
    table["part"] = ["train", "train", "train", "test", "train", "train"]
    table.to_parquet(tmp_path / "segments.parquet")
    rows = read_phone_rows(tmp_path / "segments.parquet", "train", ("phone", "silence"))
    assert dict(rows) == {"b": [("d", 0.0, 0.1), ("a", 0.1, 0.25)], "a": [("", 0.0, 0.2)]}


def test_a_table_written_by_rows_is_that_of_a_list_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(phone_rows, "ROWS_AT_ONCE", 3)
    with RowWriter(tmp_path / "rows.parquet", COLUMNS) as table:
        for row in ROWS:
            table.extend([row])
    read = pd.read_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(read, pd.DataFrame(ROWS, columns=[*COLUMNS]))
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups == 2


def test_a_table_without_rows_has_its_columns(tmp_path):
    with RowWriter(tmp_path / "rows.parquet", COLUMNS):
        pass
    assert pd.read_parquet(tmp_path / "rows.parquet").shape == (0, len(COLUMNS))
