"""`make rtneural-check` passes a sound bundle, names each fault, and hears in blocks as at once."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from stream_maker import END, FRONT, small

from fonoteka.core.files import read_json, write_json
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import Streamed
from fonoteka.packaging import PACKAGE, record
from fonoteka.realtime import bundle_check as tool
from fonoteka.realtime.block_check import ALLOWED, answers, babble, compare, margins, streamed
from fonoteka.realtime.bundle_check import looks
from fonoteka.realtime.frame_labels import QUESTIONS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.rtneural.interpreter import Network

pytestmark = pytest.mark.torch
SECONDS = 1.5


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small(tmp_path_factory) / "realtime"


@pytest.fixture
def planted(bundle, tmp_path):
    """A copy in which a test plants a fault."""
    return Path(shutil.copytree(bundle, tmp_path / "realtime"))


def checked(monkeypatch, capsys, folder, *words):
    """What the command printed, and the sentence in which it failed, or nothing."""
    monkeypatch.setattr(sys, "argv", ["rtneural-check", str(folder), "--seconds", "1.5", *words])
    said = ""
    try:
        tool.main()
    except ValueError as error:
        said = str(error)
    return capsys.readouterr().out, said


def record_anew(folder):
    """Give package.json the hashes of the files as they are: who plants well forges that too."""
    package = read_json(folder / PACKAGE)
    package["files"] = record(folder, package["files"])
    write_json(folder / PACKAGE, package)


def test_a_sound_bundle_passes_and_each_check_is_a_line(bundle, monkeypatch, capsys):
    out, said = checked(monkeypatch, capsys, bundle)
    assert said == ""
    lines, table = out.split("\n\n")
    rows = lines.splitlines()
    assert len(rows) == 3 + 5 * len(QUESTIONS)
    assert all(row.startswith("ok ") for row in rows)
    assert "blocks of 64, 441, 480 samples: 450 hops answered as of the whole" in out
    assert [row.split()[0] for row in table.splitlines()] == ["model", *QUESTIONS]


def test_a_recording_of_ones_own_can_be_heard(bundle, tmp_path, monkeypatch, capsys):
    soundfile.write(tmp_path / "mine.wav", babble(1.2), 16_000)
    out, said = checked(monkeypatch, capsys, bundle, "--wav", str(tmp_path / "mine.wav"))
    assert (said, "120 steps from a reset and again" in out) == ("", True)
    soundfile.write(tmp_path / "mine.wav", babble(0.5), 16_000)
    _, said = checked(monkeypatch, capsys, bundle, "--wav", str(tmp_path / "mine.wav"))
    assert said == "a sound of 8000 samples proves little; take a second or more"


def edited(folder, name, change):
    """Let a function change the document of a JSON file; what it returns is written as text."""
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
    """Swap the first two gates: of the right size, and wrong."""
    layer = next(layer for layer in document["layers"] if layer["type"] == "gru")
    layer["weights"] = [
        np.concatenate([np.split(np.array(w), 3, axis=-1)[at] for at in (1, 0, 2)], -1).tolist()
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
    ("speech.json", flip, "speech: round trip: speech.json: off by"),
    ("speech.json", cut, "speech: format: speech.json: file: it is no JSON"),
    ("phone.json", nan, "phone: format: phone.json: file: it is no JSON.*NaN"),
    ("viseme.json", shape, r"viseme: format: viseme.json: layers\[2\] \(dense\)"),
    ("onset.json", square, "right with the first two gates swapped"),
    ("frontend.json", mel, "frontend.json: mel is off by 0.001 from what"),
    ("frontend.json", hann, "frontend.json: hann is off by"),
    ("frontend.json", logarithm, "log says 'to base 10', and what is computed is 'natural'"),
    ("frontend.json", hop, "its numbers are not those of package.json"),
    ("frontend.json", mean, "mean holds numbers that are not finite"),
    ("frontend.json", cut, "frontend.json: not valid JSON"),
]


@pytest.mark.parametrize(("name", "change", "words"), FAULTS)
def test_a_fault_is_named_though_its_hash_was_forged(
    name, change, words, planted, monkeypatch, capsys
):
    edited(planted, name, change)
    record_anew(planted)
    out, said = checked(monkeypatch, capsys, planted)
    assert re.search(words, said), said
    assert re.search(rf"^FAULT +.*{words}", out, re.M)
    assert "ok      files: 12 files have" in out


@pytest.mark.parametrize("name", ["frontend.json", "phone.onnx", "phone.json", "README.md"])
def test_one_changed_byte_is_found_by_its_hash(name, planted, monkeypatch, capsys):
    data = bytearray((planted / name).read_bytes())
    data[-2] ^= 1
    (planted / name).write_bytes(data)
    _, said = checked(monkeypatch, capsys, planted)
    assert re.search(rf"files: .*/{name}: its SHA-256 is [0-9a-f]{{12}}, but package.json", said)


@pytest.mark.parametrize("name", ["frontend.json", "phone.onnx", "phone.json", "README.md"])
def test_a_missing_file_is_found(name, planted, monkeypatch, capsys):
    (planted / name).unlink()
    out, said = checked(monkeypatch, capsys, planted)
    assert f"{name}: missing, but package.json records it" in said
    if name == "phone.json":
        assert re.search(r"^skipped phone: the rest: its format is at fault", out, re.M)
    if name == "frontend.json":
        assert out.count("the rest: frontend.json is at fault") == len(QUESTIONS)


def swap(folder, one, other):
    held = (folder / one).read_bytes()
    (folder / one).write_bytes((folder / other).read_bytes())
    (folder / other).write_bytes(held)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["json"], "speech: round trip: speech.json: off by"),
        (["onnx"], "the ONNX file's name: found 'voicing', expected 'speech'"),
        (["json", "onnx"], "the ONNX file's name: found 'voicing', expected 'speech'"),
    ],
)
def test_swapped_file_names_are_found_though_the_sizes_are_equal(
    kinds, words, planted, monkeypatch, capsys
):
    for kind in kinds:
        swap(planted, f"speech.{kind}", f"voicing.{kind}")
    _, before = checked(monkeypatch, capsys, planted)
    assert f"speech.{kinds[0]}: its SHA-256 is" in before
    record_anew(planted)
    _, said = checked(monkeypatch, capsys, planted)
    assert words in said


def tell(key, value):
    def change(package):
        package["models"]["phone"][key] = value

    return change


def forget(key):
    def change(package):
        del package["models"]["phone"][key]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (tell("model_t", "RTNeural::ModelT<float, 8, 1>"), "phone.json: model_t is RTNeural::Mod"),
        (tell("multiplies", 7), r"phone.json: multiplies is \d+ in the file and 7 in package"),
        (tell("answers", ["a", "b"]), "phone: outputs: found 51, expected 2"),
        (tell("weights_sha256", "0" * 64), "phone: the ONNX file's weights: found"),
        (tell("loudest_logit", 2), r"phone: the bound before a softmax: found \d+, expected 2"),
        (tell("threshold", "high"), "models.phone: threshold: expected float, found 'high'"),
        (forget("model_t"), r"package.json: models.phone: missing \['model_t'\]"),
        (
            lambda package: package["models"].update(phone=None),
            "nothing is said of a model 'phone'",
        ),
        (lambda package: package.update(weight_bytes=1), "weight_bytes is 1, and the models' are"),
        (lambda package: package.update(models=[]), "nothing is said of a model 'speech'"),
        (lambda package: "[]", "package.json: expected keys and values; run dvc repro"),
        (cut, "package.json: not valid JSON"),
    ],
)
def test_a_package_json_that_says_another_thing_is_found(
    change, words, planted, monkeypatch, capsys
):
    edited(planted, PACKAGE, change)
    _, said = checked(monkeypatch, capsys, planted)
    assert re.search(words, said), said


def test_no_bundle_is_one_clear_sentence(tmp_path, monkeypatch, capsys):
    _, said = checked(monkeypatch, capsys, tmp_path)
    assert said == f"{tmp_path / PACKAGE}: no such file"


def test_all_faults_are_named_at_once(planted, monkeypatch, capsys):
    edited(planted, "speech.json", cut)
    edited(planted, "frontend.json", mel)
    (planted / "onset.onnx").unlink()
    _, said = checked(monkeypatch, capsys, planted)
    assert said.startswith("rtneural-check: 3 at fault: files: ")
    for words in ("speech.json: its SHA", "onset.onnx: missing", "mel is off", "it is no JSON"):
        assert words in said


def test_what_says_another_thing_after_a_reset_is_found(bundle, monkeypatch):
    def drifting(session, frames):
        drifting.calls += 1
        return np.full((len(frames), 1), drifting.calls, dtype=np.float32)

    drifting.calls = 0
    monkeypatch.setattr("fonoteka.realtime.model_check.stepped", drifting)
    found = [one.said for one in looks(bundle, babble(SECONDS), []) if one.state == "FAULT"]
    assert found == [f"{name}.onnx: says another thing after a reset" for name in QUESTIONS]


@pytest.mark.parametrize("size", [1, 64, 159, 160, 441, 480, 1 << 20])
@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_wav_in_blocks_is_answered_as_the_whole(name, size, bundle, tmp_path):
    soundfile.write(tmp_path / "heard.wav", babble(0.6, seed=4), 16_000)
    signal, rate_hz = soundfile.read(tmp_path / "heard.wav", dtype="float32")
    assert rate_hz == 16_000
    end = FrontEnd.from_json(read_json(bundle / "frontend.json"))
    network = Network((bundle / f"{name}.json").read_bytes())
    found = streamed(network, end, signal, size)
    wanted = Streamed(open_model(bundle / f"{name}.onnx")).run(end(signal))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ALLOWED)
    event = QUESTIONS[name].event
    assert np.array_equal(answers(found, event, 0.5), answers(wanted, event, 0.5))


def test_made_sound_has_pauses_and_bursts_and_is_always_the_same():
    sound = babble(4.0)
    assert np.array_equal(sound, babble(4.0))
    assert not np.array_equal(sound, babble(4.0, seed=2))
    assert np.array_equal(sound * 32768, np.round(sound * 32768))
    quiet = np.array([np.abs(part).max() < 0.01 for part in np.split(sound, 400)])
    assert 0.1 < quiet.mean() < 0.9
    assert 0.05 < np.abs(sound).max() <= 1


OUTPUTS = np.array([[0.1], [0.8], [0.3], [0.6], [0.6], [0.2]], dtype=np.float32)


def test_a_margin_is_above_nothing_where_an_answer_is_given():
    rng = np.random.default_rng(1)
    many = rng.random((50, 4)).astype(np.float32)
    assert np.array_equal(margins(many, False, 0.5) > 0, answers(many, False, 0.5))
    one = rng.random((50, 1)).astype(np.float32)
    for event in (False, True):
        assert np.array_equal(margins(one, event, 0.5) > 0, answers(one, event, 0.5))


def test_another_answer_is_found_and_one_that_the_last_bits_decide_is_counted():
    wanted = OUTPUTS.copy()
    assert compare(OUTPUTS, wanted, True, 0.5).close == 0
    wanted[0] += 5e-6
    assert 0 < compare(OUTPUTS, wanted, True, 0.5).error <= ALLOWED
    wanted[4] -= 5e-6  # of two equal hops the first is the peak now
    assert compare(OUTPUTS, wanted, True, 0.5).close == 2
    wanted[2] += 1e-4
    with pytest.raises(ValueError, match=r"outputs in blocks are off by 1.00e-04; allowed is"):
        compare(OUTPUTS, wanted, True, 0.5)
    with pytest.raises(ValueError, match=r"\(5, 1\) outputs in blocks and \(6, 1\) of the whole"):
        compare(OUTPUTS[1:], OUTPUTS, True, 0.5)
    wanted = OUTPUTS.copy()
    wanted[0] = float("nan")
    with pytest.raises(ValueError, match="off by nan"):
        compare(OUTPUTS, wanted, True, 0.5)


def test_an_answer_that_was_lost_is_found(monkeypatch):
    given = iter((np.zeros((6, 1), bool), answers(OUTPUTS, True, 0.5)))
    monkeypatch.setattr("fonoteka.realtime.block_check.answers", lambda *_: next(given))
    with pytest.raises(
        ValueError, match="another answer in blocks than of the whole, first at hop 1"
    ):
        compare(OUTPUTS, OUTPUTS, True, 0.5)


def test_toy_bundles_hear_by_the_front_end_that_is_written(bundle):
    end = FrontEnd.from_json(read_json(bundle / "frontend.json"))
    assert (end.params, end.mean.tolist()) == (FRONT, END.mean.tolist())
