"""Joined utterances with known pauses, counts of endpoints and frames, and the choice on valid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_maker import noise, save_clips
from corpus_maker import utterance

from fonoteka.streaming.endpoint import SILENCE, Endpoint, EndpointParams, VadEndpointDetector
from fonoteka.streaming.vad.detector import TUNED, Hysteresis
from fonoteka.streaming.vad.interfaces import VadParams
from stages.streaming.evaluate_endpoints.endpoint_scores import (
    EndpointCounts,
    FrameCounts,
    count_endpoints,
    count_frames,
    simulate,
    speech_of,
    sum_frames,
)
from stages.streaming.evaluate_endpoints.joined_streams import (
    JoinedStream,
    TimedClip,
    UtteranceJoinParams,
    choose,
    join,
    joined_streams,
)
from stages.streaming.evaluate_endpoints.settings import EvaluateEndpointsParams
from stages.streaming.evaluate_endpoints.tuning import (
    EndpointPart,
    TunedVad,
    candidates_of,
    count,
    count_all,
    rank,
    replay,
    tune,
    with_hangover,
)

RATE = 16_000
JOIN = UtteranceJoinParams(
    seed=1, pause_min_s=0.8, pause_max_s=2.0, noise_below_db=(30.0, 10.0), gain_min_db=-6.0,
    gain_max_db=0.0,
)  # fmt: skip
PARAMS = EvaluateEndpointsParams(
    join=JOIN, valid_utterances=4, test_utterances=4, commit_lag_s=0.15, thresholds=(0.3, 0.5),
    release_below=(0.0, 0.2), max_over_rule2_s=0.1, rule2_silence_s=(0.4, 0.7), digits=4,
)  # fmt: skip
TIMES = [("d", 0.05, 0.3), ("a", 0.3, 0.9)]
"""Phones of a clip of 1 s."""


def clips_of(speaker, count):
    return [utterance(speaker, number) for number in range(count)]


def timed(speaker="mine/ana", times=TIMES, seconds=1.0):
    return [TimedClip(u, times, noise(seconds, i)) for i, u in enumerate(clips_of(speaker, 3))]


def known_stream(seconds=8.0):
    """Two utterances, at 1 to 2 and 4 to 5 s."""
    phones = [[("d", 1.0, 1.5), ("a", 1.5, 2.0)], [("d", 4.0, 4.5), ("a", 4.5, 5.0)]]
    samples = np.zeros(round(seconds * RATE), np.float32)
    return JoinedStream("mine/ana", "mine", 30.0, ["x", "y"], samples, phones)


def endpoint_at(*seconds):
    return [Endpoint(SILENCE, round(place * RATE)) for place in seconds]


def test_pauses_are_drawn_from_their_range_and_phones_keep_their_places():
    clips = timed()
    stream = join(clips, 30.0, JOIN)
    assert stream.clips == [clip.utterance.id for clip in clips]
    # The clip's margins, 0.05 s before the first phone and 0.1 s after the last, add to a pause.
    assert all(0.95 <= gap <= 2.15 for gap in stream.gaps_s[:-1])
    assert 0.9 <= stream.gaps_s[-1] <= 2.1
    for clip, (start_s, end_s) in zip(clips, stream.bounds_s, strict=True):
        assert end_s - start_s == pytest.approx(0.85)
        own = stream.samples[round((start_s - 0.05) * RATE) :][: len(clip.signal)]
        assert np.corrcoef(own, clip.signal)[0, 1] > 0.99


@pytest.mark.parametrize("below_db", [30.0, 10.0])
def test_the_noise_of_a_stream_has_its_stated_level(below_db):
    stream = join(timed(), below_db, replace(JOIN, gain_min_db=0.0))
    start_s, end_s = stream.bounds_s[0]
    pause = stream.samples[: round((start_s - 0.05) * RATE)].std()
    clip = 0.1 * 0.999  # the level of `noise`
    # A pause of a second has some 100 independent samples of the most coloured noise: 1 dB.
    assert 20 * np.log10(clip / pause) == pytest.approx(below_db, abs=1.0)
    assert end_s - start_s == pytest.approx(0.85)


def test_streams_are_the_same_in_each_run_and_other_voices_change_none():
    first, again = (join(timed(), 30.0, JOIN) for _ in range(2))
    assert np.array_equal(first.samples, again.samples)
    ana, ivo = clips_of("mine/ana", 9), clips_of("mine/ivo", 9)
    alone = choose(ana, 6, JOIN)
    assert choose([*ivo, *reversed(ana)], 12, JOIN)[:2] == alone
    assert [level for level, _ in alone] == [30.0, 10.0]
    assert [len(own) for _, own in alone] == [3, 3]


def test_few_clips_make_fewer_utterances_and_none_twice_per_noise():
    plan = choose([*clips_of("mine/ana", 2), *clips_of("mine/ivo", 5)], 500, JOIN)
    assert [len({u.id for u in own}) for _, own in plan] == [2, 2, 5, 5]
    assert [len(own) for _, own in plan] == [2, 2, 5, 5]


def test_a_part_is_joined_from_its_shards(tmp_path):
    utterances = save_clips(tmp_path, {"one": noise(1.0, 1), "two": noise(1.0, 2)})
    times = {u.id: TIMES for u in utterances}
    streams = [*joined_streams(utterances, times, tmp_path, 4, JOIN)]
    assert [(s.speaker, s.noise_db, s.clips) for s in streams] == [
        ("mine/s0", 30.0, ["one"]), ("mine/s0", 10.0, ["one"]),
        ("mine/s1", 30.0, ["two"]), ("mine/s1", 10.0, ["two"]),
    ]  # fmt: skip


def test_endpoints_are_counted_as_right_false_missed_and_extra():
    stream = known_stream()
    right = count_endpoints(endpoint_at(2.5, 5.6), stream)
    assert (right.utterances, right.errors, right.extra) == (2, 0, 0)
    assert right.delays_ms == pytest.approx([500, 600])
    false = count_endpoints(endpoint_at(1.6, 1.7, 2.5, 5.5), stream)
    assert (false.false_cuts, false.missed, false.extra) == (1, 0, 0)
    missed = count_endpoints(endpoint_at(0.5, 5.5, 6.0), stream)
    assert (missed.false_cuts, missed.missed, missed.extra) == (0, 1, 2)
    assert count_endpoints([], stream).report()["delay_ms_p90"] is None


def test_counts_of_streams_add_up():
    total = EndpointCounts(2, 1, 0, 0, [500.0]) + EndpointCounts(2, 0, 1, 3, [700.0])
    assert total == EndpointCounts(4, 1, 1, 3, [500.0, 700.0])
    report = total.report()
    assert (report["false_cut_share"], report["missed_share"]) == (0.25, 0.25)
    assert (report["delay_ms_p50"], report["delay_ms_p90"]) == pytest.approx((600, 680))


def test_a_phone_is_committed_after_its_lag_and_spoken_until_the_endpoint():
    log = []

    def advance(begin, end, spoken):
        log.append((begin / RATE, spoken))
        return endpoint_at(2.5) if begin <= 2.5 * RATE < end else []

    simulate(known_stream(), 0.25, advance)
    assert log == [(0, False), (1.75, True), (2.25, True), (4.75, True), (5.25, True)]
    late = []
    simulate(
        known_stream(), 0.25,
        lambda begin, end, spoken: late.append(spoken) or endpoint_at(end / RATE),
    )  # fmt: skip
    assert late == [False] * 5  # each piece ends with an endpoint at the commit


@pytest.mark.parametrize(("frame", "delay"), [(160, 0), (160, 320), (512, 0)])
def test_frames_are_compared_with_the_phones_at_the_time_they_are_about(frame, delay):
    stream = known_stream()
    middle = (np.arange(len(stream.samples) // frame) + 0.5) * frame - delay
    true = ((middle >= 1.0 * RATE) & (middle < 2.0 * RATE)) | (
        (middle >= 4.0 * RATE) & (middle < 5.0 * RATE)
    )
    speech = speech_of(stream)
    counts = count_frames(true, frame, delay, speech)
    wrong = 0 if frame == 160 else 6  # hops at the edges of speech, which frames of 32 ms round
    assert counts.hits >= 200 - wrong
    assert counts.false_alarms + counts.misses <= wrong
    half = true.copy()
    half[: len(half) * 3 // 8] = False
    recall = count_frames(half, frame, delay, speech).report()["recall"]
    assert recall == pytest.approx(0.5, abs=0.03)


def test_frame_counts_add_up_and_nothing_has_no_precision():
    assert sum_frames([FrameCounts(1, 2, 3), FrameCounts(1, 0, 1)]) == FrameCounts(2, 2, 4)
    assert FrameCounts(1, 1, 3).report() == {"precision": 0.5, "recall": 0.25}
    assert FrameCounts(1, 1, 3).f1 == pytest.approx(1 / 3)
    assert FrameCounts(0, 0, 0).report() == {"precision": None, "recall": None}


LEVEL = VadParams("silero", threshold=0.5, release=0.5, mode=0, hangover_s=0.0)


class LevelScorer:
    """A scorer whose score is the level of a frame."""

    frame, delay = 320, 0

    def __init__(self):
        self.resets = 0

    def reset(self):
        self.resets += 1
        self.rest = np.zeros(0, np.float32)

    def push(self, samples):
        joined = np.concatenate([self.rest, samples])
        whole = len(joined) // self.frame * self.frame
        self.rest = joined[whole:]
        return np.sqrt(np.square(joined[:whole]).reshape(-1, self.frame).mean(axis=1)) * 8


class Levels:
    """A detector by level."""

    frame = LevelScorer.frame

    def __init__(self, params):
        self.scorer, self.hysteresis = LevelScorer(), Hysteresis(params.threshold, params.release)
        self.scorer.reset()

    def push(self, samples):
        return self.hysteresis.push(self.scorer.push(samples))

    def reset(self):
        self.scorer.reset()
        self.hysteresis.reset()


def quiet_part(scorer=None, times=TIMES, seconds=1.0):
    params = replace(JOIN, noise_below_db=(40.0,), gain_min_db=0.0)
    streams = [
        join(timed(speaker, times, seconds), 40.0, params) for speaker in ("mine/ana", "mine/ivo")
    ]
    return EndpointPart(streams, lambda _: scorer or LevelScorer())


def test_replayed_decisions_give_the_endpoints_of_the_streaming_detector():
    part, params = quiet_part(), EndpointParams(LEVEL, rule2_silence_s=0.4)
    for stream, scores, frame, _ in part.scored(params.vad):
        detector = VadEndpointDetector(Levels(params.vad), params)
        streamed = simulate(
            stream, 0.15, lambda a, b, s, d=detector, x=stream.samples: d.advance(x[a:b], s)
        )
        decisions = Hysteresis(params.vad.threshold, params.vad.release).push(scores)
        assert streamed
        assert replay(stream, decisions, frame, params, 0.15) == streamed


def test_a_level_finds_every_endpoint_of_loud_utterances():
    params = EndpointParams(LEVEL, rule2_silence_s=0.4)
    total = count(quiet_part(), params, 0.15)
    assert (total.utterances, total.errors, total.extra) == (6, 0, 0)
    # From the end of the last phone: 0.1 s of the clip and 0.4 s, give or take a frame of 20 ms.
    assert all(480 <= delay <= 521 for delay in total.delays_ms)


def test_streams_are_scored_once_per_detector_and_mode():
    scorer = LevelScorer()
    part = quiet_part(scorer)
    count_all(part, EndpointParams(), 0.15)
    count_all(part, EndpointParams(rule2_silence_s=0.4), 0.15)
    assert scorer.resets == 2  # one per stream
    part.scored(TUNED["webrtc"])
    assert scorer.resets == 4


def test_each_threshold_is_tried_with_each_release_and_webrtc_with_each_mode():
    silero = [(vad.threshold, vad.release) for vad in candidates_of("silero", PARAMS)]
    assert silero == [(0.3, 0.3), (0.3, 0.1), (0.5, 0.5), (0.5, 0.3)]
    assert [vad.mode for vad in candidates_of("webrtc", PARAMS)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("delays_ms", "hangover_s"),
    [([700, 724, 900], 0.12), ([590], 0.0), ([2000], 0.3), ([], 0.0)],
)
def test_the_hangover_is_the_median_delay_beyond_rule_2(delays_ms, hangover_s):
    vad = replace(TUNED["silero"], hangover_s=0.0)
    counts = EndpointCounts(9, 0, 0, 0, delays_ms)
    assert with_hangover(vad, counts, 0.6).hangover_s == hangover_s


def test_fewer_errors_are_better_then_a_delay_that_is_short_enough_then_frames():
    def key(errors, delay_ms, misses):
        counts = EndpointCounts(9, errors, 0, 0, [delay_ms])
        return rank(TunedVad(LEVEL, counts, FrameCounts(10, 0, misses)), longest_ms=700.0)

    assert key(0, 900, 9) < key(1, 600, 0)
    assert key(0, 700, 9) < key(0, 701, 0)
    assert key(0, 690, 1) < key(0, 600, 2)


def test_tuning_avoids_a_threshold_that_misses_speech():
    # The level of the clips scores 0.8. A phone of 1.6 s is cut by a detector that misses it.
    part = quiet_part(times=[("d", 0.05, 0.3), ("a", 0.3, 1.9)], seconds=2.0)
    tuned = tune("silero", part, replace(PARAMS, thresholds=(0.95, 0.5)))
    assert (tuned.vad.threshold, tuned.counts.errors) == (0.5, 0)
    # 0.1 s of the clip after the last phone, and what frames of 20 ms round up: 0.11 s.
    assert tuned.vad.hangover_s == pytest.approx(0.11, abs=0.011)
    assert np.median(tuned.counts.delays_ms) == pytest.approx(600, abs=21)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"test_utterances": 0}, "at least 1, found 4 and 0"),
        ({"thresholds": ()}, "need a value each"),
        (
            {"rule2_silence_s": (0.4, 0.8)},
            "above the silence of rule 2, 0.8",
        ),
        ({"release_below": (0.0, 0.3)}, r"0 to the lowest threshold, 0\.3, found \[0\.0, 0\.3\]"),
    ],
)
def test_parameters_that_cannot_work_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        replace(PARAMS, **values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"pause_min_s": 3.0}, "found 3.0 to 2.0 s"),
        ({"gain_max_db": -9.0}, "-6.0 to -9.0 dB"),
        ({"noise_below_db": ()}, r"levels that differ, found \[\]"),
        ({"noise_below_db": (9.0, 9.0)}, r"levels that differ, found \[9.0, 9.0\]"),
    ],
)
def test_ranges_that_cannot_be_drawn_from_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        replace(JOIN, **values)
