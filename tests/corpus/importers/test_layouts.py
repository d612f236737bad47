"""Each layout returns the clips that were written, and one sentence per error."""

from __future__ import annotations

import layout_maker as maker
import numpy as np
import pytest
import soundfile as sf
from corpus_maker import RATE
from layout_maker import (
    ADDED,
    LEAVE_OUT,
    MAKERS,
    RECORDINGS,
    UNTRANSCRIBED,
    line,
    without,
    write_audio,
    write_lines,
)

from fonoteka.corpus.corpus import TimedPhones, read_card, read_clips, read_phones
from fonoteka.tables import read_table

WHOLE = {name: make for name, make in MAKERS.items() if name != "textgrid"}


def samples(path):
    return sf.read(path, dtype="int16")[0]


@pytest.mark.parametrize("layout", WHOLE)
def test_a_layout_is_detected_and_its_clips_are_complete(layout, folder, command, capsys):
    options = WHOLE[layout](folder)
    out = command(*ADDED, *options)
    assert capsys.readouterr().out.startswith(f"layout     {layout}, by ")
    clips = {clip.text: clip for clip in read_clips(out)}
    assert sorted(clips) == sorted(recording.text for recording in RECORDINGS)
    for recording in RECORDINGS:
        clip = clips[recording.text]
        assert clip.language == "sr"
        assert clip.speaker == ("ana" if layout == "ljspeech" else recording.speaker)
        assert clip.sex == ("" if layout in ("ljspeech", "sidecar") else recording.sex)
        copied = out / clip.path
        (source,) = folder.rglob(copied.name)
        assert copied.read_bytes() == source.read_bytes()
        assert copied.relative_to(out) == source.relative_to(folder)
    assert read_card(out).licence == "CC0"
    assert read_phones(out) == {}


@pytest.mark.parametrize("layout", ["audiofolder", "librispeech", "sidecar", "table"])
def test_sessions_are_kept_where_the_layout_has_them(layout, folder, command):
    out = command(*ADDED, *WHOLE[layout](folder))
    chapter = "{0.speaker}-{0.session}" if layout == "librispeech" else "{0.session}"
    result = {clip.text: clip.session for clip in read_clips(out)}
    assert result == {recording.text: chapter.format(recording) for recording in RECORDINGS}


def test_columns_that_no_clip_fills_are_not_written(folder, command):
    out = command(*ADDED, *maker.ljspeech(folder))
    (row, *_) = read_table(out / "metadata.csv", ())
    assert list(row) == ["path", "text", "speaker", "language"]


