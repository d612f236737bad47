"""Canonical text: one spelling of each word, whatever the script and the typist."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.phones import LANGUAGES, LETTERS, SOUTH_SLAVIC
from stages.common.text import normalize, phones_of
from stages.corpus.lines import to_cyrillic

PANGRAM = "Gojazni đačić s biciklom drži hmelj i finu vatu u džepu nošnje."


def test_the_pangram_holds_every_letter():
    assert set(phones_of(normalize(PANGRAM, "sr"), "sr")) == set(LETTERS.values())


def test_both_scripts_are_one_text():
    assert normalize(to_cyrillic(PANGRAM), "sr") == normalize(PANGRAM, "sr")


@given(st.lists(st.sampled_from(sorted(LETTERS)), min_size=1).map("".join))
def test_cyrillic_gives_back_the_latin_letters_it_came_from(latin):
    assert normalize(to_cyrillic(latin), "sr") == latin


@pytest.mark.parametrize(
    "text", ["ЏУГАЊ", "Џугањ", "џугањ", "DŽUGANJ", "Džuganj", "džuganj", "ǅugaǌ", "ǄUGAǊ"]
)
def test_a_digraph_is_the_same_in_any_case(text):
    assert normalize(text, "sr") == "džuganj"


@pytest.mark.parametrize("language", SOUTH_SLAVIC)
def test_composed_and_decomposed_letters_are_equal(language):
    apart = unicodedata.normalize("NFD", PANGRAM)
    assert apart != PANGRAM
    assert normalize(apart, language) == normalize(PANGRAM, language)


def test_an_eth_in_the_place_of_a_crossed_d_is_one():
    assert normalize("ðak", "bs") == "đak"


@given(st.text(alphabet="abcčćdđežšljn .,!?-", min_size=1), st.sampled_from(SOUTH_SLAVIC))
def test_canonical_text_stays_as_it_is(text, language):
    try:
        once = normalize(text, language)
    except ValueError:
        return  # nothing but marks
    assert normalize(once, language) == once


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("„Gdje?“ – pitao je.", "hr", "gdje pitao je"),
        ("crno-bijelo_platno", "bs", "crno bijelo platno"),
        ("It’s 'fine', isn't it?", "en", "it's fine isn't it"),
        ("  Two\n\twords ", "en", "two words"),
    ],
)
def test_marks_part_words_and_vanish(text, language, expected):
    assert normalize(text, language) == expected


@pytest.mark.parametrize(
    ("text", "language", "shown"),
    [
        ("pet 5", "hr", r"outside the hr alphabet: '5' \(U\+0035\)"),
        ("Quebec", "sr", r"outside the sr alphabet: 'q' \(U\+0071\)"),
        ("kuća", "en", r"outside the en alphabet: 'ć' \(U\+0107\)"),
        ("5 €", "bs", r"'5' \(U\+0035\) '€' \(U\+20AC\)"),
        ("ы", "sr", r"outside the sr alphabet: 'ы' \(U\+044B\)"),
    ],
)
def test_a_strange_character_is_named(text, language, shown):
    with pytest.raises(ValueError, match=shown):
        normalize(text, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["", "  ", "...", "'"])
def test_a_text_without_a_word_is_refused(text, language):
    with pytest.raises(ValueError, match="no word in the text"):
        normalize(text, language)


def test_an_unknown_language_is_named():
    with pytest.raises(ValueError, match="language 'de' is unknown; expected one of"):
        normalize("Haus", "de")


def test_english_phones_come_from_espeak():
    assert phones_of("measure", "en") == ("m", "e", "ʒ", "ɚ")
