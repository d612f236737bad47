"""A third column of an LJSpeech table is a text only if it is the second one as read."""

from __future__ import annotations

import layout_maker as maker
import pytest
from command_line import run_fonoteka
from layout_maker import ADDED, write_audio, write_lines

from fonoteka.corpus.clip_terms import ClipTerms, own_terms
from fonoteka.corpus.corpus import read_clips

SENTENCES = ("Dobro jutro svima.", "Laku noć svima.", "Vidimo se sutra.", "Nema na čemu.")
NAMES = ("ana", "ivo", "ana", "ivo")


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Write metadata.csv of some columns, call the command line, and return what was added."""

    def call(*columns, options=("--language", "hr")):
        monkeypatch.chdir(tmp_path)
        ids = [f"s{number}" for number in range(len(columns[0]))]
        for number, name in enumerate(ids):
            write_audio(tmp_path / f"from/wavs/{name}.wav", number, seconds=0.1)
        rows = ["|".join(row) for row in zip(ids, *columns, strict=True)]
        write_lines(tmp_path / "from/metadata.csv", *rows)
        run_fonoteka("corpus", "add", str(tmp_path / "from"), *ADDED, *options)
        return read_clips(tmp_path / "data/raw/mine")

    return call


OTHERS = {
    "speakers": NAMES,
    "speakers with numbers": ("spk1", "spk2", "spk1", "spk3"),
    "full names": ("Ana Anić", "Ivo Ivić", "Ana Anić", "Ivo Ivić"),
    "emotions": ("neutral", "happy", "neutral", "angry"),
    "phones": ("d o b r o", "l a k u", "ʋ i d i m o", "n e m a"),
    "seconds": ("1.50", "2.25", "1.75", "1.00"),
    "languages": ("hr", "hr", "hr", "hr"),
    "translations": ("Good morning all.", "Good night all.", "See you tomorrow.", "Not at all."),
    "a speaker for one clip": ("", "ivo", "", ""),
}


@pytest.mark.parametrize("case", OTHERS)
def test_an_option_is_requested_for_another_third_column(case, command, tmp_path):
    with pytest.raises(
        ValueError, match=r"column 3 holds '.*', which is not column 2 as read: 'D?"
    ):
        command(SENTENCES, OTHERS[case], options=("--speaker", "x", "--language", "hr"))
    assert not (tmp_path / "data").exists()


def test_names_are_never_texts_though_a_text_holds_one(command):
    texts = ("Ana je ovdje.", "Ivo je ondje.", "Ana!", "Ivo nije.")
    with pytest.raises(ValueError, match="column 3 holds 'ana', 'ivo'"):
        command(texts, NAMES, options=("--speaker", "x", "--language", "hr"))


READ = {
    "numbers": (("Imam 25 kuna.", "Godine 1984. bilo je tu."),
                ("imam dvadeset pet kuna", "godine tisuću devetsto osamdeset četvrte bilo je tu")),
    "abbreviations": (("Dr. Anić i prof. Ivić dolaze.", "Da, npr. sutra."),
                      ("doktor Anić i profesor Ivić dolaze", "da na primjer sutra")),
    "another script": (("Ђорђе једе џем.", "Љубав."), ("đorđe jede džem", "ljubav")),
    "no accents": (("Čaša je puna.", "Šuma."), ("casa je puna", "suma")),
    "the same": (("Da.", "Ne."), ("Da.", "Ne.")),
    "one of digits alone": (("1984.", "Dobro jutro."), ("tisuću devetsto", "dobro jutro")),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_text_as_read_is_the_text(case, command):
    raw, read = READ[case]
    clips = command(raw, read, options=("--speaker", "ana", "--language", "hr"))
    assert [clip.text for clip in clips] == list(read)


def test_digits_alone_tell_nothing_and_are_asked_for(command):
    with pytest.raises(ValueError, match=r"column 3 holds 'jedan', 'dva', which is not column 2"):
        command(("1", "2"), ("jedan", "dva"), options=("--speaker", "ana", "--language", "hr"))


def test_an_empty_third_column_is_ignored(command):
    clips = command(SENTENCES, [""] * 4, options=("--speaker", "ana", "--language", "hr"))
    assert [clip.text for clip in clips] == list(SENTENCES)


# The user says what the columns are.

HR = ("--language", "hr")
GIVEN = {
    "id, text, speaker": ((SENTENCES, NAMES), ("--speaker-column", "3")),
    "id, speaker, text": ((NAMES, SENTENCES), ("--speaker-column", "2")),
    "both": ((NAMES, SENTENCES), ("--speaker-column", "2", "--text-column", "3")),
    "four columns": ((("x",) * 4, SENTENCES, NAMES),
                     ("--speaker-column", "4", "--text-column", "3")),
}  # fmt: skip


@pytest.mark.parametrize("case", GIVEN)
def test_columns_are_named_by_their_number(case, command, capsys):
    columns, options = GIVEN[case]
    clips = command(*columns, options=(*HR, *options))
    assert [(clip.text, clip.speaker) for clip in clips] == list(zip(SENTENCES, NAMES, strict=True))
    shown = capsys.readouterr().out
    assert f"speaker from column {options[1]}" in shown
    assert "clip       wavs/s0.wav of ana, hr: Dobro jutro svima.\n" in shown


def test_all_that_is_known_of_a_clip_may_have_a_column(command, tmp_path):
    options = [*HR, "--speaker-column", "3", "--sex-column", "4", "--licence-column", "5"]
    clips = command(SENTENCES, NAMES, ("f", "m", "f", "m"), ("CC0", "", "", ""), options=options)
    assert [clip.sex for clip in clips] == ["f", "m", "f", "m"]
    assert own_terms(tmp_path / "data/raw/mine") == {"wavs/s0.wav": ClipTerms("CC0", "")}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--speaker-column", "4"], r"--speaker-column '4': there is no header; give the number of "
         r"a column, 1 to 3"),
        (["--speaker-column", "0"], r"'0': there is no header"),
        (["--speaker-column", "speaker"], r"'speaker': there is no header"),
        (["--speaker-column", "3", "--text-column", "3"], r"two of \['path', 'speaker', 'text'\]"),
        (["--path-column", "3"], r"columns \[1, 2\] are left for the text; give --text-column"),
    ],
)  # fmt: skip
def test_a_number_of_a_missing_column_is_refused(options, sentence, command):
    with pytest.raises(ValueError, match=sentence):
        command(SENTENCES, NAMES, options=(*HR, *options))


def test_four_columns_are_asked_for(command):
    with pytest.raises(ValueError, match=r"4 columns, as in 's0\|Dobro jutro svima\.\|dobro jutro"):
        command(SENTENCES, [text.lower() for text in SENTENCES], NAMES)


def test_a_line_with_another_number_of_values_is_wrong(command, tmp_path, capsys):
    texts = (SENTENCES[0], "Da|ne", *SENTENCES[2:])
    clips = command(texts, NAMES, options=(*HR, "--speaker-column", "3", "--leave-out"))
    assert [clip.speaker for clip in clips] == ["ana", "ana", "ivo"]
    sentence = (
        "metadata.csv:2: 's1|Da|ne|ivo' is not a clip and 2 values; a text cannot contain '|'"
    )
    assert sentence in capsys.readouterr().out


def test_quotes_are_text(command):
    texts = ('"Dobro jutro," reče.', '"Kako ste?', 'Dobro."', '""')
    clips = command(texts, options=("--speaker", "ana", *HR))
    assert [clip.text for clip in clips] == list(texts)


def test_ljspeech_itself_reads_as_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = maker.ljspeech(tmp_path / "from")
    run_fonoteka("corpus", "add", str(tmp_path / "from"), *ADDED, *options)
    texts = {clip.text for clip in read_clips(tmp_path / "data/raw/mine")}
    assert texts == {recording.text for recording in maker.RECORDINGS}


def test_a_bar_in_one_text_is_a_wrong_row_and_no_third_column(command, capsys):
    texts = (SENTENCES[0], "Vidi|kuću na brdu.", *SENTENCES[2:])
    options = ("--speaker", "ana", *HR, "--leave-out")
    assert [clip.text for clip in command(texts, options=options)] == [
        text for text in texts if "|" not in text
    ]
    shown = capsys.readouterr().out
    assert "wrong row  1: " in shown
    assert (
        "metadata.csv:2: 's1|Vidi|kuću na brdu.' is not id|text; a text cannot contain '|'" in shown
    )
