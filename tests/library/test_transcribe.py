"""The packaged model transcribes a recording of any length, rate and number of channels."""

from __future__ import annotations

import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from clip_maker import noise
from command_line import run_fonoteka
from model_maker import encoder
from numpy.lib.stride_tricks import sliding_window_view

from fonoteka import transcribe as tool
from fonoteka.core.files import write_json
from fonoteka.models.clip_encoder import EncoderModule
from fonoteka.models.encoders import embed
from fonoteka.models.heads import TdnnShape, new_head, posteriors
from fonoteka.onnx_export.export import MODEL_AXES, EndToEndModel, export
from fonoteka.packaging import record
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import greedy

pytestmark = pytest.mark.torch
SHAPE = TdnnShape(inputs=32, outputs=len(LABELS), hidden=8, dilations=(1,), dropout=0.0)
FACTS = {"labels": LABELS, "name": "toy", "sample_rate_hz": 16_000}


def head():
    torch.manual_seed(1)
    return new_head(SHAPE).eval()


@pytest.fixture(scope="module")
def packaged(tmp_path_factory):
    """A package with one file."""
    folder = tmp_path_factory.mktemp("toy")
    whole = EndToEndModel(EncoderModule(encoder(), True), head()).eval()
    export(whole, torch.zeros(1, 16_000), MODEL_AXES, FACTS, folder / "model.onnx", 17)
    write_json(folder / "package.json", {"files": record(folder, ["model.onnx"])})
    return folder


@pytest.fixture
def model(packaged, tmp_path):
    """A copy of it, to be worked with."""
    return shutil.copytree(packaged, tmp_path / "toy")


def printed(capsys, model, *words):
    run_fonoteka("transcribe", "--model", model, *words)
    return capsys.readouterr().out


def test_the_phones_are_those_that_torch_predicts(model, tmp_path, monkeypatch, capsys):
    clip = noise(0.7)
    soundfile.write(tmp_path / "a.wav", clip, 16_000, subtype="FLOAT")
    spoken = greedy(posteriors(head(), embed(encoder(), clip, True)))
    assert spoken
    out = printed(capsys, model, tmp_path / "a.wav")
    assert out == " ".join(s.symbol for s in spoken) + "\n"
    rows = printed(capsys, model, tmp_path / "a.wav", "--times").splitlines()
    assert [row.split("\t")[2] for row in rows] == [s.symbol for s in spoken]
    assert rows[0].startswith(f"{spoken[0].start / 50:.2f}\t{spoken[0].end / 50:.2f}\t")


def test_stereo_at_another_rate_is_decoded_too(model, tmp_path, monkeypatch, capsys):
    both = np.stack([noise(0.7), noise(0.7, 1)], axis=1)
    soundfile.write(tmp_path / "a.wav", both, 44_100)
    soundfile.write(tmp_path / "b.flac", both, 8_000)
    out = printed(capsys, model, tmp_path / "a.wav", tmp_path / "b.flac")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        str(tmp_path / "a.wav"), str(tmp_path / "b.flac"),
    ]  # fmt: skip


def test_a_model_of_other_bytes_is_refused_though_it_would_load(
    model, tmp_path, monkeypatch, capsys
):
    path = model / "model.onnx"
    path.write_bytes(path.read_bytes().replace(b"toy", b"tot"))
    soundfile.write(tmp_path / "a.wav", noise(0.3), 16_000)
    with pytest.raises(ValueError, match=r"model\.onnx: its SHA-256 is .* dvc pull"):
        printed(capsys, model, tmp_path / "a.wav")
    with pytest.raises(ValueError, match=r"model\.int8\.onnx: not recorded"):
        printed(capsys, model, tmp_path / "a.wav", "--int8")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), r"a\.wav: no such file"),
        (lambda path: path.write_bytes(b"RIFF"), r"a\.wav: not a recording that can be read"),
        (lambda path: soundfile.write(path, np.zeros(0), 16_000), r"a\.wav: contains no samples"),
        (
            lambda path: soundfile.write(path, np.full(9, np.nan), 16_000, subtype="FLOAT"),
            r"a\.wav: contains a sample that is not finite",
        ),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(
    spoil, reason, model, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.3), 16_000)
    spoil(path)
    with pytest.raises(ValueError, match=reason):
        printed(capsys, model, path)


