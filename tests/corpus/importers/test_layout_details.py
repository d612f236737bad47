"""What is particular to one layout: segments, validated clips, tiers."""

from __future__ import annotations

import layout_maker as maker
import pytest
import soundfile as sf
from corpus_maker import RATE
from layout_maker import ADDED, LEAVE_OUT, UNTRANSCRIBED, line, write_audio, write_grid, write_lines

from fonoteka.corpus.clip_terms import ClipTerms, own_terms
from fonoteka.corpus.corpus import read_clips, read_phones


def samples(path):
    return sf.read(path, dtype="int16")[0]


def test_kaldi_runs_nothing(folder, command, tmp_path):
    options = maker.kaldi(folder)
    line("wav.scp", f"ivo-2 touch {tmp_path}/ran |", 2)(folder)
    assert len(read_clips(command(*ADDED, *options, LEAVE_OUT, UNTRANSCRIBED))) == 2
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("ivo-2 rec 1.0", r"segments:3: 'rec 1\.0' is not 'recording start end'"),
        ("ivo-2 rec a b", r"segments:3: 'rec a b' is not 'recording start end'"),
        ("ivo-2 rec 1.2 1.1", r"segments:3: 'audio/.*': 1\.2 to 1\.1 s is not within its 1\.500 s"),
        ("ivo-2 rec 1.2 2.1", r"1\.2 to 2\.1 s is not within its 1\.500 s"),
        ("ivo-2 rec nan 1.1", r"nan to 1\.1 s is not within"),
        ("ivo-2 tape 1.2 1.4", r"segments:3: recording 'tape' is not in wav\.scp"),
    ],
)
def test_an_invalid_segment_is_named(row, sentence, folder, command):
    options = maker.kaldi(folder, True)
    line("segments", row, 2)(folder)
    with pytest.raises(ValueError, match=sentence):
        command(*ADDED, *options)


def test_a_segment_may_end_a_little_behind_its_recording(folder, command):
    options = maker.kaldi(folder, True)
    line("segments", "ivo-2 rec 1.0 1.9", 2)(folder)
    out = command(*ADDED, *options)
    assert len(samples(out / "audio/све заједно/ivo-2.flac")) == RATE // 2


def test_a_manifest_may_say_the_length_of_a_whole_file(folder, command):
    write_audio(folder / "a.wav", 1, seconds=0.53)
    entry = '{"audio_filepath": "a.wav", "text": "da", "duration": 0.5, "speaker": 7}'
    write_lines(folder / "m.jsonl", entry)
    (clip,) = read_clips(command(*ADDED, "--language", "hr"))
    assert (clip.path, clip.speaker, clip.session) == ("a.wav", "7", "")


def test_a_manifest_that_says_more_than_the_file_has_is_refused(folder, command):
    write_audio(folder / "a.wav", 1)
    write_lines(folder / "m.json", '{"audio_filepath": "a.wav", "text": "da", "duration": 3.5}')
    with pytest.raises(
        ValueError, match=r"m\.json:1: 'a\.wav': 0 to 3\.5 s is not within its 0\.5"
    ):
        command(*ADDED, "--language", "hr", "--speaker", "ana")


def test_common_voice_takes_what_was_validated_or_the_table_that_is_named(folder, command, capsys):
    maker.common_voice(folder)
    command(kind="look")
    output = capsys.readouterr().out
    assert "not read   'train.tsv'; name one with --table" in output
    assert "clips      3" in output
    command("--table", "sr/train.tsv", kind="look")
    assert "clips      1" in capsys.readouterr().out
    (folder / "sr/validated.tsv").rename(folder / "sr/other.tsv")
    with pytest.raises(
        ValueError, match=r"holds 2 tables of Common Voice, \['sr/other\.tsv', 'sr/t"
    ):
        command(kind="look")


