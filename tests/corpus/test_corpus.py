"""A corpus on disk is checked row by row."""

from __future__ import annotations

import json

import pytest
from corpus_maker import CARD, make_corpus, write_rows

from fonoteka.corpus.corpus import read_card, read_clips, read_phones

ROW = "a.wav,dobar dan,ana,hr"


def test_rows_come_sorted_and_stripped(tmp_path):
    folder = make_corpus(tmp_path, ["b.wav, da ,ana,hr", "a.wav,ne,ana,hr"])
    assert [(clip.path, clip.text) for clip in read_clips(folder)] == [
        ("a.wav", "ne"),
        ("b.wav", "da"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gone.wav,da,ana,hr", r"metadata\.csv:3: 'gone\.wav' is not in .*mine"),
        ("a.wav,da,ana,hr", r"metadata\.csv:3: path 'a\.wav' is already on line 2"),
        ("./a.wav,da,ana,hr", r"metadata\.csv:3: path 'a\.wav' is already on line 2"),
        ("../x.wav,da,ana,hr", r"metadata\.csv:3: path '\.\./x\.wav' must lie inside"),
        ("/x.wav,da,ana,hr", r"path '/x\.wav' must lie inside"),
        (",da,ana,hr", r"path '' must lie inside"),
        ("a.wav,da,ana,xx", r"language 'xx' is unknown; expected one of \['bs', 'en', 'hr', 'sr'"),
        ("a.wav,da, ,hr", r"metadata\.csv:3: speaker is empty"),
        ("a.wav,da,da,ana,hr", r"metadata\.csv:3: 5 values where the header has 4"),
    ],
)
def test_a_row_that_is_wrong_is_named_by_its_line(row, message, tmp_path):
    folder = make_corpus(tmp_path, [ROW])
    write_rows(folder, [ROW, row])
    with pytest.raises(ValueError, match=message):
        read_clips(folder)


def test_a_missing_column_is_shown_with_those_there_are(tmp_path):
    folder = make_corpus(tmp_path, [ROW])
    write_rows(folder, ["a.wav,da,ana"], header="path,words,speaker")
    with pytest.raises(ValueError, match=r"column 'text' is missing; found \['path', 'words'"):
        read_clips(folder)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, r"corpus\.json: no such file; write name, licence, source and synthetic"),
        ("{", r"corpus\.json: not valid JSON"),
        ({"name": "mine"}, r"corpus\.json: missing \['licence', 'source', 'synthetic'\]"),
        (CARD | {"name": "other"}, r"name 'other' is not the folder's name 'mine'"),
        (CARD | {"licence": " "}, r"licence is empty"),
        (CARD | {"synthetic": "no"}, r"synthetic: expected bool, found 'no'"),
    ],
)
def test_a_card_that_is_wrong_is_refused(card, message, tmp_path):
    folder = make_corpus(tmp_path, [ROW])
    (folder / "corpus.json").unlink()
    if card is not None:
        text = card if isinstance(card, str) else json.dumps(card)
        (folder / "corpus.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_card(folder)


@pytest.mark.parametrize("name", ["a#b", "a b", "a.b", "-a", "č"])
def test_a_name_that_would_break_ids_is_refused(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "corpus.json").write_text(json.dumps(CARD | {"name": name}))
    with pytest.raises(ValueError, match=r"expected letters, digits, - and _ only"):
        read_card(folder)


def test_a_corpus_without_phone_times_has_none(tmp_path):
    assert read_phones(tmp_path) == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", r"phones\.jsonl:2: expected \{\"path\", \"phones\", \"times_s\"\}, found '\[\]'"),
        ('{"path": "a", "phones": ["a"]}', r"phones\.jsonl:2: expected"),
        ('{"path": "a", "phones": ["a"], "times_s": []}', r"jsonl:2: 1 phones but 0 times"),
    ],
)
def test_a_line_of_phone_times_that_is_wrong_is_named(line, message, tmp_path):
    good = '{"path": "x", "phones": ["a"], "times_s": [[0, 0.5]]}'
    (tmp_path / "phones.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_phones(tmp_path)
