"""`listen` prints phones while they are spoken, and what was recognised before any fault."""

from __future__ import annotations

import json
import os
import signal
import tracemalloc
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from command_line import exit_code
from toy_engine import LevelSource, ToyDecoder, spoken, symbols, toy_engine

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.streaming import listen, open_engine
from fonoteka.streaming.display.json_lines import read_json_line
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.sources import microphone
from fonoteka.streaming.sources import recording as recording_source
from fonoteka.streaming.sources.chunks import paced

WORD = "d o b a r"


@pytest.fixture
def opened(monkeypatch):
    """Let every model be the toy recogniser; return the opened engines by their names."""
    engines = {}

    def open_toy(model, policy, decoder):
        engines[model, policy, decoder] = toy_engine()
        return engines[model, policy, decoder]

    monkeypatch.setattr(open_engine, "open_engine", open_toy)
    return engines


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, spoken(WORD), SAMPLE_RATE_HZ, subtype="FLOAT")
    return path


def feed(*chunks, engine=None):
    return [*listen.updates(engine or toy_engine(), chunks)]


def split(samples, size):
    return [samples[start : start + size] for start in range(0, len(samples), size)]


@pytest.mark.parametrize("size", [1, 7, 320, 640, 100_000])
def test_chunks_of_any_size_give_the_same_phones(size):
    samples = spoken(WORD)
    shown = feed(*split(samples, size))
    assert symbols(shown) == WORD
    assert shown[-1].audio_s == len(samples) / SAMPLE_RATE_HZ


def test_empty_chunks_change_nothing():
    empty = np.zeros(0, dtype=np.float32)
    shown = feed(empty, *split(spoken(WORD), 640), empty, empty)
    assert symbols(shown) == WORD
    assert shown[0].audio_s == 0
    assert shown[0].committed == shown[0].provisional == ()


@pytest.mark.parametrize("length", [0, 1])
def test_a_stream_of_no_or_one_sample_has_no_phones(length):
    (_, last) = feed(np.zeros(length, dtype=np.float32))
    assert (last.audio_s, last.committed) == (length / SAMPLE_RATE_HZ, ())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_one_sentence_after_the_phones_before_it(bad):
    shown = []
    chunks = [spoken(WORD), np.float32([0.0, bad])]
    with pytest.raises(UserError, match=r"sample \d+ of the stream, at .* expected finite"):
        shown.extend(listen.updates(toy_engine(), chunks))
    assert symbols(shown) == WORD


def test_samples_of_two_channels_are_refused():
    with pytest.raises(UserError, match="expected samples of one channel"):
        feed(np.zeros((640, 2), dtype=np.float32))


def test_samples_beyond_full_scale_reach_the_model_as_they_are():
    source = LevelSource()
    loud = np.float32([2.5, -3.0, 1.0])
    feed(loud, engine=StreamEngine(source, ToyDecoder()))
    assert np.array_equal(source.pushed[0], loud)


def test_a_source_that_fails_leaves_its_phones():
    def failing():
        yield spoken(WORD)[:-640]
        raise OSError("the disk is gone")

    shown = []
    with pytest.raises(OSError, match="the disk is gone"):
        shown.extend(listen.updates(toy_engine(), failing()))
    assert symbols(shown) == WORD


def test_a_fault_of_the_code_is_not_taken_for_the_end():
    def failing():
        yield spoken(WORD)
        raise ZeroDivisionError

    shown = []
    with pytest.raises(ZeroDivisionError):
        shown.extend(listen.updates(toy_engine(), failing()))
    assert len(shown) == 1


def test_an_hour_of_silence_has_no_output_and_bounded_memory(capsys):
    silence = np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)
    view, engine = listen.open_view(jsonl=True, file=listen.sys.stdout), toy_engine()
    tracemalloc.start()
    try:
        for second in range(3600):
            view.show(engine.feed(silence))
            if second == 100:
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    last = engine.finish()
    view.show(last)
    assert last.audio_s == 3600
    assert capsys.readouterr().out == ""
    assert peak - before < 1_000_000  # 230 MB of samples were fed


