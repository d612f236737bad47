"""Text normalisation for speech: Bosnian, Croatian, Serbian and English text as spoken words.

    normalize          canonical text: numbers, dates and units as words, in Latin script
    explain            the same, with the number of changes per rule
    identify_language  the most likely of the four languages, with a confidence
    to_latin           Serbian Cyrillic to Latin

Text that has no single correct reading raises `SpellingError`; its `reason` is a class to count by.

>>> from fonoteka.text import identify_language, normalize
>>> normalize("Rođen je 12. 5. 1995. u 14:30.", "hr")
'rođen je dvanaestog svibnja tisuću devetsto devedeset pete u četrnaest i trideset'
>>> normalize("Dr. Smith paid $5.50 in 1984.", "en")
'doctor smith paid five dollars fifty cents in nineteen eighty four'
>>> identify_language("Где су деца после ручка?").language
'sr'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fonoteka.core.exports import lazy_exports

if TYPE_CHECKING:
    from fonoteka.text.language_id import LanguageGuess, identify_language
    from fonoteka.text.normalizer import RULES, Normalized, explain, normalize
    from fonoteka.text.rule import SpellingError
    from fonoteka.text.transliteration import to_latin

__all__ = [
    "RULES",
    "LanguageGuess",
    "Normalized",
    "SpellingError",
    "explain",
    "identify_language",
    "normalize",
    "to_latin",
]
_MODULES = {
    "LanguageGuess": "language_id",
    "Normalized": "normalizer",
    "RULES": "normalizer",
    "SpellingError": "rule",
    "explain": "normalizer",
    "identify_language": "language_id",
    "normalize": "normalizer",
    "to_latin": "transliteration",
}
__getattr__ = lazy_exports(__name__, _MODULES)
