"""Numbers in words, in three languages that differ in a few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.phones import LETTERS, SOUTH_SLAVIC, from_letters
from fonoteka.text.english import numbers
from fonoteka.text.numerals import (
    LARGEST,
    agree,
    cardinal,
    decimal,
    from_roman,
    ordinal,
    ordinal_stem,
    whole,
)

LETTER = set("".join(LETTERS)) | {" "}


@pytest.mark.parametrize(
    ("number", "hr", "bs", "sr"),
    [
        (0, "nula", "nula", "nula"),
        (16, "šesnaest", "šesnaest", "šesnaest"),
        (222, "dvjesto dvadeset dva", "dvjesto dvadeset dva", "dvesta dvadeset dva"),
        (600, "šesto", "šeststo", "šeststo"),
        (1000, "tisuću", "hiljadu", "hiljadu"),
        (2000, "dvije tisuće", "dvije hiljade", "dve hiljade"),
        (5000, "pet tisuća", "pet hiljada", "pet hiljada"),
        (21000, "dvadeset jedna tisuća", "dvadeset jedna hiljada", "dvadeset jedna hiljada"),
        (1_000_000, "milijun", "milion", "milion"),
        (3_000_001, "tri milijuna jedan", "tri miliona jedan", "tri miliona jedan"),
        (2 * 10**9, "dvije milijarde", "dvije milijarde", "dve milijarde"),
        (-7, "minus sedam", "minus sedam", "minus sedam"),
    ],
)
def test_cardinals_of_the_three_languages(number, hr, bs, sr):
    assert [cardinal(number, language) for language in ("hr", "bs", "sr")] == [hr, bs, sr]


@pytest.mark.parametrize("language", SOUTH_SLAVIC)
@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_numbers_differ_in_words_and_are_spelled_in_the_alphabet(language, first, second):
    for to_words in (cardinal, ordinal_stem):
        assert set(to_words(first, language)) <= LETTER
        assert from_letters(to_words(first, language))
    assert (cardinal(first, language) == cardinal(second, language)) == (first == second)


def test_ordinals_differ_up_to_ten_thousand():
    for language in SOUTH_SLAVIC:
        assert len({ordinal(n, language) for n in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    ("number", "language", "gender", "case", "expected"),
    [
        (1, "hr", "f", "nom", "prva"),
        (3, "bs", "m", "gen", "trećeg"),
        (3, "bs", "f", "loc", "trećoj"),
        (20, "sr", "m", "loc", "dvadesetom"),
        (121, "hr", "n", "nom", "sto dvadeset prvo"),
        (200, "sr", "m", "nom", "dvestoti"),
        (1300, "hr", "f", "gen", "tisuću tristote"),
        (1000, "bs", "f", "nom", "hiljadita"),
        (2000, "sr", "f", "gen", "dvehiljadite"),
        (2000, "hr", "f", "nom", "dvijetisućita"),
        (1_000_000, "hr", "m", "nom", "milijunti"),
        (1_000_000, "sr", "m", "nom", "milioniti"),
        (0, "sr", "m", "nom", "nulti"),
    ],
)
def test_ordinals_are_declined(number, language, gender, case, expected):
    assert ordinal(number, language, gender, case) == expected


@given(st.integers(0, 10**6))
def test_a_noun_agrees_with_the_last_two_digits(number):
    forms = ("jedan", "malo", "mnogo")
    assert agree(number, forms) == agree(number % 100, forms)


@pytest.mark.parametrize("number", [11, 12, 13, 14, 111, 1012])
def test_a_noun_after_eleven_to_fourteen_has_the_form_after_five(number):
    assert agree(number, ("sat", "sata", "sati")) == "sati"


def test_long_runs_and_leading_zeros_are_read_digit_by_digit():
    assert whole("0012", "hr") == "nula nula jedan dva"
    assert whole("1" * 16, "sr") == " ".join(["jedan"] * 16)
    assert decimal("1", "2345", "bs") == "jedan zarez dva tri četiri pet"
    assert decimal("1", "00", "bs") == "jedan zarez nula nula"


def test_numbers_that_are_too_large_are_refused():
    with pytest.raises(ValueError, match="has more than 18 digits; say it digit by digit"):
        cardinal(LARGEST + 1, "hr")
    with pytest.raises(ValueError, match="has more than 18 digits; say it digit by digit"):
        numbers.cardinal(LARGEST + 1)
    with pytest.raises(ValueError, match="ordinal -1 must be 0 or more"):
        ordinal(-1, "hr")


@given(st.integers(1, 3999))
def test_roman_numerals_are_read_back(number):
    assert from_roman(roman(number)) == number


@pytest.mark.parametrize("text", ["", "IIII", "VX", "IC", "i", "ABC", "MMMM"])
def test_a_malformed_roman_numeral_has_no_value(text):
    assert from_roman(text) is None


def roman(number):
    """Return the Roman numeral of a number with the greedy algorithm."""
    values = {1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC", 50: "L", 40: "XL",
              10: "X", 9: "IX", 5: "V", 4: "IV", 1: "I"}  # fmt: skip
    written = ""
    for value, letters in values.items():
        count, number = divmod(number, value)
        written += letters * count
    return written


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "zeroth"), (3, "third"), (12, "twelfth"), (40, "fortieth"), (1001, "one thousand first")],
)
def test_english_ordinals(number, expected):
    assert numbers.ordinal(number) == expected
