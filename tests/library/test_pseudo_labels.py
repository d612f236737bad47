"""Transcripts by Whisper: what is confident is written, the rest is listed with its reason."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
import soundfile
from clip_maker import noise
from whisper_maker import tiny_whisper

from fonoteka import pseudo_labels
from fonoteka.core.errors import UserError
from fonoteka.pseudo_labels import Verdict, table_of, verdict_of
from fonoteka.whisper.decode import Recognised

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    (root / "audio").mkdir(parents=True)
    for name, seconds in {"a": 1.0, "b": 31.0}.items():
        soundfile.write(root / f"audio/{name}.wav", 0.1 * noise(seconds), 16_000)
    (root / "audio/c.wav").write_text("no sound")
    (root / "labels.tsv").write_text(
        "path\tspeaker\n" + "".join(f"audio/{name}.wav\t{name}\n" for name in "abcd")
    )
    return root


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def result(text="one two", log_prob=-0.1, loops=False):
    return Recognised(text, log_prob, False, loops)


@pytest.mark.parametrize(
    ("decoded", "reason"),
    [
        (result(), ""),
        (result(loops=True), "the text is a loop"),
        (result(text=""), "no text"),
        (result(log_prob=-0.8), "log probability below -0.5: -0.80"),
    ],
)
def test_a_transcript_is_kept_or_has_a_reason(decoded, reason):
    assert verdict_of(decoded, "en", -0.5, 1.0).reason == reason


def test_a_text_that_covers_a_part_of_the_recording_is_left_out():
    title = result(text="Chapter 7")
    reason = verdict_of(title, "en", -0.5, 9.1).reason
    assert reason == "too few letters per second: 7 in 9.1 s"
    assert not verdict_of(title, "en", -0.5, 1.2).reason


def test_a_text_that_has_no_phones_is_left_out():
    assert verdict_of(result(text="日本"), "en", -0.5, 0.5).reason.startswith("no spelling: ")


def confident(monkeypatch):
    """Let the random model be confident, because its own texts are noise."""

    def recognise(whisper, signals, languages, *, short):
        assert not short
        return [result(text=f"clip {len(signal)}") for signal in signals]

    monkeypatch.setattr(pseudo_labels, "recognise", recognise)


def test_each_recording_is_in_one_of_two_tables(folder, model, tmp_path, monkeypatch, capsys):
    confident(monkeypatch)
    out = tmp_path / "out"
    pseudo_labels.run(folder, out, model, "en", "path", -0.5)
    assert rows(out / "labels.csv") == [
        {"path": "audio/a.wav", "speaker": "a", "text": "clip 16000", "log_prob": "-0.100"}
    ]
    reasons = {row["speaker"]: row["reason"] for row in rows(out / "left_out.txt")}
    assert reasons["b"] == "longer than 30 s: 31.0 s"
    assert "not a recording that can be read" in reasons["c"]
    assert "no such file" in reasons["d"]
    assert {p.name for p in (out / "audio").iterdir()} == {"a.wav"}
    assert (out / "audio/a.wav").read_bytes() == (folder / "audio/a.wav").read_bytes()
    assert "1 kept, 3 left out: 2 not readable, 1 longer than 30 s" in capsys.readouterr().out


def test_a_model_that_is_unsure_of_all_writes_nothing(folder, model, tmp_path):
    with pytest.raises(UserError, match="none of 4 recordings is kept"):
        pseudo_labels.run(folder, tmp_path / "out", model, "en", "path", 0.0)
    assert not (tmp_path / "out").exists()


def test_the_real_decoder_is_called_with_30_s(folder, model):
    whisper = pseudo_labels.open_model_folder(model)
    (only,) = pseudo_labels.verdicts(whisper, [folder / "audio/a.wav"], "en", -1e9)
    assert isinstance(only, Verdict)
    assert np.isfinite(only.log_prob)
    assert only.log_prob < 0


def test_an_existing_folder_is_left_alone(folder, model, tmp_path):
    with pytest.raises(UserError, match="exists already; name a new folder"):
        pseudo_labels.run(folder, tmp_path, model, "en", "path", -0.5)


def test_an_unknown_language_is_refused_before_a_recording_is_read(folder, model, tmp_path):
    shutil.rmtree(folder / "audio")
    with pytest.raises(UserError, match="language 'xx' is unknown to this Whisper model"):
        pseudo_labels.run(folder, tmp_path / "out", model, "xx", "path", -0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\tspeaker\na\tb\n", "path"),
        ("path\ttext\na\tb\n", "has a column 'text' already"),
        ("path\n", "no row"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(text, message, tmp_path):
    (tmp_path / "labels.tsv").write_text(text)
    with pytest.raises(UserError, match=message):
        table_of(tmp_path, "path")


def test_two_tables_are_refused(tmp_path):
    for name in ("a.tsv", "b.csv"):
        (tmp_path / name).write_text("path\n")
    with pytest.raises(UserError, match="2 tables"):
        table_of(tmp_path, "path")
