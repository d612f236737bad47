"""Uncertainty is one minus the calibrated confidence; profiles compare the phones of clips."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clip_maker import noise, save_clips
from tone_model import tone_phones

from fonoteka import manifest
from fonoteka.scoring.decoding import greedy
from fonoteka.selection import predict
from fonoteka.selection.predict import PhonePredictor
from fonoteka.selection.uncertainty import MEASURE, expected_error, measures_of, phone_profile
from fonoteka.shards import open_clips
from fonoteka.streaming.confidence import ConfidenceCalibration


def frames(*rows):
    return np.log(np.array(rows, dtype=np.float32))


def test_equal_posteriors_are_quite_uncertain_and_certain_ones_not_at_all():
    labels = ["", "a"]
    sure, unsure = frames([0.9, 0.1], [1e-7, 1.0]), frames([0.9, 0.1], [0.49, 0.51])
    values = [expected_error(measures_of(f, greedy(f, labels))) for f in (sure, unsure)]
    assert values == pytest.approx([0.0, 0.98], abs=1e-4)


def test_a_clip_without_a_phone_has_no_uncertainty():
    assert np.isnan(expected_error([]))


def test_profiles_differ_by_phones_and_not_by_silence():
    spoken = frames([0.9, 0.1, 1e-9], [0.1, 0.9, 1e-9])
    longer = frames(*[[1.0, 1e-9, 1e-12]] * 50, [0.9, 0.1, 1e-9], [0.1, 0.9, 1e-9])
    other = frames([0.9, 1e-9, 0.1], [0.1, 1e-9, 0.9])
    first, second, third = map(phone_profile, (spoken, longer, other))
    assert np.linalg.norm(first - second) < 1e-3
    assert np.linalg.norm(first - third) == pytest.approx(np.sqrt(2), abs=1e-3)


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"tones")
    monkeypatch.setattr(predict, "open_phone_model", tone_phones)
    return tmp_path


def test_a_model_is_calibrated_on_voices_it_was_not_trained_on(model):
    rows = save_clips(model / "audio", {f"c{n}": noise(0.5, n) for n in range(30)})
    clips = open_clips(model / "audio", {u.id: u.audio for u in rows})
    decoded = [PhonePredictor(str(model)).decode(signal).phones for signal in clips.values()]
    # Every second transcript is another one, so half of the phones are wrong.
    texts = [phones if n % 2 else ("u",) for n, phones in enumerate(decoded)]
    rows = [u for key in clips for u in rows if u.id == key]
    manifest.write(
        model / "valid.jsonl",
        [manifest.Utterance(**vars(u) | {"phones": t}) for u, t in zip(rows, texts, strict=True)],
    )
    predictor = PhonePredictor(str(model))
    before = predictor.uncertainty(predictor.decode(clips["c0"]))
    predictor.calibrate(model / "valid.jsonl", model / "audio")
    after = predictor.uncertainty(predictor.decode(clips["c0"]))
    assert abs(after - 0.5) < 0.1 < abs(before - 0.5)
    assert f"30 phones of {model / 'valid.jsonl'}" in predictor.calibrated_by


def test_a_packaged_calibration_is_used(model):
    table = ConfidenceCalibration(MEASURE, "isotonic", (0.0, 1.0), (0.75, 0.75))
    (model / "confidence.json").write_text(json.dumps(table.to_json()))
    predictor = PhonePredictor(str(model))
    predictor.calibrate(model / "valid.jsonl", model / "audio")
    assert predictor.uncertainty(predictor.decode(noise(0.5))) == pytest.approx(0.25)
