"""A language is guessed from evidence, and where there is none the guess says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.phones import LANGUAGES
from fonoteka.text.language_id import guess
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
def test_words_that_one_language_has_alone_make_a_guess_sure(text, language):
    found = guess(text)
    assert found.language == language
    assert found.confidence >= 0.9


def test_serbian_is_told_in_either_script():
    text = "Gde su deca posle ručka?"
    assert guess(to_cyrillic(text)).language == guess(text).language == "sr"
    assert (guess(to_cyrillic(text)).script, guess(text).script) == ("cyrillic", "latin")


@pytest.mark.parametrize("text", ["Marko ima psa.", "nula pet osam", "Vrata su otvorena."])
def test_what_all_three_languages_say_alike_is_unsure(text):
    assert guess(text).confidence < 0.5
    assert guess(text).language != "en"


@pytest.mark.parametrize("text", ["", "123", "..."])
def test_text_without_letters_is_no_evidence(text):
    assert guess(text).confidence == 0.25
    assert guess(text).script == "none"


def test_other_cyrillic_is_no_evidence_for_serbian():
    assert guess("Съешь ещё").confidence < 0.9


@given(st.text())
def test_any_text_has_a_guess_with_a_confidence(text):
    found = guess(text)
    assert found.language in LANGUAGES
    assert 0.25 <= found.confidence <= 1
    assert found == guess(text)
