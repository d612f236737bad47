"""The inventory, and every table that maps to it."""

from pathlib import Path

import pytest

from fonoteka.g2p.espeak import speak
from fonoteka.phones import (
    BLANK,
    ENGLISH_ONLY,
    INVENTORY,
    LABELS,
    LANGUAGES,
    LETTERS,
    MANNERS,
    SEAMS,
    SOUTH_SLAVIC,
    from_espeak,
    from_letters,
)
from stages.corpus.synthesize.grammar import read

WORDS = Path(__file__).parents[2] / "stages/corpus/synthesize/words"


def test_thirty_letters_are_thirty_phones():
    assert len(LETTERS) == len(set(LETTERS.values())) == 30


def test_no_symbol_occurs_twice_in_the_inventory():
    assert len(set(INVENTORY)) == len(INVENTORY) == len(LETTERS) + len(ENGLISH_ONLY)


def test_the_blank_is_label_zero_and_not_a_phone():
    assert LABELS[0] == BLANK
    assert LABELS[1:] == INVENTORY
    assert BLANK not in INVENTORY


def test_each_phone_has_one_manner():
    assert sorted(phone for phones in MANNERS.values() for phone in phones) == sorted(INVENTORY)


@pytest.mark.parametrize("letter", sorted(LETTERS))
def test_a_single_letter_is_its_phone(letter):
    assert from_letters(letter) == (LETTERS[letter],)


def test_a_digraph_is_one_phone():
    assert from_letters("ljubav") == ("ʎ", "u", "b", "a", "v")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("injekcija", "i n j e k ts i j a"),
        ("konjugacija", "k o n j u ɡ a ts i j a"),
        ("tanjug", "t a n j u ɡ"),
        ("nadživjeti", "n a d ʒ i v j e t i"),
        ("podžupan", "p o d ʒ u p a n"),
        ("odžaliti", "o d ʒ a l i t i"),
        ("predživot", "p r e d ʒ i v o t"),
    ],
)
def test_two_letters_at_a_seam_are_two_phones(word, phones):
    assert from_letters(word) == tuple(phones.split())


@pytest.mark.parametrize(
    "word", ["njega", "konj", "tanjur", "džep", "odžak", "hodža", "budžet", "nadnica"]
)
def test_a_word_without_a_seam_keeps_its_digraphs(word):
    digraphs = sum(word.count(pair) for pair in ("nj", "lj", "dž"))
    assert len(from_letters(word)) == len(word) - digraphs


def test_a_seam_stem_contains_a_possible_digraph():
    assert all(any(pair in stem for pair in ("nj", "lj", "dž")) for stem in SEAMS)


@pytest.mark.parametrize("letter", ["q", "w", "x", "y", "ђ", "7", "-"])
def test_an_unknown_letter_is_named(letter):
    with pytest.raises(ValueError, match=f"'{letter}' in 'a{letter}' is not a letter"):
        from_letters(f"a{letter}")


@pytest.mark.parametrize("name", ["", "ː", "ˈ"])
def test_a_pause_has_no_phone(name):
    assert from_espeak(name, "en") == from_espeak(name, "sr") == ()


@pytest.mark.parametrize(
    ("name", "language", "phones"),
    [
        ("ˈɔːɹ", "en", "ɔ ɹ"),
        ("əl", "en", "ə l"),
        ("t͡ʃ", "hr", "tʃ"),
        ("ɐ", "en", "ə"),
        ("ɐ", "sr", "a"),
        ("ɾ", "en", "ɾ"),
        ("ɾ", "bs", "r"),
        ("ˈuː", "bs", "u"),
    ],
)
def test_a_name_of_espeak_maps_to_phones_of_its_language(name, language, phones):
    assert from_espeak(name, language) == tuple(phones.split())


def test_an_unknown_name_of_espeak_is_reported():
    with pytest.raises(ValueError, match="phoneme 'ʘ' in language 'hr' is in no table"):
        from_espeak("ʘ", "hr")


def test_an_english_phone_is_not_one_of_the_other_languages():
    with pytest.raises(ValueError, match="'θ' in language 'sr'"):
        from_espeak("θ", "sr")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_corpus_has_phones_of_the_inventory(language):
    grammar = read(WORDS / f"{language}.txt")
    rows = [row for name, rows in grammar.entries.items() for row in rows if "{" not in row]
    allowed = set(LETTERS.values()) if language in SOUTH_SLAVIC else set(INVENTORY)
    phones = {phone for row in rows for phone in speak(row, language).phones}
    assert phones <= allowed
    assert len(phones) == (30 if language in SOUTH_SLAVIC else 41)