def test_a_recording_prints_its_phones_one_line_per_utterance(opened, tmp_path, capsys):
    path = tmp_path / "clip.flac"
    pause = np.zeros(SAMPLE_RATE_HZ // 2, dtype=np.float32)
    soundfile.write(path, np.concatenate([spoken("d o b"), pause, spoken("a r")]), SAMPLE_RATE_HZ)
    assert exit_code("listen", "--wav", path, "--fast") == 0
    assert capsys.readouterr().out == "d o b\na r\n"
    assert [*opened] == [("streaming", "exact", "greedy")]


def test_json_lines_of_a_recording_are_equal_bytes_each_time(opened, recording, capsys):
    command = ("listen", "--wav", recording, "--jsonl", "--fast")
    outputs = []
    for _ in range(2):
        assert exit_code(*command) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    shown = [read_json_line(line) for line in outputs[0].splitlines()]
    assert symbols(shown) == WORD
    assert any(item.provisional for item in shown)


def test_the_pace_does_not_change_what_is_printed(opened, recording, monkeypatch, capsys):
    waits = []
    monkeypatch.setattr(recording_source, "paced", partial(paced, sleep=waits.append))
    assert exit_code("listen", "--wav", recording, "--jsonl") == 0
    printed = capsys.readouterr().out
    assert waits
    assert exit_code("listen", "--wav", recording, "--jsonl", "--fast") == 0
    assert capsys.readouterr().out == printed


def test_the_options_reach_the_engine(opened, recording):
    words = ("--model", "mine", "--policy", "hold-2", "--decoder", "beam", "--fast")
    assert exit_code("listen", "--wav", recording, *words) == 0
    assert [*opened] == [("mine", "hold-2", "beam")]


def use_stdin(monkeypatch, data):
    """Let standard input be a pipe with bytes, which fit into 64 KiB."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    monkeypatch.setattr(listen.sys, "stdin", SimpleNamespace(fileno=lambda: reading))
    return reading


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 1), (48_000, 2)])
def test_standard_input_of_any_rate_prints_its_phones(rate, channels, opened, monkeypatch, capsys):
    # A sample of the toy language lasts as long at any rate.
    samples = np.repeat(spoken("d o"), 3)[:: SAMPLE_RATE_HZ * 3 // rate]
    data = np.repeat(np.rint(samples * 32768).astype("<i2"), channels).tobytes()
    reading = use_stdin(monkeypatch, data)
    assert exit_code("listen", "--stdin", "--rate", rate, "--channels", channels) == 0
    os.close(reading)
    assert capsys.readouterr().out == "d o\n"


def test_a_fault_of_standard_input_comes_after_its_phones(opened, monkeypatch, capsys):
    reading = use_stdin(monkeypatch, np.rint(spoken("d o") * 32768).astype("<i2").tobytes() + b"x")
    assert exit_code("listen", "--stdin") == 1
    os.close(reading)
    printed = capsys.readouterr()
    assert printed.out == "d o\n"
    assert printed.err.startswith("error: standard input: ends after 1 of 2 bytes of a sample")
    assert printed.err.count("\n") == 1


def test_the_microphone_prints_its_phones_and_its_loss(opened, monkeypatch, capsys):
    def chunks(params, _stop):
        assert (params.sample_rate_hz, params.chunk_ms, params.device) == (48_000, 20, "usb")
        yield spoken("d o")
        raise UserError("microphone: the device is lost")

    monkeypatch.setattr(microphone, "microphone_chunks", chunks)
    words = ("--rate", 48_000, "--chunk-ms", 20, "--device", "usb")
    assert exit_code("listen", "--mic", *words) == 1
    assert capsys.readouterr() == ("d o\n", "error: microphone: the device is lost\n")


class Interrupting(LevelSource):
    """Presses Ctrl+C in the third chunk."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def push(self, samples):
        self.count += 1
        if self.count == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return super().push(samples)


def interrupted_engine(*_names):
    return StreamEngine(Interrupting(), ToyDecoder())


def test_ctrl_c_prints_the_last_phones_of_a_recording(recording, monkeypatch, capsys):
    monkeypatch.setattr(open_engine, "open_engine", interrupted_engine)
    assert exit_code("listen", "--wav", recording, "--fast") == 130
    assert capsys.readouterr() == ("d\n", "")  # 80 ms and a pause of 40


def test_ctrl_c_is_the_end_of_the_microphone(monkeypatch, capsys):
    def chunks(_params, stop):
        samples = iter(split(spoken(WORD), 640))
        while not stop.requested:
            yield next(samples)

    monkeypatch.setattr(open_engine, "open_engine", interrupted_engine)
    monkeypatch.setattr(microphone, "microphone_chunks", chunks)
    assert exit_code("listen", "--mic") == 0
    assert capsys.readouterr() == ("d\n", "")


def test_a_reader_that_ends_is_one_sentence(opened, recording, monkeypatch, capsys):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(listen.sys, "stdout", output)
        assert exit_code("listen", "--wav", recording, "--fast") == 1
    error = capsys.readouterr().err
    assert error == "error: standard output: the program that reads it has ended\n"


@pytest.mark.parametrize("sources", [(), ("--mic", "--stdin"), ("--wav", "a.wav", "--mic")])
def test_one_source_is_named(sources, capsys):
    assert exit_code("listen", *sources) == 2
    assert "name one source: --wav FILE, --mic or --stdin" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("--decoder", "best"), ("--chunk-ms", "0"), ("--channels", "0"), ("--timeout-s", "0")]
)
def test_an_option_out_of_range_is_a_wrong_command_line(words, capsys):
    assert exit_code("listen", "--mic", *words) == 2
    assert "Invalid value for" in capsys.readouterr().err


def test_a_rate_that_is_not_in_use_is_one_sentence(opened, capsys):
    assert exit_code("listen", "--stdin", "--rate", 44_101) == 1
    assert capsys.readouterr().err.startswith("error: a sample rate of 44101 Hz; expected a usual")


def test_json_lines_are_utf_8_with_one_newline_in_any_locale(opened, recording, monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="ascii", newline="\r\n") as output:
        monkeypatch.setattr(listen.sys, "stdout", output)
        soundfile.write(recording, spoken("tʃ"), SAMPLE_RATE_HZ, subtype="FLOAT")
        assert exit_code("listen", "--wav", recording, "--fast", "--jsonl") == 0
    with os.fdopen(reading, "rb") as output:
        data = output.read()
    assert "tʃ".encode() in data
    assert data.count(b"\n") == len([*json_lines(data)])
    assert b"\r" not in data


def json_lines(data):
    return map(json.loads, data.decode().splitlines())


def test_a_terminal_has_a_live_line():
    file = SimpleNamespace(isatty=lambda: True, write=lambda _text: None, flush=lambda: None)
    view = listen.open_view(jsonl=False, file=file)
    view.close()
    assert type(view).__name__ == "TerminalView"
