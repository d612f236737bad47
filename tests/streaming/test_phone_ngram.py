"""The n-gram model has the probabilities of its definition and is written and read unchanged."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.streaming.arpa import arpa_text, parse_arpa
from fonoteka.streaming.ngram_table import LOG_10, table_of
from fonoteka.streaming.phone_ngram import BEGIN, END, estimate, perplexity

PHONES = ("a", "b", "tʃ")
SENTENCES = st.lists(st.lists(st.sampled_from(PHONES), max_size=8), min_size=1, max_size=8)
ORDERS = st.integers(1, 5)


def probability(model, history, symbol):
    return 10 ** model.log10_probability(history, symbol)


@pytest.mark.parametrize(
    ("history", "symbol", "expected"),
    [
        # a is there 3 times, b once, the end twice: 6 symbols, 3 kinds, and 1/3 of the uniform
        ((), "a", Fraction(3 + 1, 9)),
        ((), "b", Fraction(1 + 1, 9)),
        ((), END, Fraction(2 + 1, 9)),
        # after the begin twice a, which is 1 kind
        ((BEGIN,), "a", (2 + Fraction(4, 9)) / 3),
        ((BEGIN,), "b", Fraction(1, 3) * Fraction(2, 9)),
        # after a once a, b and the end, which are 3 kinds
        (("a",), "b", (1 + 3 * Fraction(2, 9)) / 6),
        # after b the end
        (("b",), END, (1 + Fraction(3, 9)) / 2),
        (("b",), "a", Fraction(1, 2) * Fraction(4, 9)),
        # a history is as long as the order allows
        (("b", "a"), "b", (1 + 3 * Fraction(2, 9)) / 6),
    ],
)
def test_probabilities_are_those_worked_out_by_hand(history, symbol, expected):
    model = estimate([["a", "b"], ["a", "a"]], ["a", "b"], order=2)
    assert probability(model, history, symbol) == pytest.approx(float(expected), rel=1e-12)


@given(sentences=SENTENCES, order=ORDERS, history=st.lists(st.sampled_from(PHONES), max_size=6))
def test_probabilities_after_a_history_sum_to_one(sentences, order, history):
    model = estimate(sentences, PHONES, order)
    for context in (history, [BEGIN, *history]):
        total = sum(probability(model, context, symbol) for symbol in (*PHONES, END))
        assert total == pytest.approx(1.0, abs=1e-9)


def test_a_longer_history_is_used_where_it_was_seen():
    model = estimate([["a", "b", "a"], ["b", "b", "b"]] * 9, PHONES, order=3)
    assert probability(model, ["a", "b"], "a") > 0.9 > probability(model, ["b"], "a")


@given(sentences=SENTENCES, order=ORDERS)
def test_a_model_is_read_as_it_was_written(sentences, order):
    model = estimate(sentences, PHONES, order)
    text = arpa_text(model)
    back = parse_arpa(text, "toy.arpa")
    assert arpa_text(back) == text
    assert (back.order, back.phones, {*back.entries}) == (order, PHONES, {*model.entries})
    for ngram, entry in model.entries.items():
        assert back.entries[ngram] == pytest.approx(entry, abs=5.1e-7)  # six decimals


def test_the_order_of_utterances_does_not_change_the_text():
    sentences = [["a", "b"], ["b", "tʃ", "a"], ["a"]]
    texts = {arpa_text(estimate(s, PHONES, 4)) for s in (sentences, sentences[::-1])}
    assert len(texts) == 1


def test_kenlm_reads_the_text_and_has_the_same_probabilities(tmp_path):
    model = estimate([["a", "b", "tʃ", "a"], ["b", "a", "b"], ["tʃ"]], PHONES, order=3)
    file = tmp_path / "phones.arpa"
    file.write_text(arpa_text(model), encoding="utf-8")
    ken_lm = KenLM(str(file), Dictionary(list(PHONES)))
    state, history = ken_lm.start(start_with_nothing=False), [BEGIN]
    for phone in ("a", "b", "tʃ", "a", "a", "tʃ", "b"):
        state, score = ken_lm.score(state, PHONES.index(phone))
        assert score == pytest.approx(model.log10_probability(history, phone), abs=2e-6)
        history.append(phone)
    assert ken_lm.finish(state)[1] == pytest.approx(model.log10_probability(history, END), abs=2e-6)


@settings(max_examples=50)
@given(sentences=SENTENCES, order=ORDERS, spoken=st.lists(st.sampled_from(PHONES), max_size=9))
def test_the_table_has_the_probabilities_of_the_model(sentences, order, spoken):
    model = estimate(sentences, PHONES, order)
    labels = ("", *PHONES)
    table = table_of(model, labels)
    state = table.begin
    for place in range(len(spoken) + 1):
        history = [BEGIN, *spoken[:place]]
        expected = [model.log10_probability(history, phone) * LOG_10 for phone in PHONES]
        np.testing.assert_allclose(table.log_probs[state, 1:], expected, atol=1e-9)
        assert table.following[state, 0] == state
        if place < len(spoken):
            state = table.following[state, labels.index(spoken[place])]


def test_a_label_that_the_model_lacks_is_named():
    with pytest.raises(ValueError, match="the n-gram model does not have the label 'o'"):
        table_of(estimate([["a"]], PHONES, 2), ("", "a", "o"))


def test_perplexity_is_the_inverse_of_the_mean_probability():
    model = estimate([["a", "b"], ["a", "a"]], ["a", "b"], order=2)
    logs = [model.log10_probability(h, s) for h, s in [((BEGIN,), "b"), (("b",), END)]]
    assert perplexity(model, [["b"]]) == pytest.approx(10 ** (-sum(logs) / 2))


@pytest.mark.parametrize(
    ("sentences", "order", "message"),
    [
        ([["a"]], 0, "the order of an n-gram model is 1 to 6, found 0"),
        ([["a"]], 7, "the order of an n-gram model is 1 to 6, found 7"),
        ([], 2, "no phone to estimate an n-gram model from"),
        ([["a"], ["a", "x"]], 2, "sequence 1 contains 'x', which is not a phone"),
    ],
)
def test_what_cannot_be_estimated_is_refused(sentences, order, message):
    with pytest.raises(ValueError, match=message):
        estimate(sentences, PHONES, order)


def test_a_symbol_or_a_text_without_a_probability_is_refused():
    model = estimate([["a"]], PHONES, 2)
    with pytest.raises(ValueError, match="'x' is not one of the model's 3 phones"):
        model.log10_probability([], "x")
    with pytest.raises(ValueError, match="no sequence to compute a perplexity of"):
        perplexity(model, [])


TEXT = arpa_text(estimate([["a", "b"]], ["a", "b"], order=2))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", r"toy: not an ARPA file, which begins with \\data\\"),
        ("\\end\\", "", r"toy: not an ARPA file"),
        ("ngram 2=3", "ngram 2=4", r"counts \{1: 5, 2: 4\} n-grams per order, but \{1: 5, 2: 3\}"),
        ("ngram 2=3", "ngram 3=3", r"counts \{1: 5, 3: 3\}"),
        ("<s> a", "<s>", r"toy:\d+: expected a log10 probability, 2 symbols"),
        ("-99.000000\t<unk>", "zero\t<unk>", r"toy:\d+: expected a log10 probability, 1 symbols"),
        ("-99.000000\t<unk>", "nan\t<unk>", r"toy:\d+: expected a log10 probability, 1 symbols"),
        ("-99.000000\t<unk>", "0.5\t<unk>", r"toy:\d+: expected a log10 probability, 1 symbols"),
        ("ngram 1=5", "ngram 1=5\n-1 a", r"toy:3: expected a log10 probability, 0 symbols"),
        ("<unk>", "a", "toy:.*'a' is there twice"),
        ("</s>", "o", "toy: no unigram of '</s>'"),
        ("<s> a", "x a", "toy: 'x a' is there, but its history is not"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(old, new, message):
    assert old in TEXT
    with pytest.raises(ValueError, match=message):
        parse_arpa(TEXT.replace(old, new), "toy")


def test_a_file_of_another_program_may_lack_the_unknown_word_and_have_a_loose_layout():
    model = parse_arpa(TEXT.replace("ngram 1=5", "ngram 1=4").replace("-99.000000\t<unk>\n", "")
                       .replace("\t", "  "), "toy")  # fmt: skip
    assert arpa_text(model) == TEXT
    assert model.entries[BEGIN,].probability == -math.inf
