"""The phones of each clip come back as the table has them, without a list of all."""

from __future__ import annotations

import pandas as pd

from fonoteka.alignment.phone_rows import RowTable, StoredPhones, read_phone_rows

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


def test_a_table_grown_by_rows_is_that_of_a_list_of_rows():
    grown = RowTable(COLUMNS)
    grown.extend(ROWS[:2])
    grown.extend(ROWS[2:])
    pd.testing.assert_frame_equal(grown.frame(), pd.DataFrame(ROWS, columns=[*COLUMNS]))
    assert RowTable(COLUMNS).frame().shape == (0, len(COLUMNS))
