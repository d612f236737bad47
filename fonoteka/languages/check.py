"""Check the tables of a description: what is missing, ambiguous or wrong, all of it in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.languages.canonical_text import canonical, transliterated
from fonoteka.languages.description import TABLE, LanguageDescription
from fonoteka.languages.number_reading import LARGEST, number_words
from fonoteka.languages.pronunciation import Pronunciation
from fonoteka.phones import INVENTORY

Phones = Callable[[str], tuple[str, ...]]
LEAST_EXAMPLES = 20
NUMBERS = (*range(1001), 1002, 1999, 2000, 5011, 21_000, 22_000, 100_001, LARGEST)


@dataclass(frozen=True)
class TableProblem:
    """What is wrong with a description.

    Attributes:
        key: of the description, with the entry.
        text: what was found and what to do.
    """

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


def problems(description: LanguageDescription, phones: Phones | None = None) -> list[TableProblem]:
    """Return what is wrong with a description; an empty list if nothing is.

    Args:
        description: of the language.
        phones: of canonical text; the tables of the description by default.
    """
    tables = Pronunciation(description)
    spoken = phones or tables.phones
    result = [
        *_symbols(description),
        *_spellings(description),
        *_digraphs(description),
        *_numbers(description, spoken),
        *_examples(description, spoken),
        *_texts(description, spoken),
    ]
    if description.g2p == TABLE:
        result += _unused(description)
    return result


def _symbols(description: LanguageDescription) -> Iterator[TableProblem]:
    """Yield phones that are neither in the inventory nor named as new."""
    allowed = {*INVENTORY, *description.new_phones}
    # Every table whose values are phones; the keys of `voicing` are phones too.
    sources = {
        "letters": description.letters,
        "exceptions": description.exceptions,
        "espeak": description.espeak,
        "examples": description.examples,
        "voicing": description.voicing | {phone: phone for phone in description.voicing},
    }
    texts = [
        (f"{key}.{name}", text) for key, table in sources.items() for name, text in table.items()
    ]
    texts += [(f"rules.{rule.spelling}", rule.phones) for rule in description.rules]
    for place, text in texts:
        for phone in text.split():
            if phone not in allowed:
                yield TableProblem(
                    place, f"phone {phone!r} is not in the inventory; name it in new_phones"
                )
    used = {phone for _, text in texts for phone in text.split()}
    for phone, nearest in description.new_phones.items():
        if phone in INVENTORY:
            yield TableProblem(f"new_phones.{phone}", "the inventory has it; remove it")
        elif phone not in used:
            yield TableProblem(f"new_phones.{phone}", "no table uses it; remove it")
        if nearest not in INVENTORY:
            yield TableProblem(
                f"new_phones.{phone}", f"the nearest phone {nearest!r} is not in the inventory"
            )


def _spellings(description: LanguageDescription) -> Iterator[TableProblem]:
    """Yield letters without phones, and characters of tables that are not letters."""
    alphabet = set(description.alphabet)
    if description.alphabet != description.alphabet.lower() or " " in alphabet:
        yield TableProblem("alphabet", "expected small letters without spaces")
    if len(alphabet) < len(description.alphabet):
        yield TableProblem("alphabet", "a letter occurs twice; remove one")
    if description.g2p != TABLE:
        return
    for letter in description.alphabet:
        if letter not in description.letters:
            yield TableProblem("letters", f"letter {letter!r} has no phones; add it")
    written = [("letters", key) for key in description.letters]
    written += [("rules", rule.spelling) for rule in description.rules]
    written += [("exceptions", word) for word in description.exceptions]
    written += [("transliteration", text) for text in description.transliteration.values()]
    for key, spelling in written:
        if foreign := sorted(set(spelling) - alphabet):
            yield TableProblem(f"{key}.{spelling}", f"{foreign} are not letters of the alphabet")


def _digraphs(description: LanguageDescription) -> Iterator[TableProblem]:
    """Yield digraphs whose letters may also be two, if the description does not decide."""
    ambiguous: set[str] = set()
    for table in (description.letters, description.transliteration):
        ambiguous |= {key for key in table if len(key) > 1 and set(key) <= set(table)}
    for digraph in sorted(ambiguous - {*description.digraphs}):
        yield TableProblem(
            f"digraphs.{digraph}",
            f"{digraph!r} is also {' and '.join(digraph)}; list the stems in which it is two "
            "letters, such as nad|živ, or an empty text if the language has none",
        )
    for digraph, stems in description.digraphs.items():
        if digraph not in ambiguous:
            yield TableProblem(f"digraphs.{digraph}", "no table has this spelling; remove it")
        divided = "|".join(digraph)
        for stem in stems.split():
            if divided not in stem:
                yield TableProblem(
                    f"digraphs.{digraph}", f"stem {stem!r} does not contain {divided!r}"
                )


def _numbers(description: LanguageDescription, phones: Phones) -> Iterator[TableProblem]:
    """Yield numbers that are read as another number is, or in words that have no phones."""
    first: dict[str, int] = {}
    for number in NUMBERS:
        words = number_words(number, description.numbers)
        if first.setdefault(words, number) != number:
            yield TableProblem(
                "numbers", f"{number} and {first[words]} are both read {words!r}; correct a word"
            )
        yield from _not_canonical(f"numbers.{number}", words, description, phones)


def _examples(description: LanguageDescription, phones: Phones) -> Iterator[TableProblem]:
    """Yield words whose phones are not the expected ones, and too few of them."""
    if len(description.examples) < LEAST_EXAMPLES:
        yield TableProblem(
            "examples", f"{len(description.examples)} words, expected {LEAST_EXAMPLES} or more"
        )
    for word, expected in description.examples.items():
        try:
            result = phones(word)
        except UserError as error:
            yield TableProblem(f"examples.{word}", str(error))
            continue
        if result != tuple(expected.split()):
            yield TableProblem(
                f"examples.{word}", f"expected {expected!r}, found {' '.join(result)!r}"
            )


def _texts(description: LanguageDescription, phones: Phones) -> Iterator[TableProblem]:
    """Yield sentences and words of the tables that are not read as expected."""
    for text, expected in description.texts.items():
        try:
            result = canonical(text, description)
        except UserError as error:
            yield TableProblem(f"texts.{text}", str(error))
            continue
        if result != expected:
            yield TableProblem(f"texts.{text}", f"expected {expected!r}, found {result!r}")
    tables: dict[str, Iterable[str]] = {
        "abbreviations": description.abbreviations.values(),
        "signs": description.signs.values(),
        "words": [
            word.replace("_", " ") for row in description.words.values() for word in row.split()
        ],
    }
    for key, texts in tables.items():
        for text in texts:
            yield from _not_canonical(f"{key}.{text}", text, description, phones)


def _not_canonical(
    place: str, text: str, description: LanguageDescription, phones: Phones
) -> Iterator[TableProblem]:
    """Yield a problem if words of a table are not canonical text with phones."""
    try:
        if canonical(text, description) != text:
            yield TableProblem(place, f"{text!r} is not canonical; write words in small letters")
        elif not phones(text):
            yield TableProblem(place, f"{text!r} has no phones")
    except UserError as error:
        yield TableProblem(place, str(error))


def _unused(description: LanguageDescription) -> Iterator[TableProblem]:
    """Yield letters and rules that no example contains, so a mistake in them is not noticed."""
    tables = Pronunciation(description)
    for word in description.examples:
        tables.phones("".join(letter for letter in word if letter in description.letters))
    for number, rule in enumerate(description.rules):
        if number not in tables.applied:
            yield TableProblem(
                f"rules.{rule.spelling}", f"no example uses the rule for {rule.right!r}; add a word"
            )
    for letter in sorted({*description.letters} - {*"".join(description.examples)}):
        if not any(letter in word for word in description.examples):
            yield TableProblem(f"letters.{letter}", "no example has this letter; add a word")
    latin = {transliterated(key, description) for key in description.transliteration}
    if latin and (missing := sorted(set(description.alphabet) - latin)):
        yield TableProblem("transliteration", f"nothing becomes {missing}; add a spelling for each")
