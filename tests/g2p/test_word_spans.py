"""The span of a word is that of its phones."""

from __future__ import annotations

import pytest

from fonoteka.g2p.word_spans import word_phone_spans
from fonoteka.text.normalizer import phones_of


@pytest.mark.parametrize(
    ("text", "language"), [("dobar dan svima", "hr"), ("njegova ljubav", "sr"), ("a i u", "bs")]
)
def test_words_with_the_same_phones_alone_cover_the_sentence(text, language):
    phones = phones_of(text, language)
    spans = word_phone_spans(text, language, phones)
    assert [word for word, _, _ in spans] == text.split()
    for word, first, after in spans:
        assert phones[first:after] == phones_of(word, language)


def test_an_english_sentence_is_covered_although_its_words_differ_alone():
    text = "the cat is on a table"
    phones = phones_of(text, "en")
    spans = word_phone_spans(text, "en", phones)
    assert [word for word, _, _ in spans] == text.split()
    edges = [edge for _, first, after in spans for edge in (first, after)]
    assert edges[0] == 0
    assert edges[-1] == len(phones)
    assert edges == sorted(edges)


def test_a_word_without_phones_is_omitted():
    assert word_phone_spans("da ne", "hr", ("d", "a")) == [("da", 0, 2)]


def test_phones_that_belong_to_no_word_go_to_a_neighbour():
    spans = word_phone_spans("da ne", "hr", ("d", "a", "x", "n", "e"))
    assert [word for word, _, _ in spans] == ["da", "ne"]
    assert spans[0][2] == spans[1][1]
    assert spans[1][2] == 5
