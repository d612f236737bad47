"""Phones of text, speech with phone times from espeak-ng, and visemes of phones.

    phones_of         phones of canonical text, from spelling (bs, hr, sr) or espeak-ng (en)
    word_phone_spans  the phones of each word in a sentence
    speak             synthetic speech with the start and end of each phone
    VISEME_OF         the mouth shape of each phone

>>> from fonoteka.g2p import VISEME_OF, phones_of
>>> phones_of("dobar dan", "sr")
('d', 'o', 'b', 'a', 'r', 'd', 'a', 'n')
>>> phones_of("three", "en")
('θ', 'ɹ', 'i')
>>> VISEME_OF["b"]
'PP'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fonoteka.core.exports import lazy_exports

if TYPE_CHECKING:
    from fonoteka.g2p.espeak import Speech, phonemize, speak, variants
    from fonoteka.g2p.g2p import phones_of
    from fonoteka.g2p.visemes import VISEME_OF, VISEMES, VOICED
    from fonoteka.g2p.word_spans import word_phone_spans

__all__ = [
    "VISEMES",
    "VISEME_OF",
    "VOICED",
    "Speech",
    "phonemize",
    "phones_of",
    "speak",
    "variants",
    "word_phone_spans",
]
_MODULES = {
    "Speech": "espeak",
    "VISEMES": "visemes",
    "VISEME_OF": "visemes",
    "VOICED": "visemes",
    "phonemize": "espeak",
    "phones_of": "g2p",
    "speak": "espeak",
    "variants": "espeak",
    "word_phone_spans": "word_spans",
}
__getattr__ = lazy_exports(__name__, _MODULES)
