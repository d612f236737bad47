"""Tables are read strictly and written the same every time."""

from __future__ import annotations

import csv
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.tables import read_numbered, read_table, write_table

# Surrogates cannot be in a UTF-8 file; everything else that people type can, and formulas should.
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
CELLS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\r\t\",;'=+-@"))


@settings(deadline=None)  # a busy machine may be slow
@given(rows=st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS})))
def test_what_was_written_is_read_again(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    write_table(path, ("a", "b"), rows)
    assert read_table(path, ("a", "b")) == rows


@settings(deadline=None)
@given(cell=CELLS)
def test_no_written_cell_starts_like_a_formula_in_any_spreadsheet(cell, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    write_table(path, ("a", "b"), [{"a": "x", "b": cell}])
    with path.open(encoding="utf-8", newline="") as file:
        [_, [_, written]] = csv.reader(file)
    for part in re.split("[;,\t\r\n]", written):  # wherever a locale may part cells
        assert not part.startswith(("=", "+", "-", "@")) or NUMBER.fullmatch(cell)
    assert not written.startswith(("\t", "\r"))


def test_numbers_below_zero_stay_numbers(tmp_path):
    write_table(tmp_path / "t.csv", ("a",), [{"a": f"{-6.02:.2f}"}, {"a": "+1+1"}])
    assert (tmp_path / "t.csv").read_text() == "a\n-6.02\n'+1+1\n"


def test_a_value_without_a_column_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"t\.csv: no column 'b' among \['a'\]"):
        write_table(tmp_path / "t.csv", ("a",), [{"a": 1, "b": 2}])


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path):
    (tmp_path / "t.csv").write_text("path,b\nx,y\n", encoding="utf-8-sig")
    assert read_table(tmp_path / "t.csv", ("path",)) == [{"path": "x", "b": "y"}]


def test_between_tabs_a_quote_is_part_of_the_text(tmp_path):
    (tmp_path / "t.tsv").write_text('a\tb\n"x\ty\n')
    assert read_numbered(tmp_path / "t.tsv", (), "\t") == [(2, {"a": '"x', "b": "y"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"t\.csv: empty; expected a header with the columns \['a'\]"),
        ("b,c\n", r"column 'a' is missing; found \['b', 'c'\]"),
        ("a,a\n", r"column 'a' occurs twice"),
        ("a,b\n1,2,3\n", r"t\.csv:2: 3 values where the header has 2"),
        ('a,b\n1,"2\n', r"t\.csv:\d: not a table: unexpected end of data"),
        ("a,b\n1,č\n".encode("cp1250"), r"not UTF-8 at byte 6; save it as UTF-8"),
    ],
)
def test_a_table_that_is_wrong_is_refused(content, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        read_table(path, ("a",))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.csv: no such table"):
        read_table(tmp_path / "gone.csv", ("a",))