class Local:
    """A session whose posteriors of a frame are made of that frame's 400 samples alone."""

    def __init__(self, fails=0):
        self.sizes, self.fails = [], fails

    def get_inputs(self):
        return [SimpleNamespace(name="samples")]

    def run(self, _, chosen):
        (batch,) = chosen.values()
        assert len(batch) == 1
        self.sizes.append(batch.shape[1])
        if len(self.sizes) == self.fails:
            raise RuntimeError("[ONNXRuntimeError] : bad allocation\nat line 7")
        frames = sliding_window_view(batch[0], 400)[::320]
        scores = np.stack([frames[:, 0], frames[:, 123], frames[:, 399]], axis=1)
        return [scores[None].astype(np.float32)]


@pytest.mark.parametrize(
    "samples", [960_001, 960_320, 61 * 16_000, 1_234_567, 300 * 16_000, 86 * 16_000 + 319]
)
def test_windows_of_a_long_recording_join_without_a_frame_lost_or_doubled(samples):
    signal = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    whole = Local().run(None, {"samples": signal[None]})[0][0]
    session = Local()
    assert np.array_equal(tool.posteriors(session, signal), whole)
    assert max(session.sizes) < 30 * 16_000 + 320
    assert len(session.sizes) == math.ceil((samples // 320 * 320 - 30 * 16_000) / (26 * 16_000)) + 1


@pytest.mark.parametrize(
    "samples", [480_001, 480_319, 480_320, 31 * 16_000 + 7, 60 * 16_000, 1_234_567]
)
def test_no_window_is_longer_than_the_longest_input_of_the_model(samples):
    signal = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    whole = Local().run(None, {"samples": signal[None]})[0][0]
    session = Local()
    assert np.array_equal(tool.posteriors(session, signal, 30), whole)
    assert max(session.sizes) <= 30 * 16_000
    assert len(session.sizes) >= 2


def test_a_recording_of_the_longest_input_is_one_window():
    assert tool.windows(30 * 16_000, 30) == ([0], 30 * 16_000)


@pytest.mark.parametrize("samples", [400, 16_000, 30 * 16_000 + 1, 60 * 16_000])
def test_a_recording_of_a_minute_is_one_input(samples):
    session = Local()
    signal = noise(samples / 16_000)
    assert np.array_equal(
        tool.posteriors(session, signal), session.run(None, {"samples": signal[None]})[0][0]
    )
    assert session.sizes == [len(signal)] * 2


def test_windows_share_four_seconds_and_end_with_the_recording():
    for samples in range(960_001, 8_000_000, 333_333):
        starts, size = tool.windows(samples)
        assert starts[0] == 0
        assert 0 <= samples - (starts[-1] + size) < 320
        assert all(start % 320 == 0 for start in starts)
        gaps = np.diff(starts)
        assert size - gaps.max() >= 4 * 16_000
        assert np.ptp(gaps) <= 320


def test_a_seam_lies_where_the_blank_is_most_likely_in_both_windows():
    first, second = np.full((200, 3), -5.0, np.float32), np.full((200, 3), -5.0, np.float32)
    first[20, 0] = second[20, 0] = 0.0  # the highest of both, but at the edge
    first[70, 0], second[70, 0] = -0.1, -3.0  # of one alone
    first[130, 0], second[130, 0] = -0.5, -0.6
    assert tool.seam(first, second) == 130


def test_a_phone_that_windows_place_apart_is_neither_lost_nor_doubled():
    # Around the middle of what is shared the windows see one phone two frames apart.
    labels = ["", "a"]
    for early, late in ((99, 101), (101, 99)):
        first, second = (np.log(np.tile([[0.9, 0.1]], (200, 1))) for _ in range(2))
        first[early], second[late] = np.log([0.1, 0.9]), np.log([0.1, 0.9])
        frame = tool.seam(first, second)
        joined = np.concatenate([first[:frame], second[frame:]])
        assert [s.symbol for s in greedy(joined, labels)] == ["a"]


def test_the_packaged_model_names_phones_of_a_long_recording_in_order(
    model, tmp_path, monkeypatch, capsys
):
    soundfile.write(tmp_path / "long.wav", np.tile(noise(1.0), 70), 16_000, subtype="FLOAT")
    out = printed(capsys, model, tmp_path / "long.wav", "--times")
    rows = [line.split("\t") for line in out.splitlines()]
    starts = [float(row[0]) for row in rows]
    assert starts == sorted(starts)
    assert 60 < float(rows[-1][1]) <= 70


def test_a_model_that_runs_out_of_memory_says_on_how_many_seconds():
    with pytest.raises(ValueError, match=r"fails on 30\.0 s of sound: .*bad allocation; give it"):
        tool.posteriors(Local(fails=2), np.zeros(300 * 16_000, np.float32))
    with pytest.raises(ValueError, match=r"fails on 45\.5 s of sound"):
        tool.posteriors(Local(fails=1), np.zeros(int(45.5 * 16_000), np.float32))
