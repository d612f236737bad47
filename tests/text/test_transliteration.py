"""Scripts: Cyrillic to Latin letter by letter, and letters that only look right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.text.transliteration import has_cyrillic, mend_homoglyphs, to_latin
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
    ("given_", "expected", "mended"),
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
def test_a_letter_of_the_other_script_is_mended_by_its_word(given_, expected, mended):
    assert mend_homoglyphs(given_) == (expected, mended, ())


def test_a_word_that_could_be_either_takes_the_script_of_the_others():
    assert mend_homoglyphs("све је оcа")[0] == "све је оса"
    assert mend_homoglyphs("sve je оcа")[0] == "sve je oca"


def test_a_word_that_nobody_can_tell_is_reported():
    assert mend_homoglyphs("sve čаспj")[2] == ("čаспj",)
    assert mend_homoglyphs("оcа") == ("оcа", 0, ("оcа",))


@given(st.text())
def test_text_of_one_script_is_never_touched(text):
    if not has_cyrillic(text):
        assert mend_homoglyphs(text) == (text, 0, ())
