"""Word error rates in three spellings, per speaker, with counts of what went wrong."""

import pytest

from fonoteka.scoring.error_rate import Errors
from fonoteka.whisper.word_scores import (
    WordPair,
    by_language,
    canonical,
    difference,
    errors_by_speaker,
    rate,
    script_of,
    spelled,
    summary,
    within_script,
    word_errors,
)


def pair(reference, hypothesis, language="sr", speaker="a/ana", **more):
    return WordPair(reference, hypothesis, language, speaker, **more)


def test_a_right_text_in_the_other_script_is_wrong_within_the_script_and_right_as_canonical():
    clip = [pair("Имам 2 пса.", "Imam dva psa")]
    wrong = {s: errors_by_speaker(clip, s, "wer")["a/ana"].wrong for s in
             ("as_written", "within_script", "canonical")}  # fmt: skip
    assert wrong == {"as_written": 3, "within_script": 3, "canonical": 0}


def test_capitals_and_punctuation_count_as_written_alone():
    clip = [pair("Dobar dan, Ana!", "dobar dan ana", "hr")]
    assert errors_by_speaker(clip, "as_written", "wer")["a/ana"].wrong == 3
    assert errors_by_speaker(clip, "within_script", "wer")["a/ana"].wrong == 0


def test_errors_are_those_of_an_alignment_by_hand():
    # kuća stays, je is lost, bila becomes bela, velika is new
    words = word_errors(["kuća je bila"], ["kuća bela velika"], "wer")
    assert (words.wrong, words.reference) == (2, 3)
    assert word_errors(["abcd"], ["abxde"], "cer") == Errors(1, 0, 1, 4)


def test_an_empty_hypothesis_has_all_words_deleted():
    assert word_errors(["a b c"], [""], "wer") == Errors(0, 3, 0, 3)
    result = summary([pair("a b c", " ... ")], 10, 1)
    assert result["empty_hypotheses"] == 1
    assert result["refused_by_text_rules"] == 0
    assert result["wer"]["canonical"]["rate"] == 1.0


@pytest.mark.parametrize("unit", ["wer", "cer"])
def test_lists_of_different_lengths_are_refused(unit):
    # jiwer itself aligns one text with another number of texts
    with pytest.raises(ValueError, match="2 references but 1 hypotheses"):
        word_errors(["a", "b"], ["a"], unit)


@pytest.mark.parametrize("unit", ["wer", "cer"])
def test_a_reference_without_a_word_is_refused(unit):
    with pytest.raises(ValueError, match="reference 1 contains no word"):
        word_errors(["a", " "], ["a", "b"], unit)


@pytest.mark.parametrize("unit", ["wer", "cer"])
def test_one_letter_texts_are_not_lost(unit):
    assert word_errors(["a", "i", "u"], ["a", "o", "u"], unit).reference == 3


def test_a_text_that_the_rules_refuse_is_transliterated_and_counted():
    text = "Вовсе ы не"
    assert canonical(text, "sr") == ("vovse ы ne", False)
    result = summary([pair("vovse je ne", text), pair("da", "da")], 10, 1)
    assert result["refused_by_text_rules"] == 1
    assert result["wer"]["canonical"]["rate"] == 1 / 4


def test_shares_and_counts_are_of_clips():
    pairs = [
        pair("jedan", "1", redone=True), pair("dan", "дан"), pair("dan", "dan дан", loops=True),
        pair("dan", "dan", speaker="a/ivo"),
    ]  # fmt: skip
    result = summary(pairs, 10, 1)
    assert result["scripts"] == {"latin": 0.25, "cyrillic": 0.25, "mixed": 0.25, "other": 0.25}
    assert result["clips_with_digits"] == 0.25
    assert (result["loops"], result["redone_with_30_s"]) == (1, 1)
    assert (result["clips"], result["speakers"], result["words"]) == (4, 2, 4)


def test_the_interval_is_over_speakers():
    same = {"a": Errors(1, reference=10), "b": Errors(1, reference=10)}
    assert rate(same, 50, 1) == {"rate": 0.1, "low": 0.1, "high": 0.1}
    assert rate({"a": Errors(1, reference=10)}, 50, 1)["low"] is None


def test_the_difference_is_paired_over_speakers():
    texts = [("a/ana", "dan noć"), ("a/ivo", "dan noć"), ("a/eva", "dan noć")]
    ours = [pair(text, text, "hr", speaker) for speaker, text in texts]
    theirs = [pair(text, "dan moć", "hr", speaker) for speaker, text in texts]
    result = difference(ours, theirs, "canonical", "wer", 100, 1)
    assert result == {"difference": -0.5, "low": -0.5, "high": -0.5, "better_draws": 1.0}
    with pytest.raises(ValueError, match="the test parts differ"):
        difference(ours, theirs[:2], "canonical", "wer", 100, 1)


def test_languages_are_scored_by_their_own_rules():
    assert spelled("2", "en", "canonical") == "two"
    assert spelled("2", "hr", "canonical") == "dva"
    assert [*by_language([pair("a", "a", "sr"), pair("a", "a", "en")])] == ["en", "sr"]


def test_marks_between_letters_do_not_change_words():
    assert within_script("O’Brien's e\u0301 -  ćevap") == "obriens é ćevap"
    assert script_of("...") == "other"
