"""A folder of recordings becomes a corpus, or one sentence says why not."""

from __future__ import annotations

import subprocess

import pytest
from command_line import run_fonoteka
from corpus_maker import tone, write_clip

from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import read_card, read_clips
from fonoteka.corpus.importers.layouts.table_rows import delimiter_of

HEADER = "file,speaker,lang,sentence"
ROWS = ["x/a.wav,ana,hr-HR,dobar dan", "b.wav,ivo,sr_RS,добар дан"]


@pytest.fixture
def folder(tmp_path):
    write_clip(tmp_path / "from/x/a.wav", tone())
    write_clip(tmp_path / "from/b.wav", tone(hz=300))
    write_table(tmp_path / "from", HEADER, *ROWS)
    return tmp_path / "from"


def write_table(folder, *lines, name="labels.csv"):
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def add(monkeypatch, folder, *options):
    """Run the command line in the folder's parent; return where the corpus should be."""
    monkeypatch.chdir(folder.parent)
    arguments = ["--name", "mine", "--licence", "CC0", "--source", "me", "--no-dvc", *options]
    run_fonoteka("corpus", "add", str(folder), *arguments)
    return folder.parent / "data/raw/mine"


def test_a_folder_becomes_a_corpus(folder, monkeypatch, capsys):
    out = add(monkeypatch, folder)
    assert [(c.path, c.text, c.speaker, c.language) for c in read_clips(out)] == [
        ("b.wav", "добар дан", "ivo", "sr"),
        ("x/a.wav", "dobar dan", "ana", "hr"),
    ]
    assert read_card(out).synthetic is False
    assert (out / "x/a.wav").read_bytes() == (folder / "x/a.wav").read_bytes()
    output = capsys.readouterr().out
    for line in ("path from 'file'", "2, 1.0 s", "2: ana, ivo", "hr 1, sr 1", "inventory.corpora"):
        assert line in output


def test_options_say_what_the_table_does_not(folder, monkeypatch):
    write_table(folder, "n;words", "x/a.wav;dobar dan", "b.wav;dan")
    out = add(
        monkeypatch, folder, "--path-column", "n", "--text-column", "words", "--speaker", "ana",
        "--language", "bs", "--synthetic",
    )  # fmt: skip
    assert {(c.speaker, c.language) for c in read_clips(out)} == {("ana", "bs")}
    assert read_json(out / "corpus.json")["synthetic"] is True


def test_a_file_is_found_by_its_name_where_only_one_has_it(folder, monkeypatch):
    write_table(folder, HEADER, "a.wav,ana,hr,dan", ROWS[1])
    assert read_clips(add(monkeypatch, folder))[1].path == "x/a.wav"


def test_a_name_that_two_files_have_is_refused(folder, monkeypatch):
    write_clip(folder / "y/a.wav", tone())
    write_table(folder, HEADER, "a.wav,ana,hr,dan", ROWS[1])
    with pytest.raises(ValueError, match=r"'a\.wav' could be any of \['x/a\.wav', 'y/a\.wav'\]"):
        add(monkeypatch, folder)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEADER, "gone.wav,ana,hr,da"], r"labels\.csv:2: 'gone\.wav' is not in .*from"),
        ([HEADER, "b.wav,ana,de,ja"], r"labels\.csv:2: language 'de' is unknown"),
        ([HEADER, "b.wav,,hr,da"], r"labels\.csv:2: speaker is empty"),
        ([HEADER, "../from/b.wav,ana,hr,da"], r"path '\.\./from/b\.wav' must lie inside"),
        ([HEADER, *ROWS, ROWS[0]], r"csv:4: 'x/a\.wav' is already at .*labels\.csv:2"),
        ([HEADER, ROWS[0]], r"1 clips have no transcript: b\.wav; add their texts to labels\.csv"),
        ([HEADER, ROWS[0], "b.wav,ana,hr,"], r"1 clips have no transcript: b\.wav"),
        (["file,speaker,lang"], r"labels\.csv: no rows below the header"),
        (["file,speaker,lang", "b.wav,ana,hr"], r"column for text is missing; found \['file', 'sp"),
        (["file,lang,text", "b.wav,hr,da"], r"column for speaker .* --speaker or --pattern"),
        (["file,path,text", "b.wav,x,da"], r"column for path could be any of \['file', 'path'\]"),
    ],
)
def test_a_table_that_is_wrong_is_refused_and_nothing_is_copied(
    lines, message, folder, monkeypatch
):
    write_table(folder, *lines)
    with pytest.raises(ValueError, match=message):
        add(monkeypatch, folder)
    assert not (folder.parent / "data").exists()