def test_a_text_beside_a_textgrid_is_the_transcript(folder, command):
    options = maker.praat(folder)
    write_lines(folder / "ivo/1_šuma 3.lab", "Да, не!")
    write_lines(write_audio(folder / "ivo/2_ x.wav", 7).with_suffix(".lab"), "Још.")
    texts = {clip.path: clip.text for clip in read_clips(command(*ADDED, *options))}
    assert texts["ivo/1_šuma 3.wav"] == "Да, не!"
    assert texts["ivo/2_ x.wav"] == "Још."


def test_a_label_in_no_table_leaves_the_phones_of_its_clip_out(folder, command, capsys):
    options = maker.praat(folder)
    tiers = {"words": [(0.0, 0.5, "да")], "phones": [(0.0, 0.2, "spn"), (0.2, 0.5, "a")]}
    write_grid(folder / "ivo/1_šuma 3.TextGrid", tiers)
    out = command(*ADDED, *options)
    output = "no phones  1 clips, for labels in no table: spn 1"
    assert output in capsys.readouterr().out
    assert len(read_phones(out)) == 2


GRIDS = {
    "tiers": ({"x": [(0.0, 0.5, "da")]}, r"which of the tiers \['x'\] holds words\? say with"),
    "two": (
        {"words": [(0.0, 0.5, "da")], "word": [(0.0, 0.5, "ne")]},
        r"the tier of words could be any of \['words', 'word'\]; name one with --words-tier"),
    "speakers": (
        {"ana - words": [(0.0, 0.5, "da")], "ivo - phones": [(0.0, 0.5, "a")]},
        r"\['ana - words', 'ivo - phones'\] are tiers of different speakers"),
    "long": (
        {"words": [(0.0, 2.0, "da")], "phones": [(0.0, 2.0, "a")]},
        r"its labels end at 2 s, but 'a\.wav' has 0\.500 s; it is of another recording"),
}  # fmt: skip


@pytest.mark.parametrize("case", GRIDS)
def test_a_textgrid_that_says_too_little_or_too_much_is_refused(case, folder, command):
    tiers, sentence = GRIDS[case]
    write_grid(write_audio(folder / "a.wav", 1).with_suffix(".TextGrid"), tiers)
    with pytest.raises(ValueError, match=sentence):
        command(*ADDED, "--language", "hr", "--speaker", "ana")


def test_a_textgrid_that_was_cut_off_is_refused(folder, command):
    path = write_audio(folder / "a.wav", 1).with_suffix(".TextGrid")
    tier = [(0.0, 0.1, "da"), (0.1, 0.3, "ne"), (0.3, 0.5, "da")]
    write_grid(path, {"words": tier}, "short_textgrid")
    lines = path.read_text(encoding="utf-8").splitlines()
    write_lines(path, *lines[:-3])
    with pytest.raises(ValueError, match=r"tier 'words' has nothing from 0\.3 to 0\.5 s"):
        command(*ADDED, "--language", "hr", "--speaker", "ana")


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_textgrids_are_read_as_praat_writes_them(form, encoding, folder, command):
    path = write_audio(folder / "audio/a.wav", 1)
    tiers = {"pia - words": [(0.0, 0.5, "чаша")], "pia - phones": [(0.0, 0.5, "č")]}
    write_grid(folder / "aligned/a.TextGrid", tiers, form, encoding)
    out = command(*ADDED, "--language", "sr")
    (clip,) = read_clips(out)
    assert (clip.text, clip.speaker, out / clip.path) == ("чаша", "pia", out / "audio" / path.name)
    assert read_phones(out)["audio/a.wav"].phones == ("tʃ",)


def test_named_tiers_are_taken(folder, command):
    tiers = {"riječ": [(0.0, 0.5, "da")], "glas": [(0.0, 0.5, "a")], "words": [(0.0, 0.5, "ne")]}
    write_grid(write_audio(folder / "a.wav", 1).with_suffix(".TextGrid"), tiers)
    word_options = ["--speaker", "ana", "--language", "hr", "--words-tier", "riječ"]
    out = command(*ADDED, *word_options, "--phones-tier", "glas")
    assert read_clips(out)[0].text == "da"
    assert read_phones(out)["a.wav"].phones == ("a",)
    with pytest.raises(ValueError, match=r"no tier 'gone'; found \['riječ', 'glas', 'words'\]"):
        command("--name", "m", *ADDED[2:], *word_options, "--phones-tier", "gone")


