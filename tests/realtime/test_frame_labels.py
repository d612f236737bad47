"""Labels of hops, and the visemes and voicing of phones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.g2p.visemes import SOUNDS, VISEME_OF, VISEMES, VOICED, VOICELESS
from fonoteka.phones import INVENTORY
from fonoteka.realtime.frame_labels import (
    TASKS,
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


@pytest.mark.parametrize("name", sorted(TASKS))
def test_each_label_is_a_class_of_its_task(name):
    task = TASKS[name]
    labels = task.labels(ROWS, 60, 0.01)
    assert labels.shape == (60,)
    assert 0 <= labels.min() < labels.max() < max(2, len(task.names))


def test_a_hop_has_the_phone_at_its_centre():
    labels = phone_labels([("a", 0.004, 0.0151)], 3, 0.01)
    assert [["sil", *INVENTORY][n] for n in labels] == ["a", "a", "sil"]


def test_a_short_gap_is_speech_and_a_pause_is_not():
    labels = speech_labels(ROWS, 60, 0.01)
    assert labels[2:20].all()
    assert not labels[20:45].any()
    assert labels.sum() == 23


def test_voiced_phones_are_voiced():
    assert TASKS["voicing"].labels(ROWS, 60, 0.01)[[3, 7, 17, 47]].tolist() == [1, 1, 0, 1]


def test_visemes_follow_the_phones():
    labels = TASKS["viseme"].labels(ROWS, 60, 0.01)
    assert [VISEMES[n] for n in labels[[0, 3, 7, 17]]] == ["sil", "SS", "aa", "PP"]


@given(st.lists(st.integers(0, 300), unique=True))
def test_each_phone_has_one_onset_hop(starts):
    rows = [("a", start / 100, start / 100 + 0.01) for start in starts]
    assert np.flatnonzero(onset_labels(rows, 301, 0.01)).tolist() == sorted(starts)


@given(st.integers(0, 8))
def test_delayed_labels_are_shifted(hops):
    labels = np.arange(1, 6)
    shifted = delayed(labels, hops)
    assert len(shifted) == 5
    assert shifted.tolist() == ([0] * hops + labels.tolist())[:5]
