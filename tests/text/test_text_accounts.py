"""Every digit, unit and sign of a text is in its words, or the text is refused.

Random sentences are generated with the pattern of their words; a parser of number words that is
independent of the rules compares them. The comparison must fail if a digit or unit is dropped.
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
from fonoteka.text import normalizer
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
# The words for a sign; a sign without words is refused in any context.
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


def canonical_or_none(text, language):
    """Return the canonical text, or None if the text is refused."""
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
def test_the_number_reader_accepts_the_number_and_no_other(number):
    for language in SOUTH_SLAVIC:
        words = cardinal(number, language)
        assert matches(number, words, language)
        assert not any(matches(number + other, words, language) for other in (-1, 1, 10, 100, 1000))
        if number <= 2000:
            assert matches(Ordinal(number), ordinal(number, language, "f", "gen"), language)
    assert matches(number, english_cardinal(number), "en")
    assert not matches(number + 1, english_cardinal(number), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_digit_and_unit_is_in_words_or_the_text_is_refused(language):
    read = 0
    for text, pattern in sentences(language):
        canonical = canonical_or_none(text, language)
        assert canonical is None or matches(pattern, canonical, language), (text, canonical)
        read += canonical is not None
    assert read > SENTENCES * 0.98


@pytest.mark.parametrize("maker", SOUTH_SLAVIC_ITEMS, ids=lambda maker: maker.__name__)
def test_every_kind_of_item_is_read(maker):
    random = Random(7)
    for language in SOUTH_SLAVIC:
        for _ in range(8):
            text, pattern = maker(random, language)
            canonical = canonical_or_none(f"Možda {text} zatim.", language)
            assert canonical is not None, text
            assert matches(["možda", pattern, "zatim"], canonical, language), (text, canonical)


def test_both_scripts_are_read_alike():
    for text, pattern in sentences("sr"):
        if not re.search("[xXwWqQyY]", text):  # letters without a Cyrillic counterpart
            assert matches(pattern, canonical_or_none(to_cyrillic(text), "sr") or "", "sr"), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_digit_that_is_dropped_is_noticed(language):
    """Zeros are not dropped, because some have no word of their own, as in 05. and 7,00 €."""
    checked = 0
    for text, pattern in sentences(language, 40):
        for index in (m.start() for m in re.finditer(r"[1-9]", text)):
            canonical = canonical_or_none(text[:index] + text[index + 1 :], language)
            assert canonical is None or not matches(pattern, canonical, language), (text, index)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_unit_that_is_dropped_is_noticed(language):
    """Minutes after hours (2h15min) are not dropped, because their unit is optional."""
    checked = 0
    for text, pattern in sentences(language, 150):
        for unit in UNIT.finditer(text):
            canonical = canonical_or_none(text[: unit.start()] + text[unit.end() :], language)
            assert canonical is None or not matches(pattern, canonical, language), text
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rule_that_loses_something_is_noticed(language, monkeypatch):
    """The rules get a text without its last digit."""
    real = normalizer._verbalized

    def lossy(text, language, fired):
        return real(re.sub(r"\d(?!.*\d)", "", text), language, fired)

    texts = [item for item in sentences(language) if re.search(r"\d", item[0])]
    monkeypatch.setattr(normalizer, "_verbalized", lossy)
    wrong = [
        t for t, p in texts if (out := canonical_or_none(t, language)) and matches(p, out, language)
    ]
    assert not [text for text in wrong if re.findall(r"\d", text)[-1] != "0"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_digit_or_sign_is_kept_and_none_is_dropped(language):
    random, seen = Random(f"signs {language}"), Counter()
    words = [*FILLERS[language], "5", "12", "3,5", "a", "kg", "1990."]
    for _ in range(1500):
        sign = random.choice(list(SIGNS))
        parts = [random.choice(words) for _ in range(random.randint(1, 4))]
        parts.insert(random.randint(0, len(parts)), sign)
        text = random.choice((" ", "", " ")).join(parts) + random.choice(("", ".", " ono"))
        canonical = canonical_or_none(text, language)
        if canonical is None:
            continue
        seen[sign] += 1
        assert re.fullmatch(r"[a-zčćđšž' ]+", canonical), (text, canonical)
        assert any(f" {word}" in f" {canonical}" for word in SIGNS[sign]), (text, canonical)
    assert len(seen) > 5