def test_a_named_column_that_is_not_there_is_shown_with_those_that_are(folder, monkeypatch):
    with pytest.raises(ValueError, match=r"--text-column 'words' is missing; found \['file', 'spe"):
        add(monkeypatch, folder, "--text-column", "words")


@pytest.mark.parametrize("named", [True, False])
def test_a_link_out_of_the_folder_is_refused(named, folder, monkeypatch):
    write_clip(folder.parent / "secret.wav", tone())
    (folder / "link.wav").symlink_to(folder.parent / "secret.wav")
    write_table(folder, HEADER, *ROWS, *["link.wav,ana,hr,dan"] * named)
    with pytest.raises(ValueError, match=r"'link\.wav' is a link out of"):
        add(monkeypatch, folder, "--allow-untranscribed")


def test_clips_without_text_are_added_on_request(folder, monkeypatch, capsys):
    write_table(folder, HEADER, "x/a.wav,ana,hr,")
    out = add(monkeypatch, folder, "--allow-untranscribed")
    assert (out / "b.wav").is_file()
    assert [c.text for c in read_clips(out)] == [""]
    assert "no text    2: b.wav, x/a.wav" in capsys.readouterr().out


def test_an_unreadable_clip_is_reported(folder, monkeypatch, capsys):
    (folder / "b.wav").write_bytes(b"no sound")
    add(monkeypatch, folder)
    assert "unreadable 1, inventory will quarantine them: b.wav" in capsys.readouterr().out


def test_a_corpus_is_never_written_over(folder, monkeypatch):
    out = add(monkeypatch, folder)
    with pytest.raises(ValueError, match=r"mine is there already; choose another --name or remove"):
        add(monkeypatch, folder)
    assert out.is_dir()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--name", "a/b"], r"--name: name 'a/b': expected letters, digits"),
        (["--licence", " "], "--licence is empty"),
        (["--table", "gone.csv"], r"gone\.csv: no such table, neither here nor in"),
    ],
)
def test_an_option_that_is_wrong_is_refused(options, message, folder, monkeypatch):
    with pytest.raises(ValueError, match=message):
        add(monkeypatch, folder, *options)


def test_there_must_be_one_table_or_a_name_for_it(folder, monkeypatch):
    write_table(folder, HEADER, *ROWS, name="other.tsv")
    with pytest.raises(ValueError, match=r"holds 2 tables .*'other\.tsv'\]; name one with --table"):
        add(monkeypatch, folder)
    assert add(monkeypatch, folder, "--table", "labels.csv").is_dir()


def test_a_missing_table_and_a_missing_folder_are_reported(folder, monkeypatch):
    (folder / "labels.csv").unlink()
    with pytest.raises(
        ValueError, match=r"from: contains no transcripts in a known layout; expected one of"
    ):
        add(monkeypatch, folder)
    with pytest.raises(ValueError, match="gone: no such folder"):
        add(monkeypatch, folder.parent / "gone")


def test_a_clip_cant_have_the_name_of_a_corpus_file(folder, monkeypatch):
    write_clip(folder / "a.wav", tone())
    (folder / "a.wav").rename(folder / "corpus.json")
    write_table(folder, HEADER, *ROWS, "corpus.json,ana,hr,dan")
    with pytest.raises(ValueError, match=r"corpus\.json: this name is reserved for a file of the"):
        add(monkeypatch, folder)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [("t.tsv", "a,b", "\t"), ("t.csv", "a;b,c;d", ";"), ("t.csv", "a\tb", "\t"), ("t", "a", ",")],
)
def test_the_delimiter_is_detected_by_suffix_and_first_line(name, line, expected, tmp_path):
    (tmp_path / name).write_text(line)
    assert delimiter_of(tmp_path / name) == expected


