"""Files and pages of a recording, from its text or from the words that are recognised."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from command_line import run_fonoteka
from spoken_words import spoken

from fonoteka.alignment import align_recording as module
from fonoteka.alignment.align_recording import (
    AlignmentRequest,
    doubt_of,
    read_text,
    score_of,
    write_files,
    write_page,
)
from fonoteka.alignment.aligned_text import (
    AlignedLine,
    AlignedText,
    AlignedWord,
    broken_into_lines,
)
from fonoteka.core.files import read_json
from fonoteka.phones import LABELS
from fonoteka.text.language_id import LanguageGuess
from fonoteka.transcribe import PhoneModel
from fonoteka.transcribe_words import TimedText


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """A recording of "dobar dan", with a model that knows its phones."""
    signal, log_probs = spoken(["dobar", "dan"])
    path = tmp_path / "clip.wav"
    soundfile.write(path, signal, 16_000)
    monkeypatch.setattr(module, "open_phone_model", lambda name: PhoneModel(name, None, []))
    monkeypatch.setattr(module, "longest_input_s", lambda session: 60)

    def posteriors(_session, part, _longest_s):
        if len(part) == len(signal):
            return log_probs
        start = int(np.abs(np.correlate(signal, part[:4_000], "valid")).argmax()) // 320
        return log_probs[start : start + -(-len(part) // 320)]

    monkeypatch.setattr(module, "posteriors", posteriors)
    (tmp_path / "text.txt").write_text("Добар дан!\n", encoding="utf-8")
    return path


def request(recording, **more):
    return AlignmentRequest(recording, recording.parent / "text.txt", **({"language": "sr"} | more))


def test_a_file_per_format_lies_beside_the_recording(recording):
    paths = write_files(request(recording), ["json", "lrc_words", "vtt"], None, "latin")
    assert [path.name for path in paths] == ["clip.json", "clip.lrc", "clip.vtt"]
    (segment,) = read_json(recording.with_suffix(".json"))["segments"]
    assert segment["text"] == "Dobar dan!"
    assert segment["words"][0]["start"] == pytest.approx(0.2, abs=0.025)
    assert "Dobar" in recording.with_suffix(".lrc").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "lines"),
    [("dobar dan", ["dobar", "dan"]), ("dobar dan\ndobar", ["dobar dan", "dobar"])],
)
def test_a_text_of_one_line_is_broken_at_pauses(recording, text, lines, monkeypatch):
    monkeypatch.setattr(
        module, "broken_into_lines", lambda aligned: broken_into_lines(aligned, pause_s=0.1)
    )
    (recording.parent / "text.txt").write_text(text)
    (path,) = write_files(request(recording), ["json"], None, None)
    assert [segment["text"] for segment in read_json(path)["segments"]] == lines


def test_the_files_can_lie_elsewhere(recording, tmp_path):
    (path,) = write_files(request(recording), ["srt"], tmp_path / "out", None)
    assert path == tmp_path / "out" / "clip.srt"
    assert "Добар дан!" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (["json", "mp3"], "format 'mp3' is not one of json, textgrid"),
        (["lrc", "lrc_words"], "formats lrc and lrc_words both write .*clip.lrc; choose one"),
    ],
)
def test_formats_are_checked_before_anything_is_aligned(recording, formats, message, monkeypatch):
    monkeypatch.setattr(module, "load_recording", lambda path: pytest.fail("was read"))
    with pytest.raises(ValueError, match=message):
        write_files(request(recording), formats, None, None)


@pytest.mark.parametrize(
    ("language", "script", "message"),
    [
        ("hr", "cyrillic", "language hr is not written in Cyrillic here"),
        ("auto", "runes", "script 'runes' is not one of latin, cyrillic"),
    ],
)
def test_a_script_is_checked_before_anything_is_aligned(
    recording, language, script, message, monkeypatch
):
    monkeypatch.setattr(module, "load_recording", lambda path: pytest.fail("was read"))
    with pytest.raises(ValueError, match=message):
        write_files(request(recording, language=language), ["json"], None, script)


def test_a_script_is_checked_again_for_the_language_of_the_text(recording, monkeypatch):
    monkeypatch.setattr(module, "identify_language", lambda text: LanguageGuess("hr", 1.0, "latin"))
    with pytest.raises(ValueError, match="language hr is not written in Cyrillic here"):
        write_files(request(recording, language="auto"), ["json"], None, "cyrillic")


def test_the_page_has_both_scripts_of_serbian(recording):
    page = write_page(request(recording), None, "Pozdrav", embed=False)
    html = page.read_text(encoding="utf-8")
    assert page == recording.with_suffix(".html")
    assert "Добар" in html
    assert "Dobar" in html
    assert "clip.wav" in html


def test_a_page_that_cannot_be_written_is_one_sentence(recording, tmp_path):
    page = tmp_path / "text.txt" / "page.html"
    with pytest.raises(ValueError, match="cannot be written: "):
        write_page(request(recording), page, None, embed=False)


def test_the_language_is_guessed_from_the_text(recording, capsys):
    write_files(request(recording, language="auto"), ["json"], None, None)
    assert "text.txt: language sr, by its text" in capsys.readouterr().err


def test_another_text_than_the_spoken_one_is_reported_with_its_score(recording, capsys):
    (recording.parent / "text.txt").write_text("kuća više žute zelje")
    write_files(request(recording), ["json"], None, None)
    printed = capsys.readouterr().err
    assert "clip.wav: the text fits badly: its score is 0.0" in printed
    assert "of 1, and 4 of 4 words are suspect" in printed


def test_a_text_that_fits_is_not_reported(recording, capsys):
    write_files(request(recording), ["json"], None, None)
    assert capsys.readouterr().err == ""


def text_with(*scores, unexplained_s=0.0):
    words = [
        AlignedWord("da", n, n + 0.5, score, unexplained_s=unexplained_s)
        for n, score in enumerate(scores)
    ]
    return AlignedText("sr", 99.0, (AlignedLine(tuple(words)),))


def test_the_score_of_a_text_is_the_geometric_mean_of_those_of_its_words():
    assert score_of(text_with(0.1, 0.4)) == pytest.approx(0.2)
    # One word of 0 counts as 0.001, and does not decide the text.
    assert score_of(text_with(0.0, 1.0, 1.0)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (text_with(0.9, 0.9, 0.01), ""),
        (text_with(0.16, 0.16), ""),
        (text_with(0.14, 0.14), "its score is 0.14 of 1, and 0 of 2 words are suspect"),
        (text_with(0.9, 0.9, unexplained_s=1.0), "its score is 0.90 of 1, and 2 of 2 words"),
    ],
)
def test_a_low_score_is_a_doubt_and_so_are_many_suspect_words(text, doubt):
    assert doubt in doubt_of(text)
    assert bool(doubt_of(text)) == bool(doubt)


@pytest.mark.parametrize("level", [0.3, 1e-2])
def test_noise_has_a_low_score(recording, level, monkeypatch, capsys):
    noise = np.random.default_rng(1).standard_normal(32_000).astype(np.float32) * level
    soundfile.write(recording, np.clip(noise, -1, 1), 16_000)
    flat = np.full((100, len(LABELS)), -np.log(len(LABELS)), dtype=np.float32)
    monkeypatch.setattr(module, "posteriors", lambda *_: flat)
    write_files(request(recording), ["json"], None, None)
    assert f"its score is {1 / (len(LABELS) - 1):.2f} of 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe\x00", "not a text in UTF-8"),
     (b"a\0b", "contains a NUL")],
)  # fmt: skip
def test_a_file_without_a_text_is_refused(tmp_path, content, message):
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_text(tmp_path / "text.txt")


def test_a_missing_text_and_an_unknown_language_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.txt: No such file or directory"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="language 'de' is unknown; expected one of auto, bs"):
        AlignmentRequest(tmp_path / "clip.wav", None, language="de")


class TwoWindows:
    """A model that recognises two windows; the second contains no word that can be aligned."""

    language = "sr"

    def __init__(self, _folder):
        pass

    def lines(self, blocks, _options, _place):
        end_s = sum(map(len, blocks)) / 16_000
        yield TimedText(0.1, end_s - 0.4, "Dobar dan.", loops=False)
        yield TimedText(end_s - 0.2, end_s, "这", loops=False)


def test_without_a_text_the_recognised_words_are_aligned(recording, monkeypatch, capsys):
    monkeypatch.setattr(module, "Transcriber", TwoWindows)
    monkeypatch.setattr(module, "words_folder", lambda name: name)
    (path,) = write_files(AlignmentRequest(recording, None, "sr"), ["json"], None, None)
    (segment,) = read_json(path)["segments"]
    assert segment["text"] == "Dobar dan."
    assert segment["start"] == pytest.approx(0.2, abs=0.03)
    assert "s is left out: " in capsys.readouterr().err


def test_the_command_names_what_it_wrote(recording, capsys):
    text = recording.parent / "text.txt"
    run_fonoteka("align", recording, "--text", text, "--language", "sr", "--format", "ctm,ass")
    assert capsys.readouterr().out.split() == [
        str(recording.with_suffix(suffix)) for suffix in (".ctm", ".ass")
    ]
    run_fonoteka("karaoke", recording, "--text", text, "--language", "sr", "--embed")
    assert "data:audio" in recording.with_suffix(".html").read_text(encoding="utf-8")
