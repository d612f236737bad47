"""Changed words are noticed where they stand, and right ones are not suspected."""

from __future__ import annotations

import numpy as np
from corpus_maker import utterance

from fonoteka.phones import LABELS, NUMBER
from stages.alignment.wrong_words import FEWEST_WORDS, scored, wrong_word_rates

FRAMES = 5
SENTENCES = ("dobar dan svima", "ana ima psa", "kuća je velika", "more nije slano")


def clip(text, sure=0.95):
    """Return a clip whose posteriors are `sure` of each phone, without pauses."""
    u = utterance("m/a", id=text, text=text, language="sr")
    labels = [NUMBER[letter] for letter in text.replace(" ", "").replace("ć", "ʨ")]
    rows = np.full((FRAMES * len(labels), len(LABELS)), (1 - sure) / len(LABELS))
    rows[np.arange(len(rows)), np.repeat(labels, FRAMES)] = sure
    rows[:, 0] = 0.01  # loud everywhere
    return scored(u, lambda: np.log(rows))


def test_wrong_words_are_noticed_and_right_ones_are_not():
    clips = [clip(text) for text in SENTENCES if "ć" not in text]
    rates = wrong_word_rates(clips, seed=1)
    assert (rates["clips"], rates["words"]) == (3, 9)
    assert rates["false_alarms"] == 0.0
    assert rates["swapped"] == rates["added"] == rates["dropped"] == 1.0


def test_posteriors_that_know_nothing_notice_nothing_reliably():
    rates = wrong_word_rates([clip(text, sure=1 / len(LABELS)) for text in SENTENCES[:2]], seed=1)
    assert rates["false_alarms"] == 1.0  # every word is suspect


def test_a_text_of_two_words_is_left_out_and_counted():
    rates = wrong_word_rates([clip("dobar dan")], seed=1)
    assert FEWEST_WORDS == 3
    assert rates["clips"] == rates["words"] == 0
    assert rates["dropped"] is None


def test_the_draws_depend_on_the_seed_and_the_clip_alone():
    clips = [clip(text, sure=0.3) for text in SENTENCES if "ć" not in text]
    assert wrong_word_rates(clips, seed=3) == wrong_word_rates(clips, seed=3)