@pytest.mark.dvc
def test_dvc_tracks_the_corpus_and_the_next_steps_are_printed(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    subprocess.run(["git", "init", "-q"], check=True)
    (folder.parent / ".dvc").mkdir()
    (folder.parent / ".dvc/config").touch()  # all that `dvc init` is needed for; it takes 1.5 s
    options = ["--name", "mine", "--licence", "CC0", "--raw", "data/raw"]
    run_fonoteka("corpus", "add", "from", *options)
    assert (folder.parent / "data/raw/mine.dvc").is_file()
    assert "git add data/raw/mine.dvc data/raw/.gitignore" in capsys.readouterr().out


@pytest.mark.dvc
def test_when_dvc_fails_the_corpus_stays_and_the_command_is_given(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)  # which is no DVC repository
    with pytest.raises(
        ValueError, match=r"dvc add failed: .*then run it .*: dvc add data/raw/mine"
    ):
        run_fonoteka("corpus", "add", "from", "--name", "mine", "--licence", "CC0")
    assert (folder.parent / "data/raw/mine/corpus.json").is_file()


# Tables as people have them.

SOUNDS = ("wavs/s0.wav", "wavs/s1.wav", "wavs/s2.wav")


def look(monkeypatch, capsys, folder, lines, *options, name="clips.csv"):
    """Show what is understood of three recordings and a table."""
    for path in SOUNDS:
        write_clip(folder.parent / "other" / path, tone())
    write_table(folder.parent / "other", *lines, name=name)
    run_fonoteka("corpus", "look", str(folder.parent / "other"), *options)
    return capsys.readouterr().out


def test_a_comma_that_is_not_quoted_costs_its_row(folder, monkeypatch, capsys):
    lines = ["path,text,speaker,language", "s0.wav,Dobro jutro,ana,hr",
             "s1.wav,Da, svakako,ana,hr", "s2.wav,Laku noć,ivo,hr"]  # fmt: skip
    shown = look(monkeypatch, capsys, folder, lines, "--leave-out")
    assert "\nclips      2, 1.0 s\n" in shown
    assert (
        f"\nwrong row  1: {folder.parent}/other/clips.csv:3: 5 values where the header has" in shown
    )
    assert "put a text with ',' in double quotes" in shown
    assert "refused" not in shown


def test_a_tab_in_a_sentence_costs_its_row(folder, monkeypatch, capsys):
    lines = ["client_id\tpath\tsentence\tlocale\tsegment", "a\ts0.wav\tDobro jutro.\thr\t",
             "a\ts1.wav\tVidi\tkuću.\thr\t", "b\ts2.wav\tNema ništa.\thr\t"]  # fmt: skip
    shown = look(monkeypatch, capsys, folder, lines, "--leave-out", name="validated.tsv")
    assert "\nclips      2, 1.0 s\n" in shown
    assert f"\nwrong row  1: {folder.parent}/other/validated.tsv:3: 6 values" in shown
    assert "a text cannot contain a tab, replace it by a space" in shown
    assert "double quotes" not in shown


def test_a_text_between_bars_may_begin_with_a_quote(folder, monkeypatch, capsys):
    lines = ["audio_file|text|speaker_name", 'wavs/s0.wav|"Dobro jutro," reče.|ana',
             "wavs/s1.wav|Laku noć|ivo"]  # fmt: skip
    options = ["--language", "hr", "--speaker-column", "speaker_name", "--leave-out"]
    shown = look(monkeypatch, capsys, folder, lines, *options, name="metadata.csv")
    assert "\nclips      2, 1.0 s\n" in shown
    assert '\nclip       wavs/s0.wav of ana, hr: "Dobro jutro," reče.\n' in shown
    assert "wrong row" not in shown


@pytest.mark.parametrize("name", ["clips.csv", "metadata.csv", "clips.tsv"])
@pytest.mark.parametrize(("first", "sign"), [("sep=;", ";"), ("\ufeffsep=,", ","), ("sep=|", "|")])
def test_a_spreadsheets_first_line_is_read(first, sign, name, folder, monkeypatch, capsys):
    text = f"Dobro jutro{' ' if sign == ',' else ', '}svima"
    lines = [first, sign.join(("path", "text", "speaker", "language")),
             sign.join(("s0.wav", text, "ana", "hr"))]  # fmt: skip
    shown = look(monkeypatch, capsys, folder, lines, "--leave-out", name=name)
    assert f"\nclip       wavs/s0.wav of ana, hr: {text}\n" in shown
    assert "\nclips      1, " in shown
