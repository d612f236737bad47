"""The front end of a stream: the same frames whatever the blocks, and rebuilt from its JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.realtime.frontend import FrontEnd, FrontEndParams, Streamed, mel_matrix

PARAMS = FrontEndParams(160, 400, 512, 40, 60.0, 7600.0, 1e-6)
RNG = np.random.default_rng(3)
SIGNAL = np.asarray(0.3 * RNG.standard_normal(16_000), dtype=np.float32)
END = FrontEnd(
    PARAMS, RNG.normal(size=40).astype(np.float32), RNG.uniform(1, 3, 40).astype(np.float32)
)


def test_there_is_a_frame_a_hop():
    assert END(SIGNAL).shape == (100, 40)
    assert END(SIGNAL[:159]).shape == (0, 40)


@given(st.lists(st.integers(0, 1500), max_size=20))
def test_blocks_of_any_length_give_the_frames_of_the_whole(sizes):
    stream, at, found = Streamed(END), 0, []
    for size in [*sizes, len(SIGNAL)]:
        found.append(stream.push(SIGNAL[at : at + size]))
        at += size
    np.testing.assert_allclose(np.concatenate(found), END(SIGNAL), rtol=0, atol=1e-5)


def test_a_frame_knows_nothing_of_what_comes_after_it():
    later = SIGNAL.copy()
    later[8_000:] = 0
    assert np.array_equal(END(later)[:50], END(SIGNAL)[:50])
    assert not np.array_equal(END(later)[50], END(SIGNAL)[50])


def test_after_a_reset_nothing_is_left_of_what_was_heard():
    stream = Streamed(END)
    first = stream.push(SIGNAL)
    stream.reset()
    assert np.array_equal(stream.push(SIGNAL), first)


def test_a_tone_is_loudest_in_the_band_around_it():
    time = np.arange(16_000) / 16_000
    for hz in (200.0, 1_000.0, 5_000.0):
        tone = np.asarray(0.5 * np.sin(2 * np.pi * hz * time), dtype=np.float32)
        loudest = FrontEnd.plain(PARAMS)(tone)[50].argmax()
        assert loudest == mel_matrix(PARAMS)[:, round(hz * 512 / 16_000)].argmax()


def test_silence_is_the_logarithm_of_the_floor():
    found = FrontEnd.plain(PARAMS)(np.zeros(1600, dtype=np.float32))
    assert found == pytest.approx(np.log(1e-6))


@given(st.integers(0, 8_000), st.booleans())
def test_no_number_is_above_the_bound(hz, square):
    wave = np.cos(2 * np.pi * hz * np.arange(4_000) / 16_000)
    wave = np.asarray(np.sign(wave) if square else wave, dtype=np.float32)
    wave[2_000:] = 0
    assert np.abs(END(wave)).max() <= END.loudest
    assert np.abs(END(wave)).max() > END.loudest / 4  # nor is it far above all that is heard


def test_a_host_rebuilds_it_from_json_alone():
    facts = json.loads(json.dumps(END.to_json()))
    assert np.array_equal(FrontEnd.from_json(facts)(SIGNAL), END(SIGNAL))
    # As a host would: loops and sums, nothing of this code.
    window = np.concatenate([np.zeros(240), SIGNAL[:160].astype(np.float64)]) * facts["hann"]
    at = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / facts["fft"])
    power = np.abs(at @ window) ** 2
    logs = np.log(facts["floor"] + np.array(facts["mel"]) @ power)
    frame = (logs - np.array(facts["mean"])) / np.array(facts["std"])
    np.testing.assert_allclose(frame, END(SIGNAL)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2 at 16000 Hz"),
        ({"sample_rate_hz": 8000}, "at 8000 Hz"),
        ({"mel": [[1.0]]}, "don't fit"),
        ({"std": [0.0] * 40}, "std must be above 0"),
        ({"mean": [float("nan")] * 40}, "mean holds numbers that are not finite"),
        ({"mean": [0.0] * 39}, "mean needs 40 finite numbers"),
        ({"hann": [float("inf")] * 400}, "hann holds numbers that are not finite"),
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
    facts = {key: value for key, value in END.to_json().items() if key != "hann"}
    with pytest.raises(ValueError, match=r"\['hann'\] are missing"):
        FrontEnd.from_json(facts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hop": 0}, "0 < hop <= window <= fft"),
        ({"fft": 256}, "0 < hop <= window <= fft"),
        ({"high_hz": 9_000.0}, "none below 8000 Hz"),
        ({"floor": 0.0}, "floor must be above 0"),
    ],
)
def test_numbers_that_make_no_front_end_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(PARAMS, **change)
