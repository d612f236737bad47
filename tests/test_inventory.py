"""Every file of audio is one row; broken files are rows, broken tables are errors."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from corpus_maker import RATE, make_corpus, shared_corpus, tone, write_clip, write_rows

from stages.corpus import inventory
from stages.corpus.inventory import InventoryParams, run

PARAMS = InventoryParams(
    corpora=("mine",), untranscribed="refuse", min_s=0.1, max_s=2.0, silent_below_dbfs=-60.0
)
QUARANTINE = replace(PARAMS, untranscribed="quarantine")


def take(raw, params=PARAMS, workers=1):
    out = raw.parent / "inventory.csv"
    run(raw, out, params, workers)
    with out.open(encoding="utf-8", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def problem(tmp_path, samples, subtype="FLOAT"):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    write_clip(folder / "a.wav", samples, subtype)
    return take(tmp_path / "raw")["mine/a.wav"]["problem"]


def test_a_row_says_what_table_card_and_sound_say(tmp_path):
    make_corpus(tmp_path / "raw", ['x/a.wav,"da, ne",ana,hr'], synthetic=True)
    row = take(tmp_path / "raw")["mine/x/a.wav"]
    assert row["text"] == "da, ne"
    assert (row["speaker"], row["language"], row["licence"]) == ("mine/ana", "hr", "CC0")
    assert (row["synthetic"], row["duration_s"], row["problem"]) == ("true", "0.500000", "")
    assert row["bytes"] == str((tmp_path / "raw/mine/x/a.wav").stat().st_size)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (tone(), ""),
        (np.zeros(0), "empty"),
        (np.full(RATE, np.nan), "not finite"),
        (tone(0.09), "too short"),
        (tone(2.01), "too long"),
        (tone() / 1024, "silent"),  # 0.5 / 1024 is -66 dBFS
        (np.zeros(RATE), "silent"),
    ],
)
def test_a_bad_sound_is_a_row_with_its_problem(samples, expected, tmp_path):
    assert problem(tmp_path, samples) == expected


def test_a_broken_file_is_a_row_with_its_problem(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,da,ana,hr"])
    (folder / "a.wav").write_bytes(b"no sound")
    rows = take(tmp_path / "raw")
    assert (rows["mine/a.wav"]["problem"], rows["mine/b.wav"]["problem"]) == ("unreadable", "")
    assert rows["mine/a.wav"]["detail"]


def test_the_number_of_workers_changes_no_byte(tmp_path):
    make_corpus(tmp_path / "raw", [f"{n}.wav,da,ana,hr" for n in range(5)])
    written = []
    for workers in (1, 2):
        take(tmp_path / "raw", workers=workers)
        written.append((tmp_path / "inventory.csv").read_bytes())
    assert written[0] == written[1]


def test_a_clip_without_transcript_is_quarantined_where_that_is_asked(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,,ana,hr"])
    write_clip(folder / "c.wav", tone(hz=999))
    rows = take(tmp_path / "raw", QUARANTINE)
    assert [row["problem"] for row in rows.values()].count("no transcript") == 2
    assert rows["mine/c.wav"]["speaker"] == ""


@pytest.mark.parametrize(("name", "what"), [("b", "an empty text"), ("c", "no row")])
def test_a_clip_without_transcript_is_refused_by_default(name, what, tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,,ana,hr"])
    if name == "c":
        write_rows(folder, ["a.wav,da,ana,hr", "b.wav,ne,ana,hr"])
        write_clip(folder / "c.wav", tone())
    with pytest.raises(ValueError, match=rf"{name}\.wav: {what} in metadata\.csv; write what is"):
        take(tmp_path / "raw")


def test_files_that_are_not_audio_are_said_and_not_rows(tmp_path, capsys):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.mystery.wav,ne,ana,hr"])
    (folder / "README.txt").write_text("hello")
    assert len(take(tmp_path / "raw")) == 2
    assert "1 files are not audio: README.txt" in capsys.readouterr().out


def test_only_named_corpora_take_part(tmp_path):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"], name="other")
    assert list(take(tmp_path / "raw")) == ["mine/a.wav"]
    both = take(tmp_path / "raw", replace(PARAMS, corpora=("other", "mine")))
    assert [row["speaker"] for row in both.values()] == ["mine/ana", "other/ana"]


@pytest.mark.parametrize("there", [True, False])
def test_no_corpus_at_all_is_an_error_with_a_way_out(there, tmp_path):
    if there:
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw/.gitignore").touch()
    with pytest.raises(ValueError, match=r"raw holds no corpus: add one with make add-corpus FROM"):
        take(tmp_path / "raw")


def test_a_corpus_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"], name="other")
    with pytest.raises(ValueError, match=r"holds no corpus 'mine', only \['other'\]; correct inv"):
        take(tmp_path / "raw")


def test_a_corpus_without_audio_is_an_error(tmp_path):
    make_corpus(tmp_path / "raw", [])
    with pytest.raises(ValueError, match="mine: no audio"):
        take(tmp_path / "raw")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpora": ()}, r"inventory\.corpora must name one or more folders .* found \[\]"),
        ({"corpora": ("a", "a")}, r"each once, found \['a', 'a'\]"),
        ({"untranscribed": "skip"}, "must be refuse or quarantine, found 'skip'"),
        ({"min_s": 3.0}, r"below max_s, found 3\.0 and 2\.0"),
        ({"silent_below_dbfs": 1.0}, r"must be 0 or less, found 1\.0"),
    ],
)
def test_params_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **change)


def test_the_malformed_files_become_rows(tmp_path):
    folder = tmp_path / "raw" / "mine"
    make_corpus(tmp_path / "raw", [])
    (folder / "audio").symlink_to(shared_corpus("malformed"))
    names = [p.relative_to(folder).as_posix() for p in (folder / "audio").rglob("*.wav")]
    names += [p.relative_to(folder).as_posix() for p in (folder / "audio").rglob("*.flac")]
    write_rows(folder, [f'"{name}",da,ana,hr' for name in names])
    rows = take(tmp_path / "raw", replace(PARAMS, max_s=20.0), 2)
    problems = Counter(row["problem"] for row in rows.values())
    assert sum(problems.values()) == len(names)
    assert problems["unreadable"] > 10
    assert problems[""] > 10


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch, capsys):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    (tmp_path / "params.yaml").write_text(
        "inventory: {corpora: [mine], untranscribed: refuse, "
        "min_s: 0.1, max_s: 9, silent_below_dbfs: -60}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["inventory", "raw", "out/inventory.csv"])
    inventory.main()
    assert (tmp_path / "out/inventory.csv").is_file()
    assert "1 files, problems: none" in capsys.readouterr().out
