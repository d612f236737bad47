"""Streams of a live worker share it: the one that waits longest first, in pieces."""

from __future__ import annotations

import time

import numpy as np
import pytest
from service_packages import phone_package, stream_package, written_phones

from fonoteka.service.interfaces import StreamRequest, UnanswerableError
from fonoteka.service.work.compute.live_work import PIECE_S, LiveWork
from fonoteka.service.work.compute.loaded_models import LoadedModels
from fonoteka.service.work.messages import (
    Cancel,
    Ended,
    EndStream,
    OpenStream,
    Samples,
    StreamOutput,
)
from fonoteka.streaming.listen import updates
from fonoteka.streaming.open_engine import open_engine

TEXT = "d o b a r d a n"


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return stream_package(folder / "toy_stream"), phone_package(folder / "toy_phones")


@pytest.fixture(scope="module")
def models(versions):
    models = LoadedModels(live=True)
    for version in versions:
        models.load(version)
    return models


@pytest.fixture
def work(models):
    return LiveWork(models)


@pytest.fixture
def opens(work, versions):
    """Open a stream and return the answers."""

    def opened(key, *, exact=True, **options):
        options = options if exact else {"policy": "hold-4"} | options
        request = StreamRequest("r", versions[0 if exact else 1], **options)
        return list(work.take(OpenStream(key, request, time.monotonic())))

    return opened


def give(work, *messages):
    return [answer for message in messages for answer in work.take(message)]


def all_done(work):
    answers = []
    while not work.waits:
        answers += work.step()
    return answers


def phones(answers, key):
    outputs = [a.update for a in answers if isinstance(a, StreamOutput) and a.key == key]
    return " ".join(phone.symbol for update in outputs for phone in update.committed)


@pytest.mark.parametrize(
    ("exact", "policy"), [(True, "exact"), (False, "hold-4"), (False, "agree-3")]
)
def test_the_phones_are_those_of_an_engine_alone(exact, policy, work, opens, versions):
    samples = written_phones(TEXT)
    opens(1, exact=exact, policy=policy)
    give(work, Samples(1, samples), EndStream(1))
    answers = all_done(work)
    alone = open_engine(str(versions[0 if exact else 1].folder), policy)
    expected = [p for update in updates(alone, [samples]) for p in update.committed]
    outputs = [answer.update for answer in answers[:-1]]
    assert [p for update in outputs for p in update.committed] == expected
    assert len(expected) == 8


def test_samples_that_wait_are_joined_to_pieces(work, opens):
    samples = np.tile(written_phones(TEXT), 2)
    opens(1)
    give(work, *(Samples(1, part) for part in np.array_split(samples, 150)))
    audio_s = [answer.update.audio_s for answer in all_done(work)]
    assert np.diff([0, *audio_s]) == pytest.approx(
        [PIECE_S] * 9 + [len(samples) / 16_000 - 9 * PIECE_S]
    )


def test_the_stream_that_waits_longest_is_served_first(work, opens):
    part = written_phones("a")
    for key in (1, 2, 3):
        opens(key)
    give(work, Samples(2, part), Samples(3, part), Samples(1, part))
    assert [answer.key for answer in all_done(work)] == [2, 3, 1]


def test_a_client_that_sends_faster_than_speech_delays_others_by_one_piece(work, opens):
    opens(1)
    opens(2)
    give(work, Samples(1, np.zeros(160_000, np.float32)))
    list(work.step())
    give(work, Samples(2, written_phones("a")))
    keys = [answer.key for answer in all_done(work)]
    assert keys.index(2) <= 1
    assert keys.count(1) == 49


def test_the_end_of_a_stream_has_its_usage(work, opens):
    opens(1)
    give(work, Samples(1, written_phones(TEXT)), EndStream(1))
    *_, output, ended = all_done(work)
    assert isinstance(output, StreamOutput)
    usage = ended.outcome.usage
    assert usage.audio_s == pytest.approx(0.96)
    assert usage.turns == 6
    assert usage.compute_s > 0
    assert work.waits


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"policy": "hold-4"}, "policy 'hold-4': every final frame of toy_stream is exact"),
        ({"exact": False, "policy": "exact"}, "each frame of toy_phones depends on the whole"),
        ({"exact": False, "policy": "wait-3"}, "policy 'wait-3': a model with unbounded context"),
        ({"decoder": "beam"}, "model toy_stream has no phone n-gram, which the beam needs"),
        ({"decoder": "best"}, "decoder 'best' is not one of greedy, beam"),
    ],
)
def test_a_stream_that_cannot_be_opened_fails_with_a_sentence(options, reason, work, opens):
    (ended,) = opens(1, **options)
    assert isinstance(ended.outcome, UnanswerableError)
    assert reason in str(ended.outcome)
    assert give(work, Samples(1, written_phones("a")), EndStream(1)) == []
    assert work.waits


def test_bad_samples_end_their_stream_alone(work, opens):
    opens(1)
    opens(2)
    bad = written_phones("a")
    bad[7] = np.inf
    give(work, Samples(1, bad), Samples(2, written_phones(TEXT)), EndStream(2))
    answers = all_done(work)
    assert "sample 7 of the stream" in str(answers[0].outcome)
    assert phones(answers, 2) == TEXT


def test_a_cancelled_stream_is_dropped(work, opens):
    opens(1)
    assert give(work, Samples(1, written_phones(TEXT)), Cancel(1)) == [Ended(1, None)]
    assert work.waits
    assert give(work, Cancel(1)) == []


def test_streams_with_different_policies_share_a_session_and_no_state(models, versions):
    model = models.stream(versions[1])
    first, second = model.engine("hold-4", "greedy"), model.engine("agree-3", "greedy")
    assert first.source._session is second.source._session
    assert (first.source.policy.name, second.source.policy.name) == ("hold-4", "agree-3")
    assert first.source._passes is not second.source._passes
    assert second.source._passes.maxlen == 3
    assert model.source.policy.name == "hold-16"
