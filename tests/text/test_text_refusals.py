"""Signs with a meaning and numerals read only in part are refused by name."""

import pytest

from fonoteka.phones import LANGUAGES, SOUTH_SLAVIC
from fonoteka.text.marks import is_plain_punctuation
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError

SIGNS = "%‰#*~^|\\<>€$£¥¢°²†‡¶·¬©®™√∞≈≠≤≥→←✓"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_with_a_meaning_alone_is_refused_by_name(sign, language):
    for text in (f"ono {sign} ono", f"ono{sign} ono", f"ono {sign}ono", f"ono ({sign})"):
        with pytest.raises(SpellingError, match=rf"U\+{ord(sign):04X}") as caught:
            normalize(text, language)
        assert caught.value.reason == "character"


@pytest.mark.parametrize("language", SOUTH_SLAVIC)
def test_an_at_sign_is_refused_by_name(language):
    with pytest.raises(SpellingError, match=r"'@' \(U\+0040\)"):
        normalize("Pišite na ana@primjer.hr.", language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mark", ".,;:!?…„“”«»‘’\"'()[]{}-–—‐•¿¡")
def test_plain_punctuation_separates_words_and_is_dropped(mark, language):
    assert is_plain_punctuation(mark)
    assert normalize(f"ono {mark} ono", language) == "ono ono"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("he and/or she", "en", "he and or she"),
        ("i/ili", "hr", "i ili"),
        ("bio/bila je", "bs", "bio bila je"),
        ("дошао/дошла", "sr", "došao došla"),
        ("Na brdu / stoji kuća", "hr", "na brdu stoji kuća"),
        ("lijevo/desno/pravo", "bs", "lijevo desno pravo"),
    ],
)
def test_a_slash_between_words_is_punctuation(text, language, expected):
    assert normalize(text, language) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("brzina u km/h", "hr"), ("cena u din/kg", "sr"), ("brzina u m/s", "bs"),
        ("pet km / h", "sr"), ("deset eura/sat", "hr"), ("pet litara/minut", "sr"),
        ("sto obrtaja/min", "sr"),
        ("five dollars/hour", "en"), ("speed in km/h", "en"), ("/home je", "bs"), ("A/ B", "hr"),
    ],
)  # fmt: skip
def test_a_slash_next_to_a_unit_is_refused(text, language):
    with pytest.raises(SpellingError, match=r"'/' \(U\+002F\)"):
        normalize(text, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "token",
    ["H2O", "B2B", "1a2b", "1-2-3-4", "1/2/3/4", "1:2:3:4", "12,34,56", "1'000", "5'a", ".45",
     ",5", "x.5.x5", "temp:-5", "10²", "2h15x", "MP3s", "5qx", "3.14.x5", "7,5:3"],
)  # fmt: skip
def test_a_numeral_that_no_rule_reads_completely_is_refused(token, language):
    if language == "en" and token in ("MP3s", ".45", "H2O", "B2B"):
        pytest.skip("English has rules for these")
    with pytest.raises(SpellingError) as caught:
        normalize(f"ono {token} ono", language)
    assert caught.value.reason in ("number", "character")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("(od 2h15x, ne)", "2h15x"),
        ("je „1-2-3“!", "1-2-3"),
        ("ima H2O.", "H2O"),
        ("ili 5qx?", "5qx"),
    ],
)
def test_the_refusal_names_the_whole_token(text, token):
    with pytest.raises(SpellingError, match=f"'{token}' is read only in part") as caught:
        normalize(text, "hr")
    assert caught.value.reason == "number"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("A4, Covid-19", "hr", "a četiri covid devetnaest"),
        ("A4, Covid-19", "en", "a four covid nineteen"),
        ("(5), „7“ i 9!", "bs", "pet sedam i devet"),
        ("br.5 i str.7", "sr", "broj pet i strana sedam"),
        ("“I have 5” and 'only 7'", "en", "i have five and only seven"),
        ("„Imam 5“, i ’95.", "hr", "imam pet i devedeset pet"),
        ("It was 1995—a good year", "en", "it was nineteen ninety five a good year"),
        ("− 5 °C", "bs", "minus pet stepeni celzijusa"),
        ("7 − 2", "en", "seven minus two"),
        ("čekaj...5", "hr", "čekaj pet"),
    ],
)
def test_a_numeral_that_is_read_completely_is_accepted(text, language, expected):
    assert normalize(text, language) == expected


@pytest.mark.parametrize("language", SOUTH_SLAVIC)  # English reads feet and inches
def test_a_prime_is_not_a_quote(language):
    for text in ("ono 5″ ono", 'ono 5" ono', "ono 5' ono", "ono 5′ ono", '"ono" 7" i "ono"'):
        with pytest.raises(SpellingError, match=r"U\+203[23]"):
            normalize(text, language)


@pytest.mark.parametrize("language", SOUTH_SLAVIC)
def test_brackets_with_a_sign_or_a_roman_numeral_are_read_aloud(language):
    assert normalize("ono (ono) je", language) == "ono je"
    for remark in ("(%)", "(ono €)", "(XIV)", "(VII ono)"):
        with pytest.raises(SpellingError):
            normalize(f"ono {remark} ono", language)


def test_two_comparison_signs_are_not_an_annotation():
    with pytest.raises(SpellingError, match="'<'"):
        normalize("ako je a<b i c>d", "hr")
    assert normalize("ono <unk>, da<smijeh> ono", "hr") == "ono da ono"
