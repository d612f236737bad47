"""Endpoints: three rules on decisions of a detector, the same for any division of the samples."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.streaming.endpoint import (
    MAX_LENGTH,
    NOTHING_SPOKEN,
    SILENCE,
    EndpointParams,
    EndpointRules,
    VadEndpointDetector,
)
from fonoteka.streaming.vad.interfaces import FrameBuffer, VadParams

FRAME = 160  # 10 ms
RATE = 16_000
VAD = VadParams("silero", threshold=0.5, release=0.5, mode=0, hangover_s=0.0)
SHORT = EndpointParams(
    VAD, min_speech_s=0.02, rule1_silence_s=0.12, rule2_silence_s=0.05, max_utterance_s=0.4
)


class LevelVad:
    """A detector for which a frame that contains a sample of at least 0.5 is speech."""

    frame = FRAME

    def __init__(self):
        self.reset()

    def reset(self):
        self.frames = FrameBuffer(FRAME)

    def push(self, samples):
        return (np.abs(self.frames.push(samples)) >= 0.5).any(axis=1)


def endpoints(speech, spoken_from=None, params=SHORT):
    """Return `(reason, frames)` for a text such as `..##..`, `#` being a frame of speech."""
    rules, result = EndpointRules(FRAME, params), []
    for number, letter in enumerate(speech):
        last = result[-1].sample / FRAME if result else 0
        spoken = spoken_from is not None and last <= spoken_from <= number
        result += rules.advance(np.array([letter == "#"]), spoken)
    return [(reason, sample / FRAME) for reason, sample in result]


def test_silence_after_a_phone_ends_the_utterance():
    assert endpoints("..####......", spoken_from=4) == [(SILENCE, 11)]


def test_a_pause_that_is_shorter_than_the_rule_does_not_end_the_utterance():
    assert endpoints("..####....####....", spoken_from=4) == []


def test_silence_without_a_phone_takes_longer_to_end_the_utterance():
    assert endpoints("..####..............") == [(NOTHING_SPOKEN, 18)]


def test_rule_1_ends_a_silence_once_and_is_ready_again_after_speech():
    assert endpoints("." * 100) == [(NOTHING_SPOKEN, 12)]
    assert endpoints("." * 30 + "###" + "." * 30) == [(NOTHING_SPOKEN, 12), (NOTHING_SPOKEN, 45)]


def test_an_utterance_is_cut_at_the_longest_length_and_silence_before_it_does_not_count():
    assert endpoints("." * 10 + "#" * 60, spoken_from=12) == [(MAX_LENGTH, 50)]
    assert endpoints("#" * 100, spoken_from=2) == [(MAX_LENGTH, 40), (MAX_LENGTH, 80)]


def test_speech_that_is_too_short_does_not_end_a_silence():
    assert endpoints("####..#.......", spoken_from=2) == [(SILENCE, 9)]
    assert endpoints("####..##......", spoken_from=2) == [(SILENCE, 13)]


def test_a_first_phone_counts_as_speech_where_the_detector_missed_it():
    # Else a phone that is committed after seconds of silence would end its utterance at once.
    assert endpoints("." * 30, spoken_from=20) == [(NOTHING_SPOKEN, 12), (SILENCE, 26)]


def test_a_phone_that_is_committed_late_delays_the_endpoint_only_if_its_speech_was_missed():
    assert endpoints("..####......", spoken_from=8) == [(SILENCE, 11)]
    assert endpoints("..#.........", spoken_from=5) == [(SILENCE, 11)]  # too short to be speech


def test_after_an_endpoint_the_utterance_has_no_phone_even_within_one_call():
    rules = EndpointRules(FRAME, SHORT)
    speech = np.array([letter == "#" for letter in "####" + "." * 30])
    assert [e.reason for e in rules.advance(speech, True)] == [SILENCE, NOTHING_SPOKEN]


def test_the_hangover_of_the_detector_counts_as_silence():
    late = replace(SHORT, vad=replace(VAD, hangover_s=0.02))
    assert endpoints("..####......", spoken_from=4, params=late) == [(SILENCE, 9)]
    assert endpoints("..####..............", params=late) == [(NOTHING_SPOKEN, 16)]
    # Without speech of the detector there is no hangover either.
    assert endpoints("." * 30, params=late) == [(NOTHING_SPOKEN, 12)]


def test_frames_are_rounded_up_so_that_a_silence_is_never_too_short():
    rules = EndpointRules(512, EndpointParams(VAD))
    speech = np.array([True] * 10 + [False] * 40)
    (endpoint, *_) = rules.advance(speech, True)
    silence_s = (endpoint.sample - 10 * 512) / RATE
    assert 0.6 <= silence_s < 0.6 + 512 / RATE


def streamed(samples, edges, commits):
    """Return the endpoints of samples that are divided at `edges`; phones commit at `commits`."""
    detector = VadEndpointDetector(LevelVad(), SHORT)
    result, last = [], 0
    cuts = sorted({0, *edges, *commits, len(samples)})
    for begin, end in pairwise(cuts):
        spoken = any(last < commit <= begin for commit in commits)
        result += detector.advance(samples[begin:end], spoken)
        last = result[-1].sample if result else 0
    return result


PARTS = st.lists(st.tuples(st.booleans(), st.integers(1, 4_000)), min_size=1, max_size=8)


@given(PARTS, st.lists(st.integers(1, 20_000), max_size=4), st.lists(st.integers(1, 20_000)))
def test_endpoints_do_not_depend_on_the_division_of_the_samples(parts, commits, edges):
    samples = np.concatenate([np.full(n, float(loud), np.float32) for loud, n in parts])
    commits = [c for c in commits if c < len(samples)]
    edges = [e for e in edges if e < len(samples)]
    assert streamed(samples, edges, commits) == streamed(samples, [], commits)


def test_chunks_of_one_sample_and_of_none_give_the_same_endpoints():
    samples = np.repeat(np.array([0, 1, 1, 1, 0, 0, 0, 0, 0, 0], np.float32), FRAME)
    expected = streamed(samples, [], [3 * FRAME])
    assert [e.reason for e in expected] == [SILENCE]
    assert streamed(samples, range(len(samples)), [3 * FRAME]) == expected
    detector = VadEndpointDetector(LevelVad(), SHORT)
    assert detector.push(np.zeros(0, np.float32), True) is None


def test_push_returns_the_first_reason_or_none():
    detector = VadEndpointDetector(LevelVad(), SHORT)
    speech, silence = np.ones(4 * FRAME, np.float32), np.zeros(30 * FRAME, np.float32)
    assert detector.push(speech, False) is None
    assert detector.push(silence, True) == SILENCE
    assert detector.push(silence, False) is None


def test_finish_prepares_for_another_stream():
    detector = VadEndpointDetector(LevelVad(), SHORT)
    samples = np.repeat(np.array([1, 1, 1, 0, 0, 0, 0, 0, 0], np.float32), FRAME)[:-7]
    first = detector.advance(samples, True)
    detector.finish()
    assert detector.advance(samples, True) == first == [(SILENCE, 8 * FRAME)]


def test_an_hour_of_silence_ends_nothing_twice_and_takes_no_memory():
    detector = VadEndpointDetector(LevelVad(), EndpointParams())
    second = np.zeros(RATE, np.float32)
    reasons = [detector.push(second, False) for _ in range(10)]
    tracemalloc.start()
    reasons += [detector.push(second, False) for _ in range(3_590)]
    retained, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [r for r in reasons if r] == [NOTHING_SPOKEN]
    assert retained < 100_000  # bytes; a second of samples has 64,000


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.array([0.0, np.nan, np.inf], np.float32), r"shape \(3,\) with 2 that are not finite"),
        (np.zeros((2, 5), np.float32), r"shape \[N\], found shape \(2, 5\)"),
    ],
)
def test_samples_that_would_spoil_the_state_are_refused(samples, reason):
    with pytest.raises(ValueError, match=reason):
        VadEndpointDetector(LevelVad(), SHORT).push(samples, False)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"rule2_silence_s": 0.0, "min_speech_s": 0.0}, r"0 < rule2_silence_s .* found 0\.0, 2\.4"),
        ({"rule2_silence_s": 3.0}, r"found 3\.0, 2\.4 and 20\.0"),
        ({"max_utterance_s": 2.4}, r"and 2\.4; change them"),
        ({"min_speech_s": 0.6}, r"min_speech_s must be 0 to rule2_silence_s, 0\.6, found 0\.6"),
        ({"vad": replace(VAD, hangover_s=0.7)}, r"hangover_s must be 0 to .*, 0\.6, found 0\.7"),
    ],
)
def test_rules_that_contradict_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        EndpointParams(**({"rule2_silence_s": 0.6} | values))
