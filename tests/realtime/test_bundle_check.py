"""The check accepts a valid bundle, reports each fault, and compares blocks with the whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import run_fonoteka
from stream_maker import END, FRONT, small

from fonoteka.core.files import read_json, write_json
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.packaging import PACKAGE, record
from fonoteka.realtime.block_check import (
    ALLOWED,
    compare_outputs,
    decisions,
    margins,
    run_in_blocks,
    synthetic_sound,
)
from fonoteka.realtime.bundle_check import run_checks
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.rtneural.interpreter import Network

pytestmark = pytest.mark.torch
SECONDS = 1.5


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small(tmp_path_factory) / "realtime"


@pytest.fixture
def planted(bundle, tmp_path):
    """Return a copy of the bundle, for planting a fault."""
    return Path(shutil.copytree(bundle, tmp_path / "realtime"))


def checked(capsys, folder, *words):
    """Return the output of the command and its error message, or an empty string."""
    error = ""
    try:
        run_fonoteka("realtime", "check", folder, "--seconds", "1.5", *words)
    except ValueError as refusal:
        error = str(refusal)
    return capsys.readouterr().out, error


def record_anew(folder):
    """Record the hashes of the changed files in package.json, so that only other checks fail."""
    package = read_json(folder / PACKAGE)
    package["files"] = record(folder, package["files"])
    write_json(folder / PACKAGE, package)


def test_a_valid_bundle_passes_and_each_check_is_a_line(bundle, monkeypatch, capsys):
    out, error = checked(capsys, bundle)
    assert error == ""
    lines, table = out.split("\n\n")
    rows = lines.splitlines()
    assert len(rows) == 4 + 5 * len(TASKS)
    assert "C++: 5 C++ files have the constants of frontend.json and package.json" in out
    assert all(row.startswith("ok ") for row in rows)
    assert "blocks of 64, 441, 480 samples: 450 hops agree with the whole sound" in out
    assert [row.split()[0] for row in table.splitlines()] == ["model", *TASKS]


def test_a_recording_can_be_used(bundle, tmp_path, monkeypatch, capsys):
    soundfile.write(tmp_path / "mine.wav", synthetic_sound(1.2), 16_000)
    out, error = checked(capsys, bundle, "--wav", str(tmp_path / "mine.wav"))
    assert (error, "120 steps from a reset, twice" in out) == ("", True)
    soundfile.write(tmp_path / "mine.wav", synthetic_sound(0.5), 16_000)
    _, error = checked(capsys, bundle, "--wav", str(tmp_path / "mine.wav"))
    assert error == "the sound has 8000 samples; use at least one second, 16000 samples"


def edited(folder, name, change):
    """Change the document of a JSON file in place, or write the text that `change` returns."""
    document = read_json(folder / name)
    text = change(document)
    (folder / name).write_text(text or json.dumps(document), encoding="utf-8")


def flip(document):
    document["layers"][-1]["weights"][0][0][0] += 0.05


def cut(document):
    return json.dumps(document)[:-20]


def nan(document):
    document["layers"][0]["weights"][1][0] = float("nan")


def shape(document):
    document["layers"][-1]["shape"][-1] += 1


def square(document):
    """Swap the first two gates: the right size in a wrong order."""
    layer = next(layer for layer in document["layers"] if layer["type"] == "gru")
    layer["weights"] = [
        np.concatenate([np.split(np.array(w), 3, axis=-1)[gate] for gate in (1, 0, 2)], -1).tolist()
        for w in layer["weights"]
    ]


def mel(document):
    document["mel"][3][20] += 0.001


def hann(document):
    document["hann"][7] *= 1.01


def logarithm(document):
    document["log"] = "to base 10"


def hop(document):
    document["hop"] = 80


def mean(document):
    document["mean"][0] = float("nan")


FAULTS = [
    ("speech.json", flip, "speech: round trip: speech.json: max abs error"),
    ("speech.json", cut, "speech: format: speech.json: file: it is not JSON"),
    ("phone.json", nan, "phone: format: phone.json: file: it is not JSON.*NaN"),
    ("viseme.json", shape, r"viseme: format: viseme.json: layers\[2\] \(dense\)"),
    ("onset.json", square, "right with the first two gates swapped"),
    ("frontend.json", mel, "frontend.json: mel differs by 0.001 from its"),
    ("frontend.json", hann, "frontend.json: hann differs by"),
    ("frontend.json", logarithm, "log is 'to base 10', but 'natural' is computed"),
    ("frontend.json", hop, "its parameters differ from those in package.json"),
    ("frontend.json", mean, "mean contains numbers that are not finite"),
    ("frontend.json", cut, "frontend.json: not valid JSON"),
]


@pytest.mark.parametrize(("name", "change", "words"), FAULTS)
def test_a_fault_is_reported_although_its_hash_matches(
    name, change, words, planted, monkeypatch, capsys
):
    edited(planted, name, change)
    record_anew(planted)
    out, error = checked(capsys, planted)
    assert re.search(words, error), error
    assert re.search(rf"^FAULT +.*{words}", out, re.M)
    assert "ok      files: 17 files have" in out


@pytest.mark.parametrize("name", ["frontend.json", "phone.onnx", "phone.json", "README.md"])
def test_one_changed_byte_is_found_by_its_hash(name, planted, monkeypatch, capsys):
    data = bytearray((planted / name).read_bytes())
    data[-2] ^= 1
    (planted / name).write_bytes(data)
    _, error = checked(capsys, planted)
    assert re.search(rf"files: .*/{name}: its SHA-256 is [0-9a-f]{{12}}, but package.json", error)


@pytest.mark.parametrize("name", ["frontend.json", "phone.onnx", "phone.json", "README.md"])
def test_a_missing_file_is_found(name, planted, monkeypatch, capsys):
    (planted / name).unlink()
    out, error = checked(capsys, planted)
    assert f"{name}: missing, but package.json records it" in error
    if name == "phone.json":
        assert re.search(r"^skipped phone: the rest: its format has a fault", out, re.M)
    if name == "frontend.json":
        assert out.count("the rest: frontend.json has a fault") == len(TASKS)


def swap(folder, first, second):
    content = (folder / first).read_bytes()
    (folder / first).write_bytes((folder / second).read_bytes())
    (folder / second).write_bytes(content)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["json"], "speech: round trip: speech.json: max abs error"),
        (["onnx"], "the ONNX file's name: found 'voicing', expected 'speech'"),
        (["json", "onnx"], "the ONNX file's name: found 'voicing', expected 'speech'"),
    ],
)
def test_swapped_file_names_are_found_though_the_sizes_are_equal(
    kinds, words, planted, monkeypatch, capsys
):
    for kind in kinds:
        swap(planted, f"speech.{kind}", f"voicing.{kind}")
    _, before = checked(capsys, planted)
    assert f"speech.{kinds[0]}: its SHA-256 is" in before
    record_anew(planted)
    _, error = checked(capsys, planted)
    assert words in error


def set_value(key, value):
    def change(package):
        package["models"]["phone"][key] = value

    return change


def remove_key(key):
    def change(package):
        del package["models"]["phone"][key]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            set_value("model_t", "RTNeural::ModelT<float, 8, 1>"),
            "phone.json: model_t is RTNeural::Mod",
        ),
        (set_value("macs", 7), r"phone.json: macs is \d+ in the file and 7 in package"),
        (set_value("labels", ["a", "b"]), "phone: outputs: found 51, expected 2"),
        (set_value("weights_sha256", "0" * 64), "phone: the ONNX file's weights: found"),
        (
            set_value("max_abs_logit", 2),
            r"phone: the bound before a softmax: found \d+, expected 2",
        ),
        (set_value("threshold", "high"), "models.phone: threshold: expected float, found 'high'"),
        (remove_key("model_t"), r"package.json: models.phone: missing \['model_t'\]"),
        (
            lambda package: package["models"].update(phone=None),
            "models has no entry 'phone'",
        ),
        (
            lambda package: package.update(weight_bytes=1),
            "weight_bytes is 1, but the sum over models is",
        ),
        (lambda package: package.update(models=[]), "models has no entry 'speech'"),
        (lambda package: "[]", "package.json: expected a JSON object; run dvc repro"),
        (cut, "package.json: not valid JSON"),
    ],
)
def test_a_package_json_that_differs_from_the_files_is_found(
    change, words, planted, monkeypatch, capsys
):
    edited(planted, PACKAGE, change)
    _, error = checked(capsys, planted)
    assert re.search(words, error), error


def test_a_missing_bundle_is_reported(tmp_path, monkeypatch, capsys):
    _, error = checked(capsys, tmp_path)
    assert error == f"{tmp_path / PACKAGE}: no such file"


def test_all_faults_are_reported_at_once(planted, monkeypatch, capsys):
    edited(planted, "speech.json", cut)
    edited(planted, "frontend.json", mel)
    (planted / "onset.onnx").unlink()
    _, error = checked(capsys, planted)
    assert error.startswith("realtime check: 3 checks failed: files: ")
    for words in (
        "speech.json: its SHA",
        "onset.onnx: missing",
        "mel differs by",
        "it is not JSON",
    ):
        assert words in error


def test_outputs_that_differ_after_a_reset_are_found(bundle, monkeypatch):
    def drifting(session, frames):
        drifting.calls += 1
        return np.full((len(frames), 1), drifting.calls, dtype=np.float32)

    drifting.calls = 0
    monkeypatch.setattr("fonoteka.realtime.model_check.run_stepwise", drifting)
    outputs = [
        result.message
        for result in run_checks(bundle, synthetic_sound(SECONDS), [])
        if result.state == "FAULT"
    ]
    assert outputs == [
        f"{name}.onnx: outputs differ after a reset; export it again" for name in TASKS
    ]


@pytest.mark.parametrize("size", [1, 64, 159, 160, 441, 480, 1 << 20])
@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_wav_in_blocks_gives_the_decisions_of_the_whole(name, size, bundle, tmp_path):
    soundfile.write(tmp_path / "clip.wav", synthetic_sound(0.6, seed=4), 16_000)
    signal, rate_hz = soundfile.read(tmp_path / "clip.wav", dtype="float32")
    assert rate_hz == 16_000
    end = FrontEnd.from_json(read_json(bundle / "frontend.json"))
    network = Network((bundle / f"{name}.json").read_bytes())
    outputs = run_in_blocks(network, end, signal, size)
    expected = StatefulSession(open_model(bundle / f"{name}.onnx")).run(end(signal))
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=ALLOWED)
    event = TASKS[name].event
    assert np.array_equal(decisions(outputs, event, 0.5), decisions(expected, event, 0.5))


def test_the_synthetic_sound_has_pauses_and_bursts_and_is_reproducible():
    sound = synthetic_sound(4.0)
    assert np.array_equal(sound, synthetic_sound(4.0))
    assert not np.array_equal(sound, synthetic_sound(4.0, seed=2))
    assert np.array_equal(sound * 32768, np.round(sound * 32768))
    quiet = np.array([np.abs(part).max() < 0.01 for part in np.split(sound, 400)])
    assert 0.1 < quiet.mean() < 0.9
    assert 0.05 < np.abs(sound).max() <= 1


OUTPUTS = np.array([[0.1], [0.8], [0.3], [0.6], [0.6], [0.2]], dtype=np.float32)


def test_a_margin_is_positive_if_the_decision_is_taken():
    rng = np.random.default_rng(1)
    many = rng.random((50, 4)).astype(np.float32)
    assert np.array_equal(margins(many, False, 0.5) > 0, decisions(many, False, 0.5))
    first = rng.random((50, 1)).astype(np.float32)
    for event in (False, True):
        assert np.array_equal(margins(first, event, 0.5) > 0, decisions(first, event, 0.5))


def test_another_decision_is_found_and_a_near_tie_is_counted():
    expected = OUTPUTS.copy()
    assert compare_outputs(OUTPUTS, expected, True, 0.5).close == 0
    expected[0] += 5e-6
    assert 0 < compare_outputs(OUTPUTS, expected, True, 0.5).error <= ALLOWED
    expected[4] -= 5e-6  # of two equal hops the first is the peak now
    assert compare_outputs(OUTPUTS, expected, True, 0.5).close == 2
    expected[2] += 1e-4
    with pytest.raises(
        ValueError, match=r"max abs error 1.00e-04 of the outputs in blocks; allowed is"
    ):
        compare_outputs(OUTPUTS, expected, True, 0.5)
    with pytest.raises(
        ValueError, match=r"\(5, 1\) outputs in blocks and \(6, 1\) of the whole sound"
    ):
        compare_outputs(OUTPUTS[1:], OUTPUTS, True, 0.5)
    expected = OUTPUTS.copy()
    expected[0] = float("nan")
    with pytest.raises(ValueError, match="max abs error nan"):
        compare_outputs(OUTPUTS, expected, True, 0.5)


def test_a_lost_decision_is_found(monkeypatch):
    results = iter((np.zeros((6, 1), bool), decisions(OUTPUTS, True, 0.5)))
    monkeypatch.setattr("fonoteka.realtime.block_check.decisions", lambda *_: next(results))
    with pytest.raises(
        ValueError, match="decisions in blocks differ from those of the whole sound, first at hop 1"
    ):
        compare_outputs(OUTPUTS, OUTPUTS, True, 0.5)


def test_toy_bundles_use_the_written_front_end(bundle):
    end = FrontEnd.from_json(read_json(bundle / "frontend.json"))
    assert (end.params, end.mean.tolist()) == (FRONT, END.mean.tolist())
