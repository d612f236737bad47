"""The front end gives the same frames for any blocks, and a host rebuilds it from its JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.realtime.frontend import FrontEnd, FrontEndParams, StreamingFrontEnd, mel_matrix

PARAMS = FrontEndParams(160, 400, 512, 40, 60.0, 7600.0, 1e-6)
RNG = np.random.default_rng(3)
SIGNAL = np.asarray(0.3 * RNG.standard_normal(16_000), dtype=np.float32)
END = FrontEnd(
    PARAMS, RNG.normal(size=40).astype(np.float32), RNG.uniform(1, 3, 40).astype(np.float32)
)


def test_there_is_one_frame_per_hop():
    assert END(SIGNAL).shape == (100, 40)
    assert END(SIGNAL[:159]).shape == (0, 40)


@given(st.lists(st.integers(0, 1500), max_size=20))
def test_blocks_of_any_length_give_the_frames_of_the_whole(sizes):
    stream, start, frames = StreamingFrontEnd(END), 0, []
    for size in [*sizes, len(SIGNAL)]:
        frames.append(stream.push(SIGNAL[start : start + size]))
        start += size
    np.testing.assert_allclose(np.concatenate(frames), END(SIGNAL), rtol=0, atol=1e-5)


def test_a_frame_does_not_depend_on_later_samples():
    later = SIGNAL.copy()
    later[8_000:] = 0
    assert np.array_equal(END(later)[:50], END(SIGNAL)[:50])
    assert not np.array_equal(END(later)[50], END(SIGNAL)[50])


def test_a_reset_clears_the_history():
    stream = StreamingFrontEnd(END)
    first = stream.push(SIGNAL)
    stream.reset()
    assert np.array_equal(stream.push(SIGNAL), first)


def test_a_tone_is_loudest_in_the_band_around_it():
    time = np.arange(16_000) / 16_000
    for hz in (200.0, 1_000.0, 5_000.0):
        tone = np.asarray(0.5 * np.sin(2 * np.pi * hz * time), dtype=np.float32)
        band = FrontEnd.without_normalisation(PARAMS)(tone)[50].argmax()
        assert band == mel_matrix(PARAMS)[:, round(hz * 512 / 16_000)].argmax()


def test_silence_is_the_logarithm_of_the_floor():
    frames = FrontEnd.without_normalisation(PARAMS)(np.zeros(1600, dtype=np.float32))
    assert frames == pytest.approx(np.log(1e-6))


@given(st.integers(0, 8_000), st.booleans())
def test_no_feature_is_above_the_bound(hz, square):
    wave = np.cos(2 * np.pi * hz * np.arange(4_000) / 16_000)
    wave = np.asarray(np.sign(wave) if square else wave, dtype=np.float32)
    wave[2_000:] = 0
    assert np.abs(END(wave)).max() <= END.max_abs_feature
    assert (
        np.abs(END(wave)).max() > END.max_abs_feature / 4
    )  # and the bound is not far above real values


def test_a_host_rebuilds_it_from_json_alone():
    document = json.loads(json.dumps(END.to_json()))
    assert np.array_equal(FrontEnd.from_json(document)(SIGNAL), END(SIGNAL))
    # As in a host: sums only, without this code.
    window = np.concatenate([np.zeros(240), SIGNAL[:160].astype(np.float64)]) * document["hann"]
    dft = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / document["fft"])
    power = np.abs(dft @ window) ** 2
    logs = np.log(document["floor"] + np.array(document["mel"]) @ power)
    frame = (logs - np.array(document["mean"])) / np.array(document["std"])
    np.testing.assert_allclose(frame, END(SIGNAL)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2 at 16000 Hz"),
        ({"sample_rate_hz": 8000}, "at 8000 Hz"),
        ({"mel": [[1.0]]}, "do not fit"),
        ({"std": [0.0] * 40}, "std must be above 0"),
        ({"mean": [float("nan")] * 40}, "mean contains numbers that are not finite"),
        ({"mean": [0.0] * 39}, "mean needs 40 finite numbers"),
        ({"hann": [float("inf")] * 400}, "hann contains numbers that are not finite"),
        ({"mel": [[1.0], [1.0, 2.0]]}, "mel is not an array of numbers"),
        ({"mel": "none"}, "mel is not an array of numbers"),
        ({"hop": "160"}, "hop: expected int, found '160'"),
    ],
)
def test_a_damaged_json_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        FrontEnd.from_json(END.to_json() | change)


def test_the_json_has_the_shortest_numbers_that_are_the_same_floats():
    end = FrontEnd(PARAMS, np.full(40, 0.1, np.float32), np.full(40, 2.7, np.float32))
    assert end.to_json()["mean"] == [0.1] * 40
    assert np.array_equal(FrontEnd.from_json(end.to_json()).std, end.std)


def test_a_json_without_a_part_is_refused():
    document = {key: value for key, value in END.to_json().items() if key != "hann"}
    with pytest.raises(ValueError, match=r"\['hann'\] are missing"):
        FrontEnd.from_json(document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hop": 0}, "0 < hop <= window <= fft"),
        ({"fft": 256}, "0 < hop <= window <= fft"),
        ({"high_hz": 9_000.0}, "at least 1 band within 0 to 8000 Hz"),
        ({"floor": 0.0}, "floor must be above 0"),
    ],
)
def test_invalid_parameters_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(PARAMS, **change)
