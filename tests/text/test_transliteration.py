"""Cyrillic is transliterated letter by letter, and homoglyphs are repaired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.text.transliteration import has_cyrillic, repair_homoglyphs, to_latin
from stages.corpus.synthesize.lines import to_cyrillic


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [
        ("ЏУГАЊ", "DŽUGANJ"),
        ("Џугањ", "Džuganj"),
        ("Љ", "Lj"),
        ("Љ. Њ.", "Lj. Nj."),
        ("ЉУБАВ", "LJUBAV"),
        ("КОЊ", "KONJ"),
        ("Ђорђе Ћосић", "Đorđe Ćosić"),
        ("Wi-Fi и ы, ѓ", "Wi-Fi i ы, ѓ"),
    ],
)
def test_capitals_of_digraphs_follow_their_neighbours_and_foreign_letters_stay(cyrillic, latin):
    assert to_latin(cyrillic) == latin


@given(st.text("abcčćdđefghijklmnoprsštuvzž ,.!"))
def test_latin_text_comes_back_from_cyrillic(text):
    assert to_latin(to_cyrillic(text)) == text


@pytest.mark.parametrize(
    ("text", "expected", "repaired"),
    [
        ("дoбaр дaн", "добар дан", 2),  # Latin o, a in Cyrillic words
        ("kućа i škоla", "kuća i škola", 2),  # Cyrillic а, о in Latin words
        ("ljуска", "љуска", 1),  # a Latin digraph in a Cyrillic word
        ("ХIХ век", "XIX век", 1),  # a numeral of Cyrillic Х and Latin I
        ("NATOа и ЕU", "NATOa и EU", 2),
        ("Он ce смеје y парку", "Он се смеје у парку", 2),
        ("Слушам pop музику", "Слушам pop музику", 0),
        ("Добар дан, good day", "Добар дан, good day", 0),
    ],
)
def test_a_letter_of_the_other_script_is_replaced(text, expected, repaired):
    assert repair_homoglyphs(text) == (expected, repaired, ())


def test_a_word_that_could_be_either_takes_the_script_of_the_others():
    assert repair_homoglyphs("све је оcа")[0] == "све је оса"
    assert repair_homoglyphs("sve je оcа")[0] == "sve je oca"


def test_a_word_of_unclear_script_is_reported():
    assert repair_homoglyphs("sve čаспj")[2] == ("čаспj",)
    assert repair_homoglyphs("оcа") == ("оcа", 0, ("оcа",))


@given(st.text())
def test_text_of_one_script_is_unchanged(text):
    if not has_cyrillic(text):
        assert repair_homoglyphs(text) == (text, 0, ())
