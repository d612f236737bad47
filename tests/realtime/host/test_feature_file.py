"""`realtime features` writes what a host computes, and refuses what a host refuses."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile
from command_line import exit_code, run_fonoteka
from stream_maker import END, small

from fonoteka.core.files import read_json, write_json
from fonoteka.packaging import PACKAGE, record
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.bundle_check import run_checks
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.resampler import resampled
from fonoteka.rtneural.interpreter import Network

pytestmark = pytest.mark.torch
SOUND = synthetic_sound(1.5)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small(tmp_path_factory) / "realtime"


def written(bundle, tmp_path, samples, rate_hz):
    """Return the arrays that the command writes for samples of a rate."""
    soundfile.write(tmp_path / "a.wav", samples, rate_hz, "FLOAT")
    run_fonoteka(
        "realtime", "features", tmp_path / "a.wav", "--npz", tmp_path / "a.npz", "--bundle", bundle
    )
    with np.load(tmp_path / "a.npz") as archive:
        return dict(archive)


def test_the_archive_has_features_outputs_and_decisions_of_each_hop(bundle, tmp_path):
    arrays = written(bundle, tmp_path, SOUND, 16000)
    assert np.array_equal(arrays["features"], END(SOUND.astype(np.float64)))
    assert arrays["hop_end_s"][[0, -1]] == pytest.approx([0.01, 1.5])
    for name, spec in TASKS.items():
        network = Network((bundle / f"{name}.json").read_bytes())
        outputs = arrays[f"{name}_outputs"]
        assert outputs.shape == (150, len(spec.names))
        assert np.abs(outputs - network.run(arrays["features"])).max() <= 1e-5
        assert arrays[f"{name}_decisions"].shape == arrays[f"{name}_changed"].shape == (150,)


@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_other_rates_go_through_the_filters_of_the_header(rate_hz, bundle, tmp_path):
    samples = np.repeat(SOUND, 3).astype(np.float32)
    arrays = written(bundle, tmp_path, samples, rate_hz)
    expected = END(resampled(samples.astype(np.float64), rate_hz))
    assert np.array_equal(arrays["features"], expected)


def test_channels_are_averaged_and_samples_that_are_not_finite_are_zeros(bundle, tmp_path):
    stereo = np.stack([SOUND, np.zeros_like(SOUND)], axis=1)
    stereo[100, 0] = np.nan
    arrays = written(bundle, tmp_path, stereo, 16000)
    half = SOUND / 2
    half[100] = 0
    assert np.abs(arrays["features"] - END(half.astype(np.float64))).max() <= 1e-6


def test_a_recording_that_a_host_refuses_is_refused(bundle, tmp_path, capfd):
    soundfile.write(tmp_path / "rate.wav", SOUND, 22050)
    soundfile.write(tmp_path / "short.wav", SOUND[:100], 16000)
    (tmp_path / "text.wav").write_text("text")
    for name, words in (
        ("rate", "22050 Hz; the C++ front end reads 16000, 44100, 48000 Hz"),
        ("short", "100 samples at 16 kHz; a hop has 160"), ("text", "not a recording"),
        ("absent", "no such file"),
    ):  # fmt: skip
        command = ("realtime", "features", tmp_path / f"{name}.wav", "--npz", tmp_path / "a.npz")
        assert exit_code(*command, "--bundle", bundle) == 1
        assert words in capfd.readouterr().err
        assert not (tmp_path / "a.npz").exists()


def test_a_bundle_with_the_headers_of_another_is_a_fault(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    package = read_json(copy / PACKAGE)
    package["models"]["speech"]["decision"]["release"] = 0.0625
    write_json(copy / PACKAGE, package)
    faults = [r for r in run_checks(copy, SOUND, []) if r.state == "FAULT"]
    assert [(fault.name, "fonoteka_decisions.hpp" in fault.message) for fault in faults] == [
        ("C++", True)
    ]
    header = copy / "fonoteka_decisions.hpp"
    header.write_text(header.read_text() + "// changed\n")
    package["models"]["speech"] = read_json(bundle / PACKAGE)["models"]["speech"]
    package["files"] |= record(copy, [header.name])
    write_json(copy / PACKAGE, package)
    (fault,) = [r for r in run_checks(copy, SOUND, []) if r.state == "FAULT"]
    assert fault.name == "C++"
    del package["models"]["speech"]["decision"]
    write_json(copy / PACKAGE, package)
    (fault,) = [r for r in run_checks(copy, SOUND, []) if r.state == "FAULT"]
    assert "models.speech has no decision" in fault.message
