"""A table of any program is read in its dialect, and a wrong row costs itself and no other."""

from __future__ import annotations

import codecs

import pytest
from layout_maker import write_lines

from fonoteka.corpus.importers.layouts.table_rows import delimiter_of, header_of, read_table

HEADER = "path,text,speaker"
FIRST, LAST = "a.wav,Dobro jutro,ana", "c.wav,Laku noć,ivo"


def texts(table):
    return [row["text"] for _, row in table.rows]


def read(path, *lines, encoding="utf-8"):
    return read_table(write_lines(path, *lines, encoding=encoding))


# Quotes.


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"Da, svakako"', "Da, svakako"),
        ('"""Da,"" reče."', '"Da," reče.'),
        ('Reče "da".', 'Reče "da".'),
        ('"Prvi red\ni drugi, duži"', "Prvi red\ni drugi, duži"),
        ('""', ""),
        ('"Prvi\r\n\r\ntreći"', "Prvi\r\n\r\ntreći"),
    ],
)
def test_between_commas_quotes_are_those_of_rfc_4180(written, text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(f"{HEADER}\n{FIRST}\nb.wav,{written},ana\n{LAST}\n".encode())
    table = read_table(path)
    assert texts(table) == ["Dobro jutro", text, "Laku noć"]
    assert table.refused == []
    lines = f"{written}\n".count("\n")  # rows are named by the line on which they begin
    assert [number for number, _ in table.rows] == [2, 3, 3 + lines]


BARS = {
    "text at its beginning": (['a.wav|"Dobro jutro," reče.|ana', "b.wav|Laku noć|ivo"],
                              ['"Dobro jutro," reče.', "Laku noć"]),
    "text over two clips": (['a.wav|"Dobro jutro, reče.|ana', 'b.wav|Kako ste?"|ana',
                             "c.wav|Laku noć|ivo"],
                            ['"Dobro jutro, reče.', 'Kako ste?"', "Laku noć"]),
    "a text in quotes beside such a one": (['a.wav|"Da," reče.|ana', 'b.wav|"Ne."|ivo'],
                                           ['"Da," reče.', '"Ne."']),
    "a last quote alone": (["a.wav|Da|ana", 'b.wav|"Ne.|ivo'], ["Da", '"Ne.']),
    "doubled as a program does": (['a.wav|"""Da,"" reče."|ana', "b.wav|Ne|ivo"],
                                  ['"Da," reče.', "Ne"]),
    "around a bar": (['a.wav|"Da | ne"|ana', "b.wav|Ne|ivo"], ["Da | ne", "Ne"]),
    "around a line end": (['a.wav|"Da', 'ne"|ana', "b.wav|Ne|ivo"], ["Da\nne", "Ne"]),
    "within": (['a.wav|Reče "da".|ana', "b.wav|Ne|ivo"], ['Reče "da".', "Ne"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BARS)
def test_between_bars_quotes_are_text_where_they_cannot_be_more(case, tmp_path):
    rows, expected = BARS[case]
    table = read(tmp_path / "t.csv", "path|text|speaker", *rows)
    assert (texts(table), table.refused) == (expected, [])


def test_between_tabs_quotes_are_text(tmp_path):
    rows = ['a.wav\t"Da," reče.\tana', 'b.wav\t"Ne."\tivo', 'c.wav\t"Tko?\tana']
    table = read(tmp_path / "t.tsv", "path\ttext\tspeaker", *rows)
    assert texts(table) == ['"Da," reče.', '"Ne."', '"Tko?']


@pytest.mark.parametrize("sign", ["\t", "|", ",", ";"])
def test_a_header_in_quotes_shows_that_values_are_quoted(sign, tmp_path):
    rows = [["path", "text", "speaker"], ["a.wav", f'Da{sign} ""ne""', "ana"]]
    lines = [sign.join(f'"{value}"' for value in row) for row in rows]
    table = read(tmp_path / f"t.{'tsv' if sign == chr(9) else 'csv'}", *lines)
    assert (table.header, texts(table)) == (["path", "text", "speaker"], [f'Da{sign} "ne"'])


# What is wrong.

WRONG = {
    "a comma": (HEADER, ["b.wav,Da, svakako,ana"], r"t\.csv:3: 4 values where the header has 3; "
                "put a text with ',' in double quotes"),
    "two commas": (HEADER, ["b.wav,Da, svakako, da,ana"], r"t\.csv:3: 5 values where"),
    "too few": (HEADER, ["b.wav,Da"], r"t\.csv:3: 2 values where the header has 3; add the"),
    "one": (HEADER, ["b.wav"], r"t\.csv:3: 1 values"),
    "a comment": (HEADER, ["# nothing here"], r"t\.csv:3: 1 values"),
    "a last comma": (HEADER, ["b.wav,Da,ana,,"], r"5 values where .* quotes, or remove it at the"),
    "an open quote": (HEADER, ['b.wav,"Da,ana'], r"t\.csv:3: not a row: unexpected end of data; "),
    "a quoted word": (HEADER, ['b.wav,"Da" reče,ana'], r"t\.csv:3: not a row: ',' expected after"),
    "a NUL": (HEADER, ["b.wav,D\0a,ana"], r"t\.csv:3: contains the character '\\x00' at 7"),
    "two lines": (HEADER, ['b.wav,"Da', 'ne",ana,x'], r"t\.csv:3: 4 values up to line 4 where"),
    "a tab": ("path\ttext\tspeaker", ["b.wav\tDa\tne\tana"], r"t\.tsv:3: 4 values where the header "
              r"has 3; a text cannot contain a tab, replace it by a space"),
    "a tab fewer": ("path\ttext\tspeaker", ["b.wav\tDa"], r"t\.tsv:3: 2 values .* after a tab"),
    "a bar": ("path|text|speaker", ["b.wav|Da|ne|ana"], r"t\.csv:3: 4 values where the header has "
              r"3; a text cannot contain '\|', replace it by a space"),
    "a semicolon": ("path;text;speaker", ["b.wav;Da; ne;ana"], r"t\.csv:3: 4 values .* with .;. "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_named_and_the_others_are_read(case, tmp_path):
    header, wrong, sentence = WRONG[case]
    sign = header[4]
    rows = [FIRST.replace(",", sign), *wrong, LAST.replace(",", sign)]
    table = read(tmp_path / f"t.{'tsv' if sign == chr(9) else 'csv'}", header, *rows)
    assert texts(table) == ["Dobro jutro", "Laku noć"]
    (error,) = table.refused
    assert error.kind == "wrong row"
    with pytest.raises(ValueError, match=sentence):
        raise error


def test_an_open_quote_takes_no_row_along(tmp_path):
    rows = [
        FIRST,
        'b.wav,"Da,ana',
        LAST,
        'd.wav,"Ne, hvala",ivo',
        'e.wav,Tko?",ana',
        'f.wav,"",ivo',
    ]
    table = read(tmp_path / "t.csv", HEADER, *rows)
    assert texts(table) == ["Dobro jutro", "Laku noć", "Ne, hvala", 'Tko?"', ""]
    (error,) = table.refused
    assert "t.csv:3: not a row" in str(error)


def test_a_quote_from_one_row_to_another_does_not_join_the_rows(tmp_path):
    table = read(tmp_path / "t.csv", HEADER, 'a.wav,"Dobro jutro,ana', 'b.wav,Kako ste?",ana', LAST)
    assert texts(table) == ['Kako ste?"', "Laku noć"]
    with pytest.raises(ValueError, match=r"t\.csv:2: .*a quote is not closed on its line"):
        raise table.refused[0]


def test_a_line_in_an_older_code_page_costs_itself(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(f"{HEADER}\n{FIRST}\nb.wav,".encode() + "šuma".encode("cp1250")
                     + f",ana\n{LAST}\n".encode())  # fmt: skip
    table = read_table(path)
    assert texts(table) == ["Dobro jutro", "Laku noć"]
    with pytest.raises(ValueError, match=r"t\.csv:3: not UTF-8 at byte 6; .* often Windows-1250"):
        raise table.refused[0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"t\.csv: empty; expected a header"),
        (b"\n \n", r"t\.csv: empty"),
        (b"sep=;\n", r"t\.csv: empty"),
        (b"sep=:\npath:text", r"t\.csv:1: 'sep=:' names a delimiter that is not one of"),
        (b"path,te\x8at\nx,y", r"t\.csv:1: the header cannot be read: not UTF-8 at byte 7"),
        (
            "path,text".encode("utf-16-le"),
            r"t\.csv:1: the header cannot be read: contains the char",
        ),
        (codecs.BOM_UTF16_LE + b"p\0a", r"t\.csv: not UTF-16 at byte \d+; save it as UTF-8"),
        (b"path,text,text\n", r"t\.csv: column 'text' occurs twice"),
        (b'path,"text\na,b\n', r"t\.csv:1: the header is not a row"),
    ],
)
def test_a_table_without_a_header_is_refused_as_a_whole(content, sentence, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_table(path)


# Spreadsheets.


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("first", "sign"),
    [
        ("sep=;", ";"), ("sep=,", ","), ("sep=\t", "\t"), (r"sep=\t", "\t"), ("SEP=|", "|"),
        ('"sep=;"', ";"), ("sep=;;;", ";"),
    ],
)  # fmt: skip
def test_sep_names_the_delimiter(first, sign, end, mark, tmp_path):
    path = tmp_path / "t.csv"
    lines = [first, *(line.replace(",", sign) for line in (HEADER, FIRST, LAST)), ""]
    path.write_bytes((mark + end.join(lines)).encode())
    table = read_table(path)
    assert (delimiter_of(path), header_of(path)) == (sign, ["path", "text", "speaker"])
    assert texts(table) == ["Dobro jutro", "Laku noć"]
    assert [number for number, _ in table.rows] == [3, 4]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_byte_order_are_read(encoding, tmp_path):
    table = read(tmp_path / "t.csv", HEADER, FIRST, LAST, encoding=encoding)
    assert (table.header[0], texts(table)) == ("path", ["Dobro jutro", "Laku noć"])


def test_rows_and_columns_without_a_value_are_not_there(tmp_path):
    lines = ["", f"{HEADER},,", "", f"{FIRST},,", ",,,,", "  ", f"{LAST},,"]
    table = read(tmp_path / "t.csv", *lines)
    assert table.rows[1] == (7, {"path": "c.wav", "text": "Laku noć", "speaker": "ivo"})
    assert (len(table.rows), table.refused) == (2, [])


def test_a_delimiter_within_a_quoted_name_parts_nothing(tmp_path):
    table = read(tmp_path / "t.csv", 'path,"text; as; read"', "a.wav,da")
    assert table.header == ["path", "text; as; read"]


def test_the_mark_that_keeps_a_spreadsheet_from_running_a_cell_is_not_text(tmp_path):
    assert texts(read(tmp_path / "t.csv", HEADER, "a.wav,'=1+1,ana")) == ["=1+1"]


def test_a_header_is_looked_at_without_a_fault(tmp_path):
    assert header_of(write_lines(tmp_path / "a.csv", "sep=:", "path:text")) == []
    assert header_of(write_lines(tmp_path / "b.csv", f"{'x' * 200_000},text")) != []
    assert header_of(tmp_path / "gone.csv") == []
    assert header_of(tmp_path) == []
    with pytest.raises(ValueError, match=r"gone\.csv: cannot be read: No such file"):
        read_table(tmp_path / "gone.csv")
