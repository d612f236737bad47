"""What layouts found is checked in one place: where files lie, how they are called, who speaks."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from command_line import run_fonoteka
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_maker import write_audio, write_lines

from fonoteka.corpus.corpus import LANGUAGES, read_clips
from fonoteka.corpus.importers.layouts.audio_path import AudioPathResolver
from fonoteka.corpus.importers.layouts.base import ImportOptions, RefusedError, scan
from fonoteka.corpus.importers.layouts.filename_pattern import parse
from fonoteka.corpus.importers.layouts.phone_labels import ARPABET, symbols_of, timed_phones
from fonoteka.corpus.importers.portable_names import check_names
from fonoteka.phones import INVENTORY, LETTERS, SOUTH_SLAVIC

HEADER = "path,text,speaker,language"
ADDED = ["--name", "mine", "--licence", "CC0", "--no-dvc"]


def add(monkeypatch, folder, *options):
    run_fonoteka("corpus", "add", str(folder), *ADDED, *options)
    return folder.parent / "data/raw/mine"


def resolver_of(folder, by_name, *names):
    return AudioPathResolver(folder, ((name, name) for name in names), by_name)


# Where a file lies.


def test_a_path_is_sought_from_its_table_and_from_the_folder(tmp_path):
    resolver = resolver_of(tmp_path, False, "x/a.wav", "a.wav", "y/b.wav")
    assert resolver.resolve("a.wav", "x", "t:1") == "x/a.wav"
    assert resolver.resolve("a.wav", "", "t:1") == "a.wav"
    assert resolver.resolve("../y/b.wav", "x", "t:1") == "y/b.wav"
    assert resolver.resolve("y\\b.wav", "", "t:1") == "y/b.wav"
    assert resolver.resolve(f"{tmp_path}/y/../x/a.wav", "", "t:1") == "x/a.wav"


def test_composed_and_decomposed_names_are_one(tmp_path):
    decomposed = unicodedata.normalize("NFD", "č.wav")
    assert resolver_of(tmp_path, False, decomposed).resolve("č.wav", "", "t:1") == decomposed
    assert resolver_of(tmp_path, False, "č.wav").resolve(decomposed, "", "t:1") == "č.wav"


@pytest.mark.parametrize("path", ["../a.wav", "x/../../a.wav", "..", ".", "", " ", "/etc/a.wav"])
def test_a_path_that_leads_out_is_refused(path, tmp_path):
    with pytest.raises(RefusedError, match=r"t:1: path '.*' must lie inside"):
        resolver_of(tmp_path, False, "a.wav").resolve(path, "", "t:1")


def test_paths_of_another_machine_are_found_by_what_most_of_their_end_agrees_with(tmp_path):
    resolver = resolver_of(tmp_path, True, "ana/1.wav", "ivo/1.wav", "2.wav")
    assert resolver.resolve("/corpora/wav/ivo/1.wav", "", "t:1") == "ivo/1.wav"
    assert resolver.resolve("wav/2.wav", "", "t:1") == "2.wav"
    assert resolver.by_end == [("/corpora/wav/ivo/1.wav", "ivo/1.wav"), ("wav/2.wav", "2.wav")]
    with pytest.raises(
        RefusedError, match=r"'/x/1\.wav' could be any of \['ana/1\.wav', 'ivo/1\.w"
    ):
        resolver.resolve("/x/1.wav", "", "t:1")
    with pytest.raises(RefusedError, match=r"t:1: '/x/3\.wav' is not in"):
        resolver.resolve("/x/3.wav", "", "t:1")
    with pytest.raises(RefusedError, match=r"must lie inside"):
        resolver.resolve("../3.wav", "", "t:1")


@pytest.mark.parametrize("path", ["pia/1.wav", "{folder}/pia/1.wav"])
def test_another_speakers_file_of_the_same_name_is_not_taken(path, tmp_path):
    with pytest.raises(RefusedError, match=r"pia/1\.wav' is not in"):
        resolver_of(tmp_path, True, "ana/1.wav").resolve(path.format(folder=tmp_path), "", "t:1")


@settings(max_examples=200, deadline=None)
@given(st.text("ab./\\~č ", max_size=12), st.sampled_from(["", "a", "a/b"]), st.booleans())
def test_no_path_is_ever_found_outside(path, base, by_name):
    files = ("a/b.wav", "b", "č/a", "a/a")
    try:
        result = resolver_of(Path("corpus"), by_name, *files).resolve(path, base, "t:1")
    except RefusedError:
        return
    assert result in files


def test_a_link_out_of_the_folder_is_refused_and_a_pipe_is_never_opened(folder, monkeypatch):
    write_audio(folder / "a.wav", 1)
    write_audio(folder.parent / "secret.wav", 2)
    os.mkfifo(folder / "pipe.wav")
    write_lines(folder / "t.csv", HEADER, "a.wav,da,ana,hr")
    assert scan(folder).special_files == ("pipe.wav",)
    assert not (add(monkeypatch, folder) / "pipe.wav").exists()
    (folder / "link.wav").symlink_to(folder.parent / "secret.wav")
    write_lines(folder / "t.csv", HEADER, "a.wav,da,ana,hr", "link.wav,da,ana,hr")
    with pytest.raises(ValueError, match=r"t\.csv:3: 'link\.wav' is a link out of"):
        add(monkeypatch, folder, "--name", "other")


# How it is called.


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a.flac", "a.flac"], r"'a\.flac' and 'a\.flac' are the same name"),
        (["Ana.wav", "ana.wav"], r"'Ana\.wav' and 'ana\.wav' are the same name without case"),
        (["ČAŠA.wav", "čaša.wav"], r"are the same name without case"),
        (["x/č.wav", "x/c\u030c.wav"], r"are the same name without case and Unicode composition"),
        (["x/ß.wav", "x/ss.wav"], r"are the same name without case"),
        (["a", "a/b.wav"], r"'a/b\.wav' needs a folder where 'a' is a file"),
        (["a\n.wav"], r"the name 'a\\n\.wav' has the character '\\n'; rename it"),
        (["a\udcff.wav"], r"has the character '\\udcff'; rename it"),
        ([" a.wav"], r"the name ' a\.wav' begins or ends with a space"),
        (["METADATA.csv"], r"METADATA\.csv: this name is reserved for a file of the corpus"),
        (["corpus.json/a.wav"], r"this name is reserved for a file of the corpus"),
    ],
)
def test_names_that_cannot_be_kept_are_refused(names, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        check_names(names, tmp_path)


def test_names_that_collide_stop_the_adding(folder, monkeypatch):
    for name in ("Ana.wav", "ana.wav"):
        write_audio(folder / name, 1)
    write_lines(folder / "t.csv", HEADER, "Ana.wav,da,ana,hr", "ana.wav,ne,ana,hr")
    with pytest.raises(ValueError, match=r"'Ana\.wav' and 'ana\.wav' are the same name"):
        add(monkeypatch, folder, "--leave-out")
    assert not (folder.parent / "data").exists()


# Who speaks, and what.


@pytest.mark.parametrize(
    ("pattern", "stem", "result"),
    [
        ("{speaker}/{}", "ana/x/1", {"speaker": "ana"}),
        ("{}_{speaker}_{}", "audio/7_theo_0", {"speaker": "theo"}),
        ("{language}/{speaker}-{session}", "hr/ana-1",
         {"language": "hr", "speaker": "ana", "session": "1"}),
        ("{speaker}", "ana", {"speaker": "ana"}),
        ("{speaker}", "x/ana", None),
        ("{speaker}.{}", "anax1", None),
    ],
)  # fmt: skip
def test_a_pattern_reads_names(pattern, stem, result):
    assert parse(pattern).read(stem) == result


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("{voice}/{}", r"--pattern '\{voice\}/\{\}': \{voice\} is not one of \['speaker'"),
        ("{speaker}/{speaker}", r"\{speaker\} occurs twice"),
        ("{}/{}", r"no field; expected one of"),
        ("{speaker}{}", r"two adjacent fields; write the text between"),
    ],
)
def test_a_pattern_that_says_nothing_is_refused(pattern, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse(pattern)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], r"nothing says the speaker of the clips; give --speaker, or --pattern such as '\{spe"),
        (["--speaker", "ana"], r"nothing says the language of the clips; give --language, or"),
        (
            ["--speaker", "ana", "--pattern", "{speaker}/{}"],
            r"--speaker and --pattern both say the speaker; give one of them",
        ),
    ],
)
def test_an_option_is_requested_for_a_missing_speaker_or_language(
    options, sentence, folder, monkeypatch
):
    write_lines(write_audio(folder / "ana/a.wav", 1).with_suffix(".txt"), "da")
    with pytest.raises(ValueError, match=sentence):
        add(monkeypatch, folder, *options)


def test_languages_and_sexes_are_read_in_their_usual_spellings(folder, monkeypatch, capsys):
    rows = ("hr-HR,female", "SRP,M", "bos_BA,ž", "en,other", "bs,")
    lines = [f"{n}.wav,da,v{n},{row}" for n, row in enumerate(rows)]
    for number in range(len(rows)):
        write_audio(folder / f"{number}.wav", number)
    write_lines(folder / "t.csv", "path,text,speaker,locale,gender", *lines)
    clips = read_clips(add(monkeypatch, folder))
    assert [clip.language for clip in clips] == ["hr", "sr", "bs", "en", "bs"]
    assert [clip.sex for clip in clips] == ["f", "m", "f", "", ""]
    assert "no sex     neither f nor m: other 1" in capsys.readouterr().out


def test_unknown_languages_are_counted(folder, monkeypatch, capsys):
    rows = []
    for number, language in enumerate(("de", "hr", "fr", "de")):
        write_audio(folder / f"{number}.wav", number)
        rows.append(f"{number}.wav,da,ana,{language}")
    write_lines(folder / "t.csv", HEADER, *rows)
    with pytest.raises(
        ValueError, match=r"'de' is unknown; .*, and 2 more; --leave-out adds the r"
    ):
        add(monkeypatch, folder)
    assert "unknown language 3 (de 2, fr 1): " in capsys.readouterr().out
    assert len(read_clips(add(monkeypatch, folder, "--leave-out"))) == 1


def test_a_clip_is_refused_with_its_missing_parent(folder, monkeypatch):
    for name in "abcd":
        write_audio(folder / f"{name}.wav", ord(name))
    rows = [
        "a.wav,da,ana,xx,",
        "b.wav,da,ana,hr,a.wav",
        "c.wav,da,ana,hr,b.wav",
        "d.wav,da,ana,hr,",
    ]
    write_lines(folder / "t.csv", f"{HEADER},parent", *rows)
    out = add(monkeypatch, folder, "--leave-out")
    assert [clip.path for clip in read_clips(out)] == ["d.wav"]
    write_lines(folder / "t.csv", f"{HEADER},parent", "a.wav,da,ana,hr,a.wav")
    with pytest.raises(
        ValueError, match=r"t\.csv:2: parent 'a\.wav' is not another clip of the co"
    ):
        add(monkeypatch, folder, "--name", "other")


def test_what_is_not_understood_does_not_reach_the_terminal_as_it_is(folder, monkeypatch, capsys):
    write_audio(folder / "a.wav", 1)
    write_lines(folder / "t.csv", HEADER, "a.wav,da,\x1b[2Jana,hr")
    add(monkeypatch, folder)
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert "'\\x1b[2Jana'" in output


# Phones.


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_become_symbols_that_the_language_has(language):
    letters = LETTERS if language in SOUTH_SLAVIC else {}
    for label in [*letters, *(ARPABET if language == "en" else {})]:
        (symbol,) = symbols_of(label, language)
        assert symbol in INVENTORY
    own = [p for p in INVENTORY if (p in LETTERS.values()) == (language != "en")]
    assert all(symbols_of(phone, language) == (phone,) for phone in own)


def test_english_stress_is_dropped_but_where_it_tells_a_schwa():
    labels = ("AH0", "AH1", "EY2", "sil")
    assert [symbols_of(label, "en") for label in labels] == [("ə",), ("ʌ",), ("eɪ",), ()]


def test_a_label_of_two_phones_is_parted_in_the_middle():
    timed = timed_phones([(0.0, 0.2, "aɪə")], "en")
    assert timed.times_s == ((0.0, 0.1), (0.1, 0.2))


@pytest.mark.parametrize("label", ["S", "AH0", "?", "spn", "Č"])
def test_a_label_in_no_table_is_not_guessed(label):
    assert timed_phones([(0.0, 0.1, label), (0.1, 0.2, "a")], "hr") == [label]


def test_given_says_nothing_by_default():
    assert ImportOptions() == ImportOptions("", (), {}, {}, None, {})


def test_without_clips_nothing_is_added(folder, monkeypatch):
    write_lines(write_audio(folder / "a.wav", 1).with_suffix(".txt"), "")
    with pytest.raises(ValueError, match=r"from: no clip is left to add"):
        add(monkeypatch, folder, "--leave-out", "--speaker", "ana", "--language", "hr")