@pytest.mark.parametrize("make", [maker.kaldi, maker.nemo])
def test_parts_are_cut_sample_by_sample_and_share_a_session(make, folder, command, capsys):
    out = command(*ADDED, *make(folder, True))
    output = capsys.readouterr().out
    assert "cut        3 clips out of 1 files" in output
    assert "sessions   1, 1 of them with several speakers, who stay together" in output
    clips = read_clips(out)
    assert [clip.text for clip in clips] == [recording.text for recording in RECORDINGS]
    (long,) = (path for path in folder.rglob("*") if path.suffix in (".wav", ".flac"))
    assert {clip.session for clip in clips} == {long.relative_to(folder).as_posix()}
    for number, clip in enumerate(clips):
        assert clip.path.endswith(".flac")
        part = slice(number * RATE // 2, (number + 1) * RATE // 2)
        np.testing.assert_array_equal(samples(out / clip.path), samples(long)[part])
    assert not list(out.rglob(long.name))


def test_phones_and_times_come_from_textgrids(folder, command, capsys):
    out = command(*ADDED, *maker.praat(folder))
    assert "phones     3 clips with times" in capsys.readouterr().out
    expected = TimedPhones(
        ("d", "a", "n", "e"), ((0.1, 0.25), (0.25, 0.4), (0.4, 0.45), (0.45, 0.5))
    )
    clips = read_clips(out)
    assert read_phones(out) == {clip.path: expected for clip in clips}
    assert {clip.text for clip in clips} == {"да не"}


def test_a_corpus_of_ours_keeps_its_phones_and_parents(folder, command):
    (folder / "x").mkdir(parents=True)
    write_audio(folder / "x/a.wav", 1)
    write_audio(folder / "b.wav", 2)
    write_lines(
        folder / "metadata.csv", "path,text,speaker,language,parent", "b.wav,da,ana,hr,x/a.wav",
        "x/a.wav,da,ana,hr,",
    )  # fmt: skip
    write_lines(folder / "phones.jsonl", '{"path": "b.wav", "phones": ["d"], "times_s": [[0, 1]]}')
    out = command(*ADDED)
    assert [clip.parent for clip in read_clips(out)] == ["x/a.wav", ""]
    assert read_phones(out) == {"b.wav": TimedPhones(("d",), ((0.0, 1.0),))}


def test_a_look_shows_everything_and_copies_nothing(folder, command, capsys):
    maker.librispeech(folder)
    command(kind="look")
    output = capsys.readouterr().out
    for shown in (
        "layout     librispeech, by 3 files: dev-clean/ana/1/ana-1.trans.txt, ",
        "language   en, as of all LibriSpeech: SPEAKERS.TXT is there",
        "clips      3, 1.5 s", "speakers   2: ana, ivo", "languages  en 3",
        "sex        f 1, m 1 of 2 speakers", "sessions   3\n",
    ):  # fmt: skip
        assert shown in output
    assert not (folder.parent / "data").exists()


def test_a_look_says_whether_it_would_be_added(folder, command, capsys):
    options = maker.sidecar(folder)
    write_audio(folder / "ivo/3_lost.wav", 5)
    command(*options, kind="look")
    assert "\nrefused    " in capsys.readouterr().out
    command(*options, LEAVE_OUT, kind="look")
    assert "refused" not in capsys.readouterr().out


# What is wrong, layout by layout: how it is made wrong, and the sentence.


WRONG = {
    "audiofolder: missing file": ("audiofolder", without("*.ogg"), r"csv:\d: 'data/.*' is not in"),
    "audiofolder: wrong row": (
        "audiofolder", line("metadata.csv", "a,b"), r"csv:4: 2 values where the header has 6"),
    "audiofolder: wrong line": (
        "audiofolder", line("metadata.jsonl", '{"file_name": "a.wav"}'),
        r"metadata\.jsonl:2: .* is not a JSON object with the same keys"),
    "commonvoice: missing file": ("commonvoice", without("*.mp3"), r"\.tsv:\d: '.*' is not"),
    "commonvoice: wrong row": (
        "commonvoice", line("validated.tsv", "ana\tx.mp3"), r"tsv:5: 2 values where the header"),
    "commonvoice: language": (
        "commonvoice", line("validated.tsv", f"a\t{RECORDINGS[0].name}.mp3\t\tja\t\t\t\tde\t", 1),
        r"validated\.tsv:2: language 'de' is unknown"),
    "kaldi: missing file": ("kaldi", without("*.wav"), r"wav\.scp:\d: '/corpora/.*' is not in"),
    "kaldi: command": (
        "kaldi", line("wav.scp", "ivo-2 sox a.wav -t wav - |", 2),
        r"wav\.scp:3: 'ivo-2' is a command and not a file, 'sox a\.wav -t wav - \|'; commands"),
    "kaldi: no recording": ("kaldi", line("text", "pia-9 да"), r"text:4: 'pia-9' is not in wav\."),
    "kaldi: no speaker": ("kaldi", line("utt2spk", "x y", 0), r"wav\.scp:1: speaker is empty"),
    "kaldi: twice": ("kaldi", line("text", "ana-0 да"), r"text:4: 'ana-0' is already at .*text:1"),
    "librispeech: missing file": ("librispeech", without("*.flac"), r"txt:1: 'dev-.*' is not in"),
    "librispeech: wrong row": (
        "librispeech", line("ana-1.trans.txt", "no id"), r"ana-1\.trans\.txt:2: 'no' is not an id"),
    "librispeech: wrong speakers": (
        "librispeech", line("SPEAKERS.TXT", "pia"), r"SPEAKERS\.TXT:4: 'pia' is not 'id \| sex"),
    "librispeech: encoding": (
        "librispeech",
        lambda f: write_lines(f / "dev-clean/ivo/1/ivo-1.trans.txt", "šuma", encoding="cp1250"),
        r"ivo-1\.trans\.txt:1: not UTF-8 at byte 0; save it as UTF-8"),
    "ljspeech: missing file": ("ljspeech", without("*.wav"), r"\.csv:\d: '.*wav' is not in"),
    "ljspeech: wrong row": (
        "ljspeech", line("metadata.csv", "a|b|c|d"), r"csv:4: 'a\|b\|c\|d' is neither id\|text"),
    "nemo: missing file": ("nemo", without("*.wav"), r"manifest\.json:\d: '/.*' is not in"),
    "nemo: wrong row": ("nemo", line("*.json", "{"), r"manifest\.json:4: '\{' is not JSON"),
    "nemo: no path": ("nemo", line("*.json", "[]"), r"json:4: '\[\]' is not a JSON object"),
    "nemo: offset": (
        "nemo", line("*.json", '{"audio_filepath": "a.wav", "offset": "1"}'),
        r"json:4: offset '1' is not a number of seconds"),
    "sidecar: missing file": (
        "sidecar", without("*.flac"), r"\.txt: there is no recording of that name"),
    "sidecar: two texts": (
        "sidecar", lambda folder: write_lines(folder / "ivo/1_šuma 3.lab", "ne"),
        r"1_šuma 3\.txt: another text than .*1_šuma 3\.lab"),
    "sidecar: labels": (
        "sidecar", lambda folder: write_lines(folder / "ivo/1_šuma 3.txt", "0 5000000 a"),
        r"šuma 3\.txt: holds labels with times and no text"),
    "sidecar: a book": (
        "sidecar", lambda f: write_lines(f / "ivo/1_šuma 3.txt", "da " * 400_000),
        r"šuma 3\.txt: too long for a transcript: 1200001 bytes, at most 1048576; move it"),
    "sidecar: encoding": (
        "sidecar", lambda f: write_lines(f / "ivo/1_šuma 3.txt", "šuma", encoding="cp1250"),
        r"šuma 3\.txt:1: not UTF-8 at byte 0; save it as UTF-8 .* Windows-1250"),
    "sidecar: name": (
        "sidecar", lambda f: write_lines(write_audio(f / "x.wav", 1).with_suffix(".txt"), "da"),
        r"x\.txt: 'x' does not fit --pattern '\{speaker\}/\{session\}_\{\}'"),
    "nemo: half a surrogate": (
        "nemo", line("*.json", '{"audio_filepath": "čaša-1.wav", "text": "\\ud800"}'),
        r"json:4: '\\ud800' is not valid Unicode"),
    "textgrid: missing file": ("textgrid", without("*.wav"), r"Grid: there is no recording of"),
    "textgrid: not one": (
        "textgrid", lambda f: write_lines(f / "ivo/1_šuma 3.TextGrid", "praat"),
        r"šuma 3\.TextGrid: not a TextGrid: "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_sentence_and_the_rest_can_be_added(case, folder, command):
    layout, spoil, sentence = WRONG[case]
    options = MAKERS[layout](folder)
    spoil(folder)
    with pytest.raises(ValueError, match=sentence) as error:
        command(*ADDED, *options)
    assert "\n" not in str(error.value)
    assert not (folder.parent / "data").exists()
    assert len(read_clips(command(*ADDED, *options, LEAVE_OUT))) in (2, 3)


@pytest.mark.parametrize(
    ("layout", "spoil"),
    [
        (
            "commonvoice",
            line("validated.tsv", f"ivo\t{RECORDINGS[2].name}.mp3\t\t\t\tother\t\tsr\t", 3),
        ),
        ("kaldi", line("text", "ivo-2", 2)),
        ("librispeech", line("ivo-1.trans.txt", "ivo-1-0002", 0)),
        ("ljspeech", line("metadata.csv", f"{RECORDINGS[2].name}||", 2)),
        ("nemo", line("*.json", '{"audio_filepath": "šuma 3.wav", "speaker": 7, "lang": "sr"}', 2)),
        ("sidecar", line("1_šuma 3.txt", " ", 0)),
        ("table", line("labels.csv", "šuma 3.wav;;ivo;sr;;x", 3)),
    ],
)
def test_a_clip_without_text_is_added_on_request(layout, spoil, folder, command, capsys):
    options = WHOLE[layout](folder)
    spoil(folder)
    with pytest.raises(ValueError, match=r"1 clips have no transcript: .*šuma 3|1 clips .*0002"):
        command(*ADDED, *options)
    assert "no text    1: " in capsys.readouterr().out
    clips = read_clips(command(*ADDED, *options, UNTRANSCRIBED))
    assert sorted(clip.text for clip in clips) == sorted(["", *(s.text for s in RECORDINGS[:2])])


@pytest.mark.parametrize("layout", WHOLE)
def test_audio_without_a_row_is_counted(layout, folder, command, capsys):
    options = WHOLE[layout](folder)
    write_audio(folder / "ivo/3_lost.wav", 5)
    with pytest.raises(ValueError, match=r"1 clips have no transcript: ivo/3_lost\.wav; add their"):
        command(*ADDED, *options)
    assert len(read_clips(command(*ADDED, *options, LEAVE_OUT))) == 3
    assert not (folder.parent / "data/raw/mine/ivo/3_lost.wav").exists()
