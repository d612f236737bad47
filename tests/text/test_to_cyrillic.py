"""Serbian Latin becomes Cyrillic, and `to_latin` restores it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.text.to_cyrillic import to_cyrillic
from fonoteka.text.transliteration import LATIN, to_latin


@pytest.mark.parametrize(
    ("latin", "cyrillic"),
    [
        ("Ljubav, njuška i džem.", "Љубав, њушка и џем."),
        ("LJUBAV NJUŠKA DŽEM", "ЉУБАВ ЊУШКА ЏЕМ"),
        ("Čađ, žšć đ", "Чађ, жшћ ђ"),
        # n and j, d and ž are two letters
        ("injekcija Injektor dekonjugacija", "инјекција Инјектор деконјугација"),
        ("konjunktura, konjunktivitis, Tanjug", "конјунктура, конјунктивитис, Танјуг"),
        ("anjon, vanjezički", "анјон, ванјезички"),
        ("nadživeti NADŽIVETI nenadživljen", "надживети НАДЖИВЕТИ ненадживљен"),
        ("odžaliti podžanr predživot nadžupan", "оджалити поджанр предживот наджупан"),
        # and here they are one
        ("kanjon, konj, Tanja, sanjati", "кањон, коњ, Тања, сањати"),
        ("odžak, nadžak, Odžaci, budžet, udžbenik", "оџак, наџак, Оџаци, буџет, уџбеник"),
        # digraphs as one character, and letters with a separate accent
        ("ǆep ǈubav c\u030caj", "џеп Љубав чај"),
    ],
)
def test_latin_becomes_cyrillic_and_latin_again(latin, cyrillic):
    assert to_cyrillic(latin) == cyrillic
    assert to_latin(cyrillic).lower() == to_latin(to_cyrillic(latin)).lower()


@pytest.mark.parametrize("word", ["Windows", "quiz", "Müller", "mp3", "5G", "H2O", "II", "XIX"])
def test_foreign_words_and_numerals_stay_latin(word):
    assert to_cyrillic(f"da {word} ne") == f"да {word} не"


def test_two_capitals_in_a_text_of_capitals_are_a_word():
    assert to_cyrillic("VI STE") == "ВИ СТЕ"


@given(st.text(alphabet=sorted(set("".join(LATIN).lower()) | set(" .,-"))))
def test_small_letters_survive_the_way_there_and_back(text):
    assert to_latin(to_cyrillic(text)) == text


@given(st.text())
def test_any_text_is_transliterated_without_an_error_and_cyrillic_is_kept(text):
    once = to_cyrillic(text)
    assert to_cyrillic(once) == once
