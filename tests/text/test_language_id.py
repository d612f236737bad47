"""A language is identified from evidence; without evidence the confidence is low."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.phones import LANGUAGES
from fonoteka.text.language_id import identify_language
from stages.corpus.synthesize.lines import to_cyrillic


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Tko će ovaj tjedan u kazalište i po kruh?", "hr"),
        ("Povijest je u prosincu bila važna točka.", "hr"),
        ("Lahko je piti kahvu i čitati historiju.", "bs"),
        ("Gde su deca posle ručka?", "sr"),
        ("Uvek je lepo vreme u ovom mestu.", "sr"),
        ("Where have the children been?", "en"),
        ("she said that it was late", "en"),
    ],
)
def test_words_of_one_language_alone_give_a_high_confidence(text, language):
    result = identify_language(text)
    assert result.language == language
    assert result.confidence >= 0.9


def test_serbian_is_identified_in_either_script():
    text = "Gde su deca posle ručka?"
    latin, cyrillic = identify_language(text), identify_language(to_cyrillic(text))
    assert latin.language == cyrillic.language == "sr"
    assert (latin.script, cyrillic.script) == ("latin", "cyrillic")


@pytest.mark.parametrize("text", ["Marko ima psa.", "nula pet osam", "Vrata su otvorena."])
def test_words_of_all_three_languages_give_a_low_confidence(text):
    assert identify_language(text).confidence < 0.5
    assert identify_language(text).language != "en"


@pytest.mark.parametrize("text", ["", "123", "..."])
def test_text_without_letters_does_not_count_as_evidence(text):
    assert identify_language(text).confidence == 0.25
    assert identify_language(text).script == "none"


def test_other_cyrillic_does_not_count_as_evidence_for_serbian():
    assert identify_language("Съешь ещё").confidence < 0.9


@given(st.text())
def test_any_text_has_a_language_with_a_confidence(text):
    result = identify_language(text)
    assert result.language in LANGUAGES
    assert 0.25 <= result.confidence <= 1
    assert result == identify_language(text)
