"""Every digit, unit and sign of a text is said, or the text is refused.

Random sentences are made with the pattern of what must be said; a reader of number words, which
knows nothing of the rules, compares. The same comparison must fail where something is dropped.
"""

import re
from collections import Counter
from random import Random

import pytest
from number_reader import Ordinal, matches
from spoken_english import ENGLISH_ITEMS, ENGLISH_TELEPHONES
from spoken_items import SOUTH_SLAVIC_ITEMS
from spoken_parts import FILLERS, sentence

from fonoteka.phones import LANGUAGES, SOUTH_SLAVIC
from fonoteka.text import normalizer as text_module
from fonoteka.text.english.numbers import cardinal as english_cardinal
from fonoteka.text.normalizer import normalize
from fonoteka.text.numerals import cardinal, ordinal
from fonoteka.text.rule import SpellingError
from stages.corpus.synthesize.lines import to_cyrillic

SENTENCES = 250
ITEMS = {
    "en": ENGLISH_ITEMS + ENGLISH_TELEPHONES,
    **dict.fromkeys(SOUTH_SLAVIC, SOUTH_SLAVIC_ITEMS),
}
# What a sign is said as; a sign without words is refused whatever is beside it.
SIGNS = {
    "%": ("posto", "odsto", "percent"), "‰": ("promil", "per mille"), "§": ("paragraf", "section"),
    "&": ("i", "and"), "+": ("plus",), "=": ("jednako", "equals"), "×": ("puta", "times"),
    "±": ("plus minus",), "№": ("broj", "number"), "$": ("dolar", "dollar"),
    "€": ("eur", "evr"), "£": ("funt", "pound"), "°": ("step", "stup", "degree"), "@": ("at",),
    "#": ("number",), "*": ("times",), "~": ("about",), "^": (), "<": ("less",), ">": ("more",),
    "|": (), "\\": (), "¢": ("cent",), "¥": ("yen",), "†": (), "·": (), "²": ("squared",),
    "≈": (), "√": (), "™": (),
}  # fmt: skip

UNIT = re.compile(r"(?<=[\d\s])(?:km|kg|cm|KM|kn|m²|°C|%|‰|€|l|GB|lb|oz|mph)(?![^\W_])")


def said(text, language):
    """What a text is said as, or None where it is refused."""
    try:
        return normalize(text, language)
    except SpellingError:
        return None


def sentences(language, count=SENTENCES):
    random = Random(f"accounts {language}")
    return [sentence(random, language, ITEMS[language]) for _ in range(count)]


@pytest.mark.parametrize(
    "number", [0, 1, 2, 11, 14, 21, 100, 212, 1000, 1001, 2000, 21000, 471331461]
)
def test_the_reader_reads_numbers_back_and_no_other(number):
    for language in SOUTH_SLAVIC:
        words = cardinal(number, language)
        assert matches(number, words, language)
        assert not any(matches(number + other, words, language) for other in (-1, 1, 10, 100, 1000))
        if number <= 2000:
            assert matches(Ordinal(number), ordinal(number, language, "f", "gen"), language)
    assert matches(number, english_cardinal(number), "en")
    assert not matches(number + 1, english_cardinal(number), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_digit_and_unit_is_said_or_the_text_is_refused(language):
    read = 0
    for text, pattern in sentences(language):
        canonical = said(text, language)
        assert canonical is None or matches(pattern, canonical, language), (text, canonical)
        read += canonical is not None
    assert read > SENTENCES * 0.98


@pytest.mark.parametrize("maker", SOUTH_SLAVIC_ITEMS, ids=lambda maker: maker.__name__)
def test_every_kind_of_item_is_read(maker):
    random = Random(7)
    for language in SOUTH_SLAVIC:
        for _ in range(8):
            text, pattern = maker(random, language)
            canonical = said(f"Možda {text} zatim.", language)
            assert canonical is not None, text
            assert matches(["možda", pattern, "zatim"], canonical, language), (text, canonical)


def test_both_scripts_are_said_alike():
    for text, pattern in sentences("sr"):
        if not re.search("[xXwWqQyY]", text):  # which have no letter in Cyrillic
            assert matches(pattern, said(to_cyrillic(text), "sr") or "", "sr"), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_digit_that_is_dropped_is_noticed(language):
    """Noughts that are not said on their own, as in 05. and 7,00 €, are left out."""
    noticed = 0
    for text, pattern in sentences(language, 40):
        for at in (m.start() for m in re.finditer(r"[1-9]", text)):
            canonical = said(text[:at] + text[at + 1 :], language)
            assert canonical is None or not matches(pattern, canonical, language), (text, at)
            noticed += 1
    assert noticed > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_unit_that_is_dropped_is_noticed(language):
    """Minutes behind hours (2h15min) are left out, for they are said without their unit too."""
    noticed = 0
    for text, pattern in sentences(language, 150):
        for unit in UNIT.finditer(text):
            canonical = said(text[: unit.start()] + text[unit.end() :], language)
            assert canonical is None or not matches(pattern, canonical, language), text
            noticed += 1
    assert noticed > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rule_that_loses_something_is_noticed(language, monkeypatch):
    """The rules that change digits are given a text from which each loses its last digit."""
    real = text_module._spoken

    def lossy(text, language, fired):
        return real(re.sub(r"\d(?!.*\d)", "", text), language, fired)

    texts = [one for one in sentences(language) if re.search(r"\d", one[0])]
    monkeypatch.setattr(text_module, "_spoken", lossy)
    wrong = [t for t, p in texts if (out := said(t, language)) and matches(p, out, language)]
    assert not [text for text in wrong if re.findall(r"\d", text)[-1] != "0"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_digit_and_no_sign_is_left_and_none_vanishes(language):
    random, seen = Random(f"signs {language}"), Counter()
    words = [*FILLERS[language], "5", "12", "3,5", "a", "kg", "1990."]
    for _ in range(1500):
        sign = random.choice(list(SIGNS))
        parts = [random.choice(words) for _ in range(random.randint(1, 4))]
        parts.insert(random.randint(0, len(parts)), sign)
        text = random.choice((" ", "", " ")).join(parts) + random.choice(("", ".", " ono"))
        canonical = said(text, language)
        if canonical is None:
            continue
        seen[sign] += 1
        assert re.fullmatch(r"[a-zčćđšž' ]+", canonical), (text, canonical)
        assert any(f" {word}" in f" {canonical}" for word in SIGNS[sign]), (text, canonical)
    assert len(seen) > 5
