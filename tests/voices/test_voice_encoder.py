"""The speaker encoder gives vectors of length 1, refuses other weights, and is Resemblyzer's."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from clip_maker import noise
from safetensors.torch import save_file

from fonoteka.core.files import read_json, sha256_file
from fonoteka.models import pinned_wheel
from fonoteka.voices.encoder_wheel import EncoderPackageParams, read_checkpoint
from fonoteka.voices.voice_encoder import (
    BANDS,
    FRAMES,
    WEIGHTS,
    VoiceEncoder,
    embed,
    load_encoder,
    mel_powers,
    window_starts,
    windows,
)
from stages.corpus.speaker_encoder import SpeakerEncoderParams, run, untrained

pytestmark = pytest.mark.torch
PACKAGE = EncoderPackageParams("0.1.4", "a" * 64, "b" * 64, "Apache-2.0")
PARAMS = SpeakerEncoderParams("untrained", PACKAGE, "")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with untrained weights."""
    folder = tmp_path_factory.mktemp("encoder") / "voices"
    run(folder, PARAMS)
    return folder


def test_a_vector_has_length_1_and_no_negative_value(model):
    encoder = load_encoder(model)
    vectors = np.array(list(embed(encoder, [noise(s, n) for n, s in enumerate((1.0, 2.4, 9.0))])))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    assert (vectors >= 0).all()


def test_a_vector_does_not_depend_on_its_batch(model):
    encoder, signals = load_encoder(model), [noise(2.4, n) for n in range(40)]
    together = np.array(list(embed(encoder, signals)))  # 80 windows: two batches
    alone = np.array([next(embed(encoder, [signal])) for signal in signals])
    # Products of matrices of other sizes add in another order: float32 has 1e-7.
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_quiet_signal_is_raised_and_a_loud_one_is_kept():
    mel, signal = mel_powers(), noise(2.0, 1)  # -20 dBFS
    quiet = windows((signal * 1e-3).astype(np.float32), mel)
    level = windows((signal * 1e-2).astype(np.float32), mel)
    torch.testing.assert_close(quiet, level, rtol=1e-4, atol=0)
    loud = windows(signal, mel)
    torch.testing.assert_close(windows(2 * signal, mel), 4 * loud, rtol=1e-4, atol=0)


# Of Resemblyzer 0.1.4 with librosa 0.11.0, for 3 s of `noise` and the untrained weights.
RESEMBLYZER_MEL = {0: 0.02252870, 10: 0.05197616, 20: 0.009793117, 39: 0.03165217}
RESEMBLYZER_VECTOR = {
    156: 0.23034176, 191: 0.22813949, 104: 0.21968290, 2: 0.21759033, 22: 0.19737465,
}  # fmt: skip


def test_the_mel_powers_and_the_vector_are_those_of_resemblyzer(model):
    signal = noise(3.0, 0)
    powers = mel_powers()(torch.from_numpy(signal))
    assert powers.shape == (BANDS, 301)
    for band, power in RESEMBLYZER_MEL.items():
        assert float(powers[band, 100]) == pytest.approx(power, rel=1e-4)
    vector = next(embed(load_encoder(model), [signal]))
    assert list(np.argsort(-vector)[:5]) == [*RESEMBLYZER_VECTOR]
    for place, value in RESEMBLYZER_VECTOR.items():
        assert float(vector[place]) == pytest.approx(value, abs=1e-4)


def test_windows_cover_a_signal_and_the_last_is_filled_by_three_quarters():
    assert windows(noise(2.4, 0), mel_powers()).shape == (2, FRAMES, BANDS)
    for samples in range(16_000, 160_000, 1234):
        last = window_starts(samples)[-1] * 160
        assert len(window_starts(samples)) == 1 or samples - last >= 0.75 * FRAMES * 160
        assert samples - last < (FRAMES + 77) * 160 + 160


def test_untrained_weights_are_the_same_twice_and_have_provenance(model, tmp_path):
    run(tmp_path / "again", PARAMS)
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (model / WEIGHTS).read_bytes()
    assert read_json(model / "provenance.json") == {
        "source": "untrained", "fetched": None, "licence": None, "packed_by": None,
        "sha256": sha256_file(model / WEIGHTS),
    }  # fmt: skip


def checkpoint(path, **changes):
    """Write a checkpoint as Resemblyzer's, with weights that were never trained."""
    state = untrained() | {
        "similarity_weight": torch.ones(1), "similarity_bias": torch.ones(1)
    } | changes  # fmt: skip
    state = {name: value for name, value in state.items() if value is not None}
    torch.save({"step": 1, "model_state": state, "optimizer_state": {}}, path)
    return path


