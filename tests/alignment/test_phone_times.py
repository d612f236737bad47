"""Phones fill their word, edges lie where scores cross, silence lies where the sound is quiet."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.alignment.emissions import SILENCE, emissions, frame_levels, silence_log_odds
from fonoteka.alignment.phone_times import place_phones
from fonoteka.phones import LABELS, NUMBER


def scores_of(*frames):
    """Return scores of frames, each a phone, a pair of equally likely phones, or "" for silence."""
    rows = np.full((len(frames), len(LABELS)), 1e-4)
    for row, symbols in zip(rows, frames, strict=True):
        for symbol in symbols or [""]:
            row[NUMBER[symbol] if symbol else 0] = 0.9 / max(1, len(symbols))
    return np.log(rows / rows.sum(axis=1, keepdims=True))


def times(placed):
    return [(phone.symbol, phone.start_s, phone.end_s) for phone in placed.phones]


def test_edges_lie_between_the_frames_of_two_phones():
    placed = place_phones(scores_of("", "d", "d", "a", "a", ""), "da", {0}, 0.12)
    assert times(placed) == [("d", 0.02, 0.06), ("a", 0.06, 0.1)]


def test_an_edge_is_nearer_to_the_frame_that_is_less_sure():
    scores = scores_of("d", "d", "a", "a")
    scores[1, NUMBER["d"]], scores[1, NUMBER["a"]] = np.log([0.5, 0.4])
    ((_, d_end, *_),) = [times(place_phones(scores, "da", {0}, 0.08))[0][1:]]
    # The second frame nearly is an "a" already: the edge moves from 0.04 s to its middle, 0.03 s.
    assert 0.03 < d_end < 0.032


def test_silence_is_possible_between_words_only():
    scores = scores_of("d", "", "", "a")
    joined = place_phones(scores, "da", {0}, 0.08)
    separate = place_phones(scores, "da", {0, 1}, 0.08)
    assert joined.phones[0].end_s == joined.phones[1].start_s
    assert times(separate) == [("d", 0.0, 0.02), ("a", 0.06, 0.08)]


def test_a_repeated_phone_is_two_phones():
    placed = place_phones(scores_of("a", "a", "a"), "aa", {0, 1}, 0.06)
    assert [phone.symbol for phone in placed.phones] == ["a", "a"]
    assert placed.phones[0].end_s == placed.phones[1].start_s


def test_the_score_is_the_posterior_among_the_phones():
    placed = place_phones(scores_of("d", "da"), "da", {0}, 0.04)
    assert placed.phones[0].score > 0.98
    assert placed.phones[1].score == pytest.approx(0.5, abs=0.01)


def test_speech_between_words_that_is_in_no_word_is_counted():
    scores = scores_of("d", "m", "m", "a", "")
    scores[1:3, 0] = np.log(0.05)  # loud: hardly silence, but no phone of the text either
    scores[1:3, NUMBER["d"]] = scores[1:3, NUMBER["a"]] = -20.0
    placed = place_phones(scores, "da", {0, 1}, 0.1)
    assert placed.unexplained_s[1] == pytest.approx(2 * 0.95 * 0.02, abs=1e-3)
    assert placed.unexplained_s[2] < 0.003


def test_no_time_exceeds_the_recording_and_too_few_frames_have_no_times():
    assert place_phones(scores_of("d", "a"), "da", {0}, 0.035).phones[-1].end_s == 0.035
    assert place_phones(scores_of("d"), "da", {0}, 0.02) is None


def test_levels_are_in_db_of_full_scale():
    signal = np.concatenate([np.ones(320), np.full(320, 0.1), np.zeros(160)])
    assert frame_levels(signal, 4) == pytest.approx([0, -20, -90, -90])


def test_silence_lies_below_the_loud_frames_and_a_clip_of_one_level_has_none():
    levels = np.array([-20.0] * 10 + [-80.0] * 10)
    odds = silence_log_odds(levels, SILENCE)
    assert (odds[:10] < -5).all()
    assert (odds[10:] > 3).all()
    assert (silence_log_odds(np.full(20, -40.0), SILENCE) < -2).all()


def test_in_noise_silence_lies_above_the_quiet_frames():
    levels = np.array([-20.0] * 15 + [-45.0, -46.0, -44.0, -45.0, -46.0])
    odds = silence_log_odds(levels, SILENCE)
    assert (odds[:15] < -3).all()
    assert odds[15:].mean() > 0


def test_the_scores_of_a_frame_are_log_probabilities_of_silence_and_phones():
    log_probs = np.log(np.random.default_rng(1).dirichlet(np.ones(len(LABELS)), size=4))
    scores = emissions(log_probs, np.array([-20.0, -30.0, -60.0, -70.0]))
    assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(4))
    # The blank's share is spread over the phones in their ratio.
    ratio = scores[0, 1:] - log_probs[0, 1:]
    assert ratio == pytest.approx(np.full(len(ratio), ratio[0]))


def test_a_prior_moves_scores_towards_rare_phones():
    log_probs = np.log(np.full((1, len(LABELS)), 1 / len(LABELS)))
    prior = np.log(np.linspace(0.001, 0.1, len(LABELS) - 1))
    plain, moved = (
        emissions(log_probs, np.array([-20.0]), prior=prior, prior_weight=weight)[0, 1:]
        for weight in (0.0, 0.5)
    )
    assert moved - plain == pytest.approx(-0.5 * prior)


def test_posteriors_and_levels_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="3 frames of posteriors but 4 of levels"):
        emissions(np.zeros((3, len(LABELS))), np.zeros(4))
