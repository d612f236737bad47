"""Words lie where their phones lie."""

from __future__ import annotations

import pytest

from fonoteka.g2p.word_spans import word_spans
from fonoteka.text.normalizer import phones_of


@pytest.mark.parametrize(
    ("text", "language"), [("dobar dan svima", "hr"), ("njegova ljubav", "sr"), ("a i u", "bs")]
)
def test_words_that_sound_the_same_alone_cover_the_sentence(text, language):
    phones = phones_of(text, language)
    spans = word_spans(text, language, phones)
    assert [word for word, _, _ in spans] == text.split()
    for word, first, after in spans:
        assert phones[first:after] == phones_of(word, language)


def test_an_english_sentence_is_covered_though_its_words_sound_otherwise_alone():
    text = "the cat is on a table"
    phones = phones_of(text, "en")
    spans = word_spans(text, "en", phones)
    assert [word for word, _, _ in spans] == text.split()
    edges = [edge for _, first, after in spans for edge in (first, after)]
    assert edges[0] == 0
    assert edges[-1] == len(phones)
    assert edges == sorted(edges)


def test_a_word_that_was_not_said_is_left_out():
    assert word_spans("da ne", "hr", ("d", "a")) == [("da", 0, 2)]


def test_phones_that_belong_to_no_word_go_to_a_neighbour():
    spans = word_spans("da ne", "hr", ("d", "a", "x", "n", "e"))
    assert [word for word, _, _ in spans] == ["da", "ne"]
    assert spans[0][2] == spans[1][1]
    assert spans[1][2] == 5
