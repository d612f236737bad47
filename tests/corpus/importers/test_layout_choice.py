"""One layout is recognised by its signs, or one sentence says which ones it could be."""

from __future__ import annotations

from pathlib import Path

import layout_maker as maker
import pytest
from layout_maker import MAKERS, write_audio, write_lines

from fonoteka.corpus.importers.layouts.base import ImportOptions, scan
from fonoteka.corpus.importers.layouts.detect import LAYOUTS, detect


def test_every_layout_is_made_by_a_test():
    assert sorted(MAKERS) == list(LAYOUTS)


@pytest.mark.parametrize("layout", MAKERS)
def test_a_layout_is_known_among_files_that_many_corpora_carry(layout, tmp_path):
    MAKERS[layout](tmp_path)
    write_lines(tmp_path / "README.txt", "about")
    write_lines(tmp_path / "prices.csv", "what,price", "tape,1")
    write_lines(tmp_path / "info.json", '{"about": "the corpus"}')
    options = (
        ImportOptions(tables=(tmp_path / "labels.csv",)) if layout == "table" else ImportOptions()
    )
    assert detect(scan(tmp_path), options).name == layout


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kaldi", "nemo"),
        ("librispeech", "table"),
        ("commonvoice", "textgrid"),
        ("table", "sidecar"),
    ],
)
def test_two_layouts_are_a_choice_of_the_users(first, second, tmp_path):
    MAKERS[first](tmp_path / "a")
    MAKERS[second](tmp_path / "b")
    first, second = sorted((first, second), key=lambda name: (name == "table", name))
    with pytest.raises(
        ValueError, match=rf"could be {first} \(.*\) or {second} \(.*\); say which with --layout"
    ):
        detect(scan(tmp_path), ImportOptions())
    for name in (first, second):
        assert detect(scan(tmp_path), ImportOptions(layout=name)).name == name


def test_a_textgrid_takes_the_texts_beside_it_along(tmp_path):
    maker.praat(tmp_path)
    maker.sidecar(tmp_path)
    assert detect(scan(tmp_path), ImportOptions()).name == "textgrid"
    assert detect(scan(tmp_path), ImportOptions(layout="sidecar")).name == "sidecar"


def test_a_named_table_decides_whatever_its_name_is(tmp_path):
    maker.kaldi(tmp_path / "a")
    maker.nemo(tmp_path / "b")
    write_lines(tmp_path / "list.txt", "path,text,speaker,language", "x.wav,da,ana,hr")
    for table, layout in (("b/train_manifest.json", "nemo"), ("list.txt", "table")):
        result = detect(scan(tmp_path), ImportOptions(tables=(tmp_path / table,)))
        assert (result.name, result.index) == (layout, [table])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (ImportOptions(layout="kaldi"), r"no sign of layout kaldi, which is wav\.scp"),
        (
            ImportOptions(layout="sidecar", tables=(Path("README.txt"),)),
            r"--table is for layouts with a li",
        ),
        (
            ImportOptions(columns={"text": "x"}),
            r"--text-column is for tables, and this is layout sidecar",
        ),
        (
            ImportOptions(tiers={"words": "x"}),
            r"--words-tier is for layout textgrid, and this is layout si",
        ),
    ],
)
def test_an_option_for_another_layout_is_refused(options, sentence, tmp_path):
    maker.sidecar(tmp_path)
    with pytest.raises(ValueError, match=sentence):
        detect(scan(tmp_path), options)


def test_a_named_column_decides_for_a_table(tmp_path):
    maker.table(tmp_path)
    maker.sidecar(tmp_path)
    assert detect(scan(tmp_path), ImportOptions(columns={"text": "sentence"})).name == "table"


def test_a_folder_without_transcripts_is_refused_with_the_known_layouts(tmp_path):
    write_audio(tmp_path / "a.wav", 1)
    with pytest.raises(ValueError, match=r"expected one of audiofolder: metadata\.csv .*TextGrid"):
        detect(scan(tmp_path), ImportOptions())