def test_a_folder_with_a_checkpoint_or_with_weights_is_a_source(model, tmp_path):
    checkpoint(tmp_path / "pretrained.pt")
    run(tmp_path / "one", replace(PARAMS, source="folder", folder=str(tmp_path)))
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (model / WEIGHTS).read_bytes()
    run(tmp_path / "two", replace(PARAMS, source="folder", folder=str(tmp_path / "one")))
    assert (tmp_path / "two" / WEIGHTS).read_bytes() == (model / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"linear.bias": None}, r"1 weights are missing.* first 'linear\.bias'; expected GE2E"),
        ({"linear.bias": torch.ones(9)}, r"of another shape, first 'linear\.bias'"),
        ({"conv.weight": torch.ones(9)}, r"unexpected .* first 'conv\.weight'"),
        ({"linear.bias": torch.full((256,), float("nan"))}, "has values that are not finite"),
    ],
    ids=["missing", "shape", "unexpected", "nan"],
)
def test_weights_of_another_network_are_refused(changes, message, tmp_path):
    checkpoint(tmp_path / "pretrained.pt", **changes)
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", replace(PARAMS, source="folder", folder=str(tmp_path)))
    assert not (tmp_path / "out").exists()


class Harmful:
    """An object whose loading would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"model_state": Harmful(tmp_path / "created")}, tmp_path / "pretrained.pt")
    with pytest.raises(ValueError, match=r"^pretrained\.pt: no checkpoint of Resemblyzer: "):
        read_checkpoint(tmp_path / "pretrained.pt")
    assert not (tmp_path / "created").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"], ids=["empty", "text"])
def test_a_file_that_is_not_a_checkpoint_is_one_sentence(content, tmp_path):
    (tmp_path / "pretrained.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"^pretrained\.pt: no checkpoint of Resemblyzer: "):
        read_checkpoint(tmp_path / "pretrained.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "hub"}, r"^speaker_encoder\.source must be one of .* got 'hub'"),
        ({"source": "folder"}, r"^speaker_encoder\.folder must be the folder .* got ''"),
        ({"source": "folder", "folder": "."}, r"pretrained\.pt: no such file; expected a check"),
    ],
    ids=["source", "folder", "empty folder"],
)
def test_a_source_that_has_no_weights_is_refused(change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", replace(PARAMS, **change))


def test_missing_and_damaged_weights_are_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no such file; run dvc repro speaker_encoder$"):
        load_encoder(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"half")
    with pytest.raises(ValueError, match=r"model\.safetensors: cannot be read: .*again$"):
        load_encoder(tmp_path)
    save_file({"linear.bias": torch.zeros(256)}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match=r"^.*13 weights are missing"):
        load_encoder(tmp_path)
    assert len(VoiceEncoder().state_dict()) == 14


def save_wheel(path, **files):
    """Write a wheel whose import would fail the test, with these files of its package."""
    with ZipFile(path, "w") as archive:
        archive.writestr("resemblyzer/__init__.py", "raise SystemExit('imported')\n")
        for name, data in files.items():
            archive.writestr(f"resemblyzer/{name}.pt", data)


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Pins of a wheel that pip is not needed for; the wheel's path."""
    data = checkpoint(tmp_path / "pretrained.pt").read_bytes()
    wheel = tmp_path / "Resemblyzer-0.1.4-py3-none-any.whl"
    save_wheel(wheel, pretrained=data)

    def copied(command, **options):
        folder = pinned_wheel.Path(command[command.index("--dest") + 1])
        folder.mkdir()
        (folder / wheel.name).write_bytes(wheel.read_bytes())
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(pinned_wheel.subprocess, "run", copied)
    package = replace(
        PACKAGE, sha256=sha256_file(wheel), weights_sha256=sha256_file(tmp_path / "pretrained.pt")
    )
    return replace(PARAMS, source="package", package=package), wheel


def test_the_wheel_gives_its_weights_with_the_licence(packed, model, tmp_path):
    params, _ = packed
    run(tmp_path / "out", params)
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (model / WEIGHTS).read_bytes()
    record = read_json(tmp_path / "out" / "provenance.json")
    assert (record["fetched"], record["licence"]) == ("resemblyzer==0.1.4", "Apache-2.0")


def test_an_altered_wheel_and_altered_weights_are_refused(packed, tmp_path):
    params, wheel = packed
    other = replace(params, package=replace(params.package, weights_sha256="0" * 64))
    with pytest.raises(ValueError, match=rf"^resemblyzer 0\.1\.4: .*expected {'0' * 64}; set spea"):
        run(tmp_path / "out", other)
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"the wheel has SHA-256 .*; the package was altered"):
        run(tmp_path / "out", params)
    save_wheel(wheel)
    empty = replace(params, package=replace(params.package, sha256=sha256_file(wheel)))
    with pytest.raises(ValueError, match=r"no resemblyzer/pretrained\.pt in the wheel; set speak"):
        run(tmp_path / "out", empty)
    assert not (tmp_path / "out").exists()