def test_windows_line_ends_and_byte_order_marks_are_not_text(folder, command):
    path = write_audio(folder / "ana/a.wav", 1).with_suffix(".lab")
    path.write_bytes("\ufeffДобар\r\nдан\r\n".encode())
    (clip,) = read_clips(command(*ADDED, "--pattern", "{speaker}/{}", "--language", "sr"))
    assert clip.text == "Добар дан"


def test_a_kaldi_text_has_no_line_ends_but_newlines(folder, command):
    options = maker.kaldi(folder)
    line("text", "ivo-2 a\u0085b\u2028c", 2)(folder)
    assert "a b c" in {clip.text for clip in read_clips(command(*ADDED, *options))}


@pytest.mark.parametrize("make", [maker.kaldi, maker.nemo])
def test_a_part_of_what_cant_be_read_is_refused(make, folder, command):
    options = make(folder, True)
    (long,) = (path for path in folder.rglob("*") if path.suffix in (".wav", ".flac"))
    long.write_bytes(b"no sound")
    with pytest.raises(
        ValueError, match=r":\d: '.*' cannot be read, so not cut; convert it, say to"
    ):
        command(*ADDED, *options)


def test_a_whole_file_of_a_manifest_may_be_unreadable(folder, command, capsys):
    write_lines(folder / "a.wav", "no sound")
    write_lines(folder / "m.json", '{"audio_filepath": "a.wav", "text": "da", "duration": 3.5}')
    command(*ADDED, "--language", "hr", "--speaker", "ana")
    assert "unreadable 1, inventory will quarantine them: a.wav" in capsys.readouterr().out


def test_a_recording_that_breaks_while_it_is_cut_is_named(folder, command, monkeypatch):
    options = maker.kaldi(folder, True)

    def broken(path, parts):
        raise sf.LibsndfileError(0)

    monkeypatch.setattr("fonoteka.corpus.importers.copy.cut", broken)
    with pytest.raises(ValueError, match=r"заједно\.wav: cannot be cut: .*; repair it or leave it"):
        command(*ADDED, *options)
    assert not (folder.parent / "data/raw/mine").exists()


def test_licence_and_source_of_single_clips_are_taken_over(folder, command):
    write_audio(folder / "a.wav", 0)
    write_audio(folder / "b.wav", 1)
    head = "file,text,speaker,language,License,source"
    write_lines(folder / "t.csv", head, "a.wav,da,ana,hr,CC0,her own", "b.wav,ne,ivo,hr,,")
    out = command(*ADDED)
    assert own_terms(out) == {"a.wav": ClipTerms("CC0", "her own")}
    header = (out / "metadata.csv").read_text().splitlines()[0]
    assert header == "path,text,speaker,language,licence,source"


def test_a_manifest_of_nemo_says_the_licence_of_a_clip(folder, command):
    write_audio(folder / "a.wav", 0)
    entry = '"text": "da", "speaker": "ana", "lang": "hr", "license": "CC BY 4.0"'
    write_lines(folder / "m.json", f'{{"audio_filepath": "a.wav", {entry}}}')
    assert own_terms(command(*ADDED)) == {"a.wav": ClipTerms("CC BY 4.0", "")}


def test_a_source_that_no_table_can_hold_is_refused(folder, command):
    write_audio(folder / "a.wav", 0)
    entry = r'"text": "da", "speaker": "ana", "lang": "hr", "source": "\ud800"'
    write_lines(folder / "m.json", f'{{"audio_filepath": "a.wav", {entry}}}')
    with pytest.raises(ValueError, match="is not valid Unicode"):
        command(*ADDED)
