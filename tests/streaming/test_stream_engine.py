"""Pieces of any size go in, the same phones come out, and what is wrong is one sentence."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_maker import FRAME, LABELS, LEVELS, ToySource, posteriors_of

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.streaming.endpoint import NOTHING_SPOKEN, SILENCE, EndpointParams, EndpointRules
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.greedy_decoder import GreedyDecoder
from fonoteka.streaming.interfaces import Frames

NOTHING = np.zeros(0, dtype=np.float32)
LOOK_AHEAD = 3


class LateSource(ToySource):
    """Holds the last frames back as provisional, as a model with look-ahead does."""

    def push(self, samples):
        self.rest = np.concatenate([self.rest, samples])
        log_probs = posteriors_of(self.rest)
        final = max(len(log_probs) - LOOK_AHEAD, 0)
        self.rest = self.rest[final * FRAME :]
        return Frames(log_probs[:final], log_probs[final:])

    def finish(self):
        log_probs = posteriors_of(self.rest)
        self.rest = NOTHING
        return Frames(log_probs, log_probs[:0])


class Endpoints:
    """Ends an utterance with a phone after frames of silence, and records what it was given."""

    def __init__(self, frames=10):
        self.limit, self.silent, self.inputs, self.finished = frames * FRAME, 0, [], 0

    def push(self, samples, spoken):
        self.inputs.append((len(samples), spoken))
        self.silent = 0 if samples.any() else self.silent + len(samples)
        return SILENCE if spoken and self.silent >= self.limit else None

    def finish(self):
        self.silent, self.finished = 0, self.finished + 1


def engine_of(source=None, endpoints=None):
    return StreamEngine(source or LateSource(), GreedyDecoder(LABELS), endpoints)


def spoken(labels):
    """Return samples of frames, each at the level of its label."""
    return np.repeat(np.array([LEVELS[label] for label in labels], dtype=np.float32), FRAME)


def streamed(engine, samples, cuts=()):
    """Return the updates of a stream that is cut at some places, the last of its end."""
    edges = [0, *sorted(cuts), len(samples)]
    return [*(engine.feed(samples[a:b]) for a, b in pairwise(edges)), engine.finish()]


def committed(updates):
    return [phone for update in updates for phone in update.committed]


WORD = spoken([0, 1, 1, 1, 0, 2, 2, 1, 1, 0])
PHONES = [("d", 0.02, 0.08), ("a", 0.1, 0.14), ("d", 0.14, 0.18)]


def test_the_phones_have_their_symbols_and_times():
    phones = committed(streamed(engine_of(), WORD))
    assert [phone.symbol for phone in phones] == [symbol for symbol, *_ in PHONES]
    times = [time for phone in phones for time in (phone.start_s, phone.end_s)]
    assert times == pytest.approx([time for _, *both in PHONES for time in both])
    assert all(0.9 < phone.confidence <= 1 for phone in phones)


@given(
    labels=st.lists(st.sampled_from(range(len(LABELS))), max_size=25),
    rest=st.integers(0, FRAME - 1),
    cuts=st.lists(st.floats(0, 1), max_size=12),
)
def test_any_split_commits_the_same_phones(labels, rest, cuts):
    samples = np.concatenate([spoken(labels), np.zeros(rest, dtype=np.float32)])
    engine = engine_of()
    places = [int(cut * len(samples)) for cut in cuts]
    updates = streamed(engine, samples, places)
    assert committed(updates) == committed(streamed(engine, samples))
    runs = [label for label, before in pairwise([*labels, 0]) if label and label != before]
    assert [phone.symbol for phone in committed(updates)] == [LABELS[label] for label in runs]
    lengths = [place / SAMPLE_RATE_HZ for place in sorted(places)]
    assert [update.audio_s for update in updates[:-2]] == lengths
    assert updates[-1].audio_s == updates[-2].audio_s == len(samples) / SAMPLE_RATE_HZ


def test_single_samples_commit_the_same_phones():
    whole = committed(streamed(engine_of(), WORD))
    assert len(whole) == 3
    assert committed(streamed(engine_of(), WORD, range(1, len(WORD)))) == whole


def test_what_is_shown_before_is_replaced_and_is_not_committed_twice():
    engine = engine_of()
    first = engine.feed(spoken([1, 1]))
    assert [phone.symbol for phone in first.provisional] == ["d"]
    second = engine.feed(spoken([2, 2, 0, 0]))
    # Three of six frames are final, so the second phone may still become longer.
    assert [phone.symbol for phone in second.committed] == ["d"]
    assert [phone.symbol for phone in second.provisional] == ["a"]
    assert [phone.symbol for phone in engine.finish().committed] == ["a"]


def test_no_samples_change_nothing():
    engine = engine_of()
    assert engine.feed(NOTHING).audio_s == 0
    before = engine.feed(WORD)
    again = engine.feed(NOTHING)
    assert (again.committed, again.audio_s) == ((), before.audio_s)
    assert again.provisional == before.provisional
    assert committed([before, engine.finish()]) == committed(streamed(engine_of(), WORD))


@pytest.mark.parametrize("count", [0, 1])
def test_a_stream_shorter_than_a_frame_has_no_phones(count):
    first, last = streamed(engine_of(), spoken([1])[:count])
    assert (first.committed, first.provisional, last.committed) == ((), (), ())
    assert last.audio_s == count / SAMPLE_RATE_HZ


def test_an_engine_that_was_fed_nothing_finishes_without_phones():
    update = engine_of().finish()
    assert (update.audio_s, update.committed, update.provisional) == (0, (), ())


def test_the_end_resets_the_state():
    engine = engine_of(endpoints=Endpoints())
    first = streamed(engine, WORD, [1000])
    engine.feed(spoken([2, 2, 2]))
    engine.finish()
    assert streamed(engine, WORD, [1000]) == first
    assert engine.endpoints.finished == 3


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.zeros((640, 2), dtype=np.float32), r"found float32 of shape \(640, 2\)"),
        (np.zeros((1, 640), dtype=np.float32), r"found float32 of shape \(1, 640\)"),
        (np.float32(0.5), r"found float32 of shape \(\)"),
        (np.zeros(640, dtype=np.int16), r"found int16 of shape \(640,\)"),
        ([1, 2, 3], r"found int64 of shape \(3,\)"),
        (np.zeros(3, dtype=np.complex64), r"found complex64 of shape \(3,\)"),
        (np.zeros(3, dtype=bool), r"found bool of shape \(3,\)"),
    ],
)
def test_samples_of_another_kind_are_refused_and_change_nothing(samples, expected):
    engine = engine_of()
    engine.feed(WORD[:1000])
    with pytest.raises(UserError, match=f"expected samples of one channel as floats .*{expected}"):
        engine.feed(samples)
    assert engine.feed(WORD[1000:]).audio_s == len(WORD) / SAMPLE_RATE_HZ


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_any_width_are_samples(dtype):
    updates = streamed(engine_of(), WORD.astype(dtype))  # the levels are exact in float16
    assert committed(updates) == committed(streamed(engine_of(), WORD))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_named_with_its_place(bad):
    engine = engine_of()
    engine.feed(np.zeros(24_000, dtype=np.float32))
    samples = WORD.copy()
    samples[[800, 900]] = bad
    with pytest.raises(UserError, match=rf"sample 24800 of the stream, at 1\.550 s, is {bad}; exp"):
        engine.feed(samples)
    # The piece was not taken, so the stream continues without it.
    updates = streamed(engine, WORD)
    assert updates[-1].audio_s == 1.5 + len(WORD) / SAMPLE_RATE_HZ
    assert [phone.symbol for phone in committed(updates)] == ["d", "a", "d"]


def test_samples_beyond_full_scale_are_not_cut():
    received = []

    class Listening(ToySource):
        def push(self, samples):
            received.append(samples)
            return super().push(samples)

    loud = np.array([3.0, -2.5], dtype=np.float32)
    engine_of(Listening()).feed(loud)
    assert np.array_equal(received[0], loud)


def test_an_endpoint_is_reported_with_its_reason_and_another_utterance_begins():
    endpoints = Endpoints(frames=10)
    engine = engine_of(ToySource(), endpoints)
    pause = spoken([0] * 5)
    pieces = [pause, pause, pause, spoken([1] * 5), pause, pause, pause, pause, spoken([2] * 5),
              pause, pause]  # fmt: skip
    updates = [engine.feed(piece) for piece in pieces]
    reasons = [update.endpoint for update in updates]
    # The first ten frames of silence have no phone before them, and the second pause ends once.
    assert [n for n, reason in enumerate(reasons) if reason] == [5, 10]
    assert {reason for reason in reasons if reason} == {SILENCE}
    before = [spoken for _, spoken in endpoints.inputs]
    assert before == [n in (4, 5, 9, 10) for n in range(len(pieces))]
    assert [samples for samples, _ in endpoints.inputs] == [len(piece) for piece in pieces]


def test_a_phone_counts_for_the_update_that_commits_it():
    endpoints = Endpoints()
    engine = engine_of(ToySource(), endpoints)
    engine.feed(spoken([1, 1]))  # shown, and not committed
    update = engine.feed(spoken([0]))
    assert len(update.committed) == 1
    assert [spoken for _, spoken in endpoints.inputs] == [False, True]


def test_the_end_of_a_stream_is_the_end_of_its_utterance():
    endpoints = Endpoints()
    engine = engine_of(ToySource(), endpoints)
    engine.feed(spoken([1, 1, 0]))
    engine.finish()
    engine.feed(spoken([0]))
    assert [spoken for _, spoken in endpoints.inputs] == [True, False]


def test_without_a_detector_there_is_no_endpoint():
    pause = np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)
    updates = streamed(engine_of(), np.concatenate([WORD, pause, pause, pause]), [3000, 30_000])
    assert {update.endpoint for update in updates} == {None}


class LevelEndpoints:
    """The rules of endpoints, with any sound taken for speech."""

    def __init__(self, params):
        self.rules, self.rest = EndpointRules(FRAME, params), NOTHING

    def push(self, samples, spoken):
        self.rest = np.concatenate([self.rest, samples])
        whole = len(self.rest) // FRAME
        frames, self.rest = self.rest[: whole * FRAME], self.rest[whole * FRAME :]
        reasons = self.rules.advance(frames.reshape(-1, FRAME).any(axis=1), spoken)
        return reasons[-1].reason if reasons else None

    def finish(self):
        self.rules.reset()


def test_an_hour_of_silence_commits_nothing_and_holds_bounded_memory():
    engine = engine_of(endpoints=LevelEndpoints(EndpointParams()))
    second = np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)
    reasons = []
    tracemalloc.start()
    try:
        for number in range(3600):
            update = engine.feed(second)
            assert update.committed == update.provisional == ()
            reasons += [update.endpoint] if update.endpoint else []
            if number == 100:
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1_000_000  # 230 MB of samples were fed
    assert reasons == [NOTHING_SPOKEN]  # once per silence
    last = engine.finish()
    assert (last.audio_s, last.committed) == (3600, ())
