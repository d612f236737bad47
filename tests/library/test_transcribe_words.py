"""Recordings of any length become words: languages, scripts, times, and one sentence for faults."""

from __future__ import annotations

import os
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from clip_maker import noise
from command_line import exit_code, run_fonoteka
from corpus_maker import shared_corpus
from spoken_words import LoudGate, talk
from whisper_maker import tiny_whisper

from fonoteka import transcribe_words as tool
from fonoteka.core.files import write_json
from fonoteka.packaging import record
from fonoteka.recording_blocks import signal_blocks
from fonoteka.transcribe_words import Options, Transcriber
from fonoteka.whisper.model_folder import words_folder
from stages.words.evaluate_whisper.sounds import chords

pytestmark = pytest.mark.torch
torch.set_num_threads(1)
RATE = 16_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The folder of a tiny random model, which is taken for a fine-tuned one."""
    folder = tiny_whisper(tmp_path_factory.mktemp("tiny") / "model")
    write_json(folder / "training.json", {})
    return folder


@pytest.fixture
def loud(monkeypatch):
    """Let noise pass the gate, and random weights write little."""
    monkeypatch.setattr(tool, "SpeechGate", LoudGate)
    monkeypatch.setattr("fonoteka.whisper.decode.token_limit", lambda seconds: 6)


@pytest.fixture
def transcriber(tiny, loud):
    return Transcriber(tiny)


def texts(transcriber, *blocks, **options):
    return [*transcriber.lines(blocks, Options(**options))]


def test_each_window_has_a_line_with_its_time(transcriber):
    silence = np.zeros(3 * RATE, np.float32)
    lines = texts(transcriber, silence, talk(), silence, talk(2.0), language="sr")
    assert [round(line.start_s, 1) for line in lines] == [2.8, 6.8]
    assert [round(line.end_s, 1) for line in lines] == [4.2, 9.0]


def test_a_line_has_the_text_of_the_window_alone(transcriber):
    from fonoteka.whisper.decode import recognise

    silence = np.zeros(3 * RATE, np.float32)
    both = texts(transcriber, talk(), silence, talk(2.0), language="hr")
    signal = np.concatenate([talk(), silence, talk(2.0)])
    for line in both:
        window = signal[round(line.start_s * RATE) : round(line.end_s * RATE)]
        (alone,) = recognise(transcriber.whisper, [window], ["hr"])
        assert line.text == alone.text


def test_the_language_is_one_of_the_projects_and_is_printed(transcriber, capsys):
    lines = texts(transcriber, talk())
    assert len(lines) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("recording: language ")
    assert printed.split()[2].strip(",") in ("bs", "en", "hr", "sr")
    assert " is more probable, 0." in printed  # a random model prefers some other language


def test_a_stated_language_is_not_recognised(transcriber, capsys):
    texts(transcriber, talk(), language="de")
    assert capsys.readouterr().err == ""


def test_the_script_is_the_one_that_was_asked_for(transcriber, monkeypatch):
    from fonoteka.whisper.decode import Recognised

    monkeypatch.setattr(
        tool, "recognise", lambda *_, **__: [Recognised("Љубав i injekcija", -1.0, False, False)]
    )
    expected = {None: "Љубав i injekcija", "latin": "Ljubav i injekcija",
                "cyrillic": "Љубав и инјекција"}  # fmt: skip
    for script, text in expected.items():
        for language in ("sr", "bs"):
            (line,) = texts(transcriber, talk(), language=language, script=script)
            assert line.text == text
    (line,) = texts(transcriber, talk(), language="hr", script="latin")
    assert line.text == expected["latin"]


def test_only_a_tuned_model_gets_short_inputs(tiny, tmp_path, loud):
    shutil.copytree(tiny, tmp_path / "base")
    (tmp_path / "base" / "training.json").unlink()
    assert Transcriber(tiny).short
    assert not Transcriber(tmp_path / "base").short


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_blocks_of_a_recording_are_one_channel_at_16_khz(name, tmp_path):
    both = np.stack([talk(2.0), talk(2.0)], axis=1)
    soundfile.write(tmp_path / name, both, 44_100)
    signal = np.concatenate([*signal_blocks(tmp_path / name)])
    assert abs(len(signal) - len(both) * RATE / 44_100) < 2_000


def test_channels_that_cancel_are_not_averaged(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([talk(), -talk()], axis=1), RATE)
    signal = np.concatenate([*signal_blocks(tmp_path / "a.wav")])
    assert np.abs(signal).max() > 0.3


def test_two_hours_need_no_more_memory_than_two_minutes(transcriber):
    # A recording that is made as it is read: speech of 2 s in every tenth minute.
    speech = np.concatenate([talk(2.0), np.zeros(28 * RATE, np.float32)])
    silence = np.zeros(30 * RATE, np.float32)

    def peak(minutes):
        tracemalloc.start()
        blocks = (silence if number % 20 else speech for number in range(2 * minutes))
        lines = sum(1 for _ in transcriber.lines(blocks, Options("sr")))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return lines, size

    few, many = peak(2), peak(120)
    assert (few[0], many[0]) == (1, 12)
    assert many[1] < few[1] + 2e6  # bytes; two hours at 16 kHz would be 460 MB


def test_a_tenth_of_a_second_of_speech_has_a_line(transcriber):
    (line,) = texts(transcriber, talk(0.1), language="sr")
    assert line.end_s == pytest.approx(0.1)


def test_a_file_of_two_hours_is_transcribed_to_its_last_second(tiny, loud, tmp_path, capsys):
    path, samples = tmp_path / "lecture.wav", 2 * 3600 * RATE
    header = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36 + 2 * samples, b"WAVEfmt ", 16, 1, 1,
                         RATE, 2 * RATE, 2, 16, b"data", 2 * samples)  # fmt: skip
    with path.open("wb") as file:  # the silence is a hole, which takes no room on the disk
        file.write(header)
        file.seek(len(header) + 2 * (samples - RATE))
        file.write((32_767 * np.clip(talk(), -1, 1)).astype("<i2").tobytes())
    run_fonoteka("transcribe", "--words", "--times", "--model", tiny, "--language", "sr", path)
    (line,) = capsys.readouterr().out.splitlines()
    assert [float(word) for word in line.split("\t")[:2]] == pytest.approx([7198.8, 7200], abs=0.1)


def clip_path(tmp_path, signal, name="a.wav"):
    soundfile.write(tmp_path / name, signal, RATE, subtype="FLOAT")
    return tmp_path / name


def test_the_command_prints_words_and_times(tiny, loud, tmp_path, capsys):
    path = clip_path(tmp_path, np.concatenate([talk(), np.zeros(3 * RATE), talk()]))
    words = ["transcribe", "--words", "--model", tiny, "--language", "sr", path]
    run_fonoteka(*words)
    plain = capsys.readouterr().out.splitlines()
    run_fonoteka(*words, "--times")
    timed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert len(plain) == len(timed) == 2
    assert [line[2] for line in timed] == plain
    assert float(timed[0][1]) < float(timed[1][0])
    run_fonoteka(*words, path)
    assert all(line.startswith(f"{path}:") for line in capsys.readouterr().out.splitlines())


def music(seconds):
    """Return plucked chords at half of full scale."""
    signal = chords(np.random.default_rng(1), round(seconds * RATE))
    return (0.5 * signal / np.abs(signal).max()).astype(np.float32)


@pytest.mark.parametrize(
    "signal",
    [noise(0.1), np.zeros(RATE, np.float32), noise(3.0), np.zeros(1, np.float32), music(20.0)],
    ids=["0.1 s", "silence", "noise", "a sample", "music"],
)
def test_sound_without_speech_has_no_line_and_one_sentence(signal, tiny, tmp_path, capsys):
    path = clip_path(tmp_path, signal)
    run_fonoteka("transcribe", "--words", "--model", tiny, path)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"{path}: no speech in {len(signal) / RATE:.1f} s of sound\n"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--words", "--language", "xx"], r"language 'xx' is unknown .* it knows af, am"),
        (["--words", "--language", "hr", "--script", "cyrillic"], r"hr is not written in Cyr"),
        (["--words", "--language", "en", "--script", "cyrillic"], r"en is not written in Cyr"),
        (["--words", "--script", "runes"], r"'runes' is not one of latin, cyrillic"),
        (["--words", "--int8"], r"no decoder\.onnx, so it has no int8 files; name an exported"),
        (["--language", "sr"], r"--language is an option of --words"),
        (["--phones", "--script", "latin"], r"--script is an option of --words"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(words, reason, tiny, tmp_path, capsys):
    path = clip_path(tmp_path, noise(0.1))
    with pytest.raises(ValueError, match=reason):
        run_fonoteka("transcribe", "--model", tiny, *words, path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), r"a\.wav: no such file"),
        (lambda path: path.write_bytes(b"RIFF"), r"a\.wav: not a recording that can be read"),
        (lambda path: path.write_bytes(b""), r"a\.wav: not a recording that can be read"),
        (lambda path: soundfile.write(path, np.zeros(0), RATE), r"a\.wav: contains no samples"),
        (
            lambda path: soundfile.write(path, np.full(9, np.nan), RATE, subtype="FLOAT"),
            r"a\.wav: contains a sample that is not finite",
        ),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(spoil, reason, tiny, tmp_path):
    path = clip_path(tmp_path, noise(0.3))
    spoil(path)
    with pytest.raises(ValueError, match=reason):
        run_fonoteka("transcribe", "--words", "--model", tiny, path)


def test_a_package_is_verified_before_its_model_is_loaded(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "packaged")
    names = sorted(path.name for path in folder.iterdir())
    write_json(folder / "package.json", {"files": record(folder, names)})
    assert words_folder(str(folder)) == folder
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match=r"model\.safetensors: its SHA-256 is"):
        words_folder(str(folder))


def test_a_model_that_is_not_there_is_one_sentence(tmp_path, capsys):
    path = clip_path(tmp_path, noise(0.1))
    assert exit_code("transcribe", "--words", "--model", "nothing", path) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: no model 'nothing'")
    assert printed.count("\n") == 1


def base():
    """Return the folder of the real weights, or skip the test."""
    folder = Path(os.environ.get("FONOTEKA_WHISPER_BASE", "data/models/whisper_base"))
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"no Whisper weights in {folder}")
    return folder


def test_the_released_weights_write_the_words_of_a_person(tmp_path, capsys):
    audio = shared_corpus("librispeech251") / "audio" / "103-1240-0000.flac"
    signal, _ = soundfile.read(audio, dtype="float32")
    path = clip_path(tmp_path, signal[: 4 * RATE])
    run_fonoteka("transcribe", "--words", "--model", base(), path)
    printed = capsys.readouterr()
    assert "Rachel" in printed.out
    assert "language en" in printed.err
