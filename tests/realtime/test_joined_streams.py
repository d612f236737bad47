"""Clips become streams: all are in one, each at the times of its phones, and only once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clip_maker import noise
from corpus_maker import utterance

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.realtime.joined_streams import JoinParams, streams_of

PARAMS = JoinParams(
    seed=1, seconds=1.5, pause_min_s=0.1, pause_max_s=0.3, gain_min_db=0.0, gain_max_db=0.0,
    noise_min_db=60.0, noise_max_db=60.0,
)  # fmt: skip


def clips_of(speaker, lengths, language="hr"):
    """Clips of noise at a fifth of full scale, and the times of their two phones."""
    clips = [
        (utterance(f"mine/{speaker}", n, language, duration_s=s), 2 * noise(s, n))
        for n, s in enumerate(lengths)
    ]
    times = {u.id: [("d", 0.0, u.duration_s / 2), ("a", u.duration_s / 2, u.duration_s)]
             for u, _ in clips}  # fmt: skip
    return clips, times


def all_streams(clips, times, **more):
    return list(streams_of("train", "mine/ana", clips, times, replace(PARAMS, **more)))


def test_each_clip_is_in_one_stream_at_its_times():
    pairs, times = clips_of("ana", [0.4, 0.5, 0.6, 0.7, 0.8])
    streams = all_streams(pairs, times)
    assert len(streams) == 3
    assert [stream.id for stream in streams] == [f"mine/ana-00{n}" for n in range(3)]
    rows = [row for stream in streams for row in stream.rows]
    assert sorted(end - start for *_, phone, start, end in rows if phone == "d") == pytest.approx(
        [0.2, 0.25, 0.3, 0.35, 0.4]
    )
    clips = {round(u.duration_s, 1): signal for u, signal in pairs}
    for stream in streams:
        for (*_, start_s, _), (*_, end_s) in zip(stream.rows[::2], stream.rows[1::2], strict=True):
            clip = clips[round(end_s - start_s, 1)]
            first_sample = round(start_s * SAMPLE_RATE_HZ)
            differences = [  # a time has four decimals, which is up to a sample off
                np.abs(
                    stream.samples[first_sample + off : first_sample + off + len(clip)] - clip
                ).max()
                for off in (-1, 0, 1)
            ]
            assert min(differences) < 0.2 * 6 * 10 ** (-60 / 20)  # six deviations of the noise


def test_pauses_are_as_long_as_they_may_be():
    clips, times = clips_of("ana", [0.4] * 12)
    (stream,) = all_streams(clips, times, seconds=100.0)
    starts = np.array([row[-2] for row in stream.rows[::2]])
    ends = np.array([0.0, *[row[-1] for row in stream.rows[1::2]]])
    last = len(stream.samples) / SAMPLE_RATE_HZ - ends[-1]
    pauses = np.array([*(starts - ends[:-1]), last])
    assert pauses.min() >= 0.1 - 1e-4
    assert pauses.max() <= 0.3 + 1e-4
    assert len(set(pauses.round(3))) > 6


def test_a_speaker_with_one_short_clip_has_a_stream():
    clips, times = clips_of("ana", [0.02])
    (stream,) = all_streams(clips, times)
    assert len(stream.rows) == 2
    assert len(stream.samples) >= round(0.22 * SAMPLE_RATE_HZ)


def test_what_is_drawn_depends_on_the_speaker_and_the_seed_alone():
    clips, times = clips_of("ana", [0.4, 0.5, 0.6])
    first, same, other = (
        all_streams(clips, times),
        all_streams(clips, times),
        all_streams(clips, times, seed=2),
    )
    assert np.array_equal(first[0].samples, same[0].samples)
    assert not np.array_equal(first[0].samples[:8000], other[0].samples[:8000])
    speaker = list(streams_of("train", "mine/ivo", clips, times, PARAMS))
    assert not np.array_equal(first[0].samples[:8000], speaker[0].samples[:8000])


@pytest.mark.parametrize("gain_db", [-20.0, 0.0, 6.0])
def test_noise_lies_below_the_clips_and_the_level_is_the_streams(gain_db):
    clips, times = clips_of("ana", [3.0])
    (stream,) = all_streams(
        clips, times, gain_min_db=gain_db, gain_max_db=gain_db, noise_min_db=20.0,
        noise_max_db=20.0, pause_min_s=2.0, pause_max_s=2.0,
    )  # fmt: skip
    level = lambda samples: 20 * np.log10(np.sqrt(np.mean(np.square(samples))))  # noqa: E731
    # The clip is at -14 dBFS; noise of 32,000 samples is known to some tenths of a dB.
    assert level(stream.samples[: 2 * SAMPLE_RATE_HZ]) == pytest.approx(-34 + gain_db, abs=0.5)
    assert np.abs(stream.samples).max() <= 1


def test_digital_silence_becomes_noise_and_no_division_by_nothing():
    clips, times = clips_of("ana", [0.5])
    (stream,) = all_streams([(clips[0][0], np.zeros(8000, np.float32))], times)
    assert np.isfinite(stream.samples).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pause_min_s": 0.4}, "range of pause must be ascending, found 0.4 to 0.3"),
        ({"pause_min_s": -0.1}, "range of pause must be ascending, found -0.1 to 0.3"),
        ({"gain_min_db": 3.0}, "range of gain must be ascending, found 3.0 to 0.0"),
        ({"noise_min_db": 61.0}, "range of noise must be ascending, found 61.0 to 60.0"),
        ({"seconds": 0.0}, "streams: seconds must be above 0, found 0.0"),
    ],
)
def test_numbers_that_make_no_streams_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(PARAMS, **change)
