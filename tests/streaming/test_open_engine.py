"""A recogniser is opened from its packaged files alone, with what they allow."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from clip_maker import noise
from onnx_maker import shipped
from stream_model_maker import stream_model

from fonoteka import transcribe
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.packaging import PACKAGE, record
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import greedy
from fonoteka.streaming.arpa import arpa_text, parse_arpa
from fonoteka.streaming.beam_decoder import beam_search
from fonoteka.streaming.chunked import whole_stream
from fonoteka.streaming.confidence import ConfidenceCalibration
from fonoteka.streaming.endpoint import NOTHING_SPOKEN
from fonoteka.streaming.ngram_table import table_of
from fonoteka.streaming.open_engine import BEAM, frame_source, open_engine, stream_decoder
from fonoteka.streaming.phone_ngram import estimate
from fonoteka.streaming.step_source import StepSource
from fonoteka.streaming.window_source import WindowSource

pytestmark = pytest.mark.torch
SIGNAL = noise(1.3, 3)
ARPA = arpa_text(estimate([LABELS[1:9], LABELS[5:2:-1]], LABELS[1:], order=2))
CALIBRATION = ConfidenceCalibration("gibbs_mean", "isotonic", (0.0, 1.0), (0.25, 0.25))


@pytest.fixture
def streaming(tmp_path, tmp_path_factory):
    """A folder with a step file alone."""
    folder = tmp_path / "streaming"
    folder.mkdir()
    shutil.copy(stream_model(tmp_path_factory) / "step" / "step.onnx", folder)
    return folder


@pytest.fixture
def whole_path(tmp_path, tmp_path_factory):
    """A folder with the whole path of a recogniser that sees the whole recording."""
    folder = tmp_path / "wavlm_ctc"
    folder.mkdir()
    shutil.copy(shipped(tmp_path_factory, "wavlm_ctc") / "out" / "model.onnx", folder)
    return folder


def add_arpa(folder: Path, text: str = ARPA) -> Path:
    (folder / "phones.arpa").write_text(text, encoding="utf-8")
    return folder


def add_calibration(folder: Path) -> Path:
    write_json(folder / "confidence.json", CALIBRATION.to_json())
    return folder


def packaged(folder: Path) -> Path:
    names = [path.name for path in folder.iterdir()]
    write_json(folder / PACKAGE, {"files": record(folder, names)})
    return folder


def decoded(engine, signal=SIGNAL, size=640):
    """Return the committed phones of a signal that is fed in pieces."""
    pieces = [signal[start : start + size] for start in range(0, len(signal), size)]
    updates = [*(engine.feed(piece) for piece in pieces), engine.finish()]
    return [phone for update in updates for phone in update.committed]


def symbols(phones):
    return [phone.symbol for phone in phones]


def test_a_step_file_is_streamed_exactly(streaming):
    engine = open_engine(str(streaming))
    assert isinstance(engine.source, StepSource)
    log_probs = whole_stream(StepSource(streaming / "step.onnx"), SIGNAL)
    expected = [segment.symbol for segment in greedy(log_probs)]
    assert len(expected) > 3
    assert symbols(decoded(engine)) == expected


@pytest.mark.parametrize("policy", ["hold-16", "agree-2", "exactly", ""])
def test_a_step_file_has_no_other_policy(policy, streaming):
    with pytest.raises(
        UserError, match=f"policy '{policy}': every final frame of streaming is exact; use --policy"
    ):
        open_engine(str(streaming), policy)


def test_a_model_of_whole_recordings_is_streamed_by_windows(whole_path):
    engine = open_engine(str(whole_path), "hold-16")
    assert isinstance(engine.source, WindowSource)
    assert engine.source.policy.name == "hold-16"
    assert decoded(engine, SIGNAL[:8000])


def test_a_model_of_whole_recordings_is_not_exact(whole_path):
    with pytest.raises(UserError, match="policy 'exact': each frame of wavlm_ctc depends on the"):
        open_engine(str(whole_path))


def test_an_unknown_policy_is_named(whole_path):
    with pytest.raises(UserError, match="policy 'late': a model with unbounded context needs hold"):
        frame_source(whole_path, "late")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"model\.onnx: no such model"):
        frame_source(tmp_path, "hold-16")


@pytest.mark.parametrize("decoder", ["best", "Greedy", ""])
def test_an_unknown_decoder_is_refused(decoder, streaming):
    with pytest.raises(UserError, match=f"decoder '{decoder}' is not one of greedy, beam"):
        open_engine(str(streaming), decoder=decoder)


def test_the_beam_needs_an_n_gram_model(streaming):
    with pytest.raises(
        UserError, match=r"phones\.arpa: missing, and the beam needs .* use --decoder greedy"
    ):
        open_engine(str(streaming), decoder="beam")


def test_the_beam_of_a_stream_is_that_of_the_whole_recording(streaming):
    engine = open_engine(str(add_arpa(streaming)), decoder="beam")
    log_probs = whole_stream(StepSource(streaming / "step.onnx"), SIGNAL)
    segments = beam_search(log_probs, table_of(parse_arpa(ARPA, "toy"), LABELS), BEAM)
    expected = [segment.symbol for segment in segments]
    assert symbols(decoded(engine)) == expected
    assert expected != [segment.symbol for segment in greedy(log_probs)]


def test_the_beam_works_with_windows_too(whole_path):
    engine = open_engine(str(add_arpa(whole_path)), "hold-16", "beam")
    assert {*symbols(decoded(engine, SIGNAL[:8000]))} <= {*LABELS[1:]}


def test_an_n_gram_model_of_other_phones_is_refused(streaming):
    add_arpa(streaming, arpa_text(estimate([["a", "d"]], ["a", "d"], order=2)))
    with pytest.raises(UserError, match="the n-gram model does not have the label"):
        open_engine(str(streaming), decoder="beam")


def test_a_damaged_n_gram_model_is_named(streaming):
    add_arpa(streaming, ARPA[:-10])
    with pytest.raises(UserError, match=r"phones\.arpa: not an ARPA file"):
        open_engine(str(streaming), decoder="beam")


@pytest.mark.parametrize("decoder", ["greedy", "beam"])
def test_the_confidence_is_calibrated_if_there_is_a_calibration(decoder, streaming):
    add_arpa(streaming)
    raw = decoded(open_engine(str(streaming), decoder=decoder))
    calibrated = decoded(open_engine(str(add_calibration(streaming)), decoder=decoder))
    assert symbols(raw) == symbols(calibrated) != []
    assert {phone.confidence for phone in calibrated} == {0.25}
    assert len({phone.confidence for phone in raw}) > 1


def test_without_a_calibration_the_confidence_is_the_highest_posterior(streaming):
    decoder = stream_decoder(streaming, ("", "a"), "greedy")
    frames = np.log(np.array([[0.4, 0.6], [0.3, 0.7], [0.9, 0.1]], dtype=np.float32))
    (phone,) = decoder.advance(frames)
    assert phone.confidence == pytest.approx(0.7)


def test_a_calibration_without_its_table_is_named(streaming):
    write_json(streaming / "confidence.json", {"measure": "gibbs_mean"})
    with pytest.raises(UserError, match=r"confidence\.json: the calibration has no 'points'"):
        open_engine(str(streaming))


def test_a_sound_package_is_opened(streaming):
    engine = open_engine(str(packaged(add_calibration(add_arpa(streaming)))), decoder="beam")
    assert {phone.confidence for phone in decoded(engine)} == {0.25}


@pytest.mark.parametrize("name", ["step.onnx", "confidence.json", "phones.arpa"])
def test_a_damaged_file_of_a_package_is_refused_whether_it_is_used_or_not(name, streaming):
    packaged(add_calibration(add_arpa(streaming)))
    data = bytearray((streaming / name).read_bytes())
    data[len(data) // 2] ^= 1
    (streaming / name).write_bytes(data)
    with pytest.raises(UserError, match=rf"{name}: its SHA-256 is .*, but package\.json records"):
        open_engine(str(streaming))


def test_a_missing_file_of_a_package_is_named(streaming):
    packaged(add_calibration(streaming))
    (streaming / "confidence.json").unlink()
    with pytest.raises(UserError, match=r"confidence\.json: missing, but package\.json records"):
        open_engine(str(streaming))


def test_a_model_is_found_by_its_name(streaming, monkeypatch, tmp_path):
    (tmp_path / "data" / "models").mkdir(parents=True)
    streaming.rename(tmp_path / "data" / "models" / "streaming")
    monkeypatch.setattr(transcribe, "project", lambda: tmp_path)
    assert len(decoded(open_engine("streaming"))) > 3


@pytest.mark.parametrize("name", ["none", "../none"])
def test_a_model_that_does_not_exist_is_named(name):
    with pytest.raises(UserError, match=f"no model '{name}': .*none is not a folder; run make"):
        open_engine(name)


def test_silence_ends_an_utterance_in_which_nothing_was_spoken(streaming):
    engine = open_engine(str(streaming))
    silence = np.zeros(SAMPLE_RATE_HZ // 10, dtype=np.float32)
    # The untrained recogniser predicts phones in silence too, so they are left out.
    engine.decoder.advance = lambda final: []
    reasons = [engine.feed(silence).endpoint for _ in range(40)]
    assert [reason for reason in reasons if reason] == [NOTHING_SPOKEN]
    assert reasons.index(NOTHING_SPOKEN) in (23, 24)  # 2.4 s, and a frame of the detector
