"""Labels of hops, and what of a phone a rig needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.g2p.visemes import SOUNDS, VISEME_OF, VISEMES, VOICED, VOICELESS
from fonoteka.phones import INVENTORY
from fonoteka.realtime.frame_labels import (
    QUESTIONS,
    delayed,
    onset_labels,
    phone_labels,
    speech_labels,
)

ROWS = [("z", 0.02, 0.05), ("a", 0.05, 0.10), ("p", 0.15, 0.20), ("a", 0.45, 0.5)]


def test_each_phone_has_one_shape_and_is_voiced_or_not():
    assert sorted(phone for phones in SOUNDS.values() for phone in phones) == sorted(INVENTORY)
    assert set(VISEME_OF) == set(INVENTORY)
    assert len(VISEMES) == 15
    assert set(INVENTORY) >= VOICELESS
    assert set(INVENTORY) == VOICED | VOICELESS


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_each_label_is_an_answer(name):
    question = QUESTIONS[name]
    labels = question.labels(ROWS, 60, 0.01)
    assert labels.shape == (60,)
    assert 0 <= labels.min() < labels.max() < max(2, len(question.names))


def test_a_hop_has_the_phone_in_its_middle():
    labels = phone_labels([("a", 0.004, 0.0151)], 3, 0.01)
    assert [["sil", *INVENTORY][n] for n in labels] == ["a", "a", "sil"]


def test_a_short_gap_is_speech_and_a_pause_is_not():
    labels = speech_labels(ROWS, 60, 0.01)
    assert labels[2:20].all()
    assert not labels[20:45].any()
    assert labels.sum() == 23


def test_voiced_phones_are_voiced():
    assert QUESTIONS["voicing"].labels(ROWS, 60, 0.01)[[3, 7, 17, 47]].tolist() == [1, 1, 0, 1]


def test_shapes_follow_the_lips():
    labels = QUESTIONS["viseme"].labels(ROWS, 60, 0.01)
    assert [VISEMES[n] for n in labels[[0, 3, 7, 17]]] == ["sil", "SS", "aa", "PP"]


@given(st.lists(st.integers(0, 300), unique=True))
def test_each_phone_begins_in_one_hop(starts):
    rows = [("a", at / 100, at / 100 + 0.01) for at in starts]
    assert np.flatnonzero(onset_labels(rows, 301, 0.01)).tolist() == sorted(starts)


@given(st.integers(0, 8))
def test_a_late_answer_is_the_right_one_then(hops):
    labels = np.arange(1, 6)
    found = delayed(labels, hops)
    assert len(found) == 5
    assert found.tolist() == ([0] * hops + labels.tolist())[:5]
