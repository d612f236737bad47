"""What of a phone a rig needs: the shape of the mouth, and whether the voice sounds.

The fifteen shapes are those that lip-sync rigs share: silence and fourteen groups of sounds.
Source: Meta's viseme reference for Oculus Lipsync, whose groups are those of MPEG-4's facial
animation; both name English sounds. Sounds of Bosnian, Croatian and Serbian stand with those made
at the same place: ɲ and ʎ with n and l, x with k, tɕ and dʑ with tʃ, ts with s, a trilled r with ɹ.
A diphthong stands with its first and longer half.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fonoteka.phones import INVENTORY

SILENCE = "sil"
SOUNDS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "PP": ("p", "b", "m"),
    "FF": ("f", "v"),
    "TH": ("θ", "ð"),
    "DD": ("t", "d", "ɾ"),
    "kk": ("k", "ɡ", "x", "h"),
    "CH": ("tʃ", "dʒ", "ʃ", "ʒ", "tɕ", "dʑ"),
    "SS": ("s", "z", "ts"),
    "nn": ("n", "l", "ɲ", "ʎ", "ŋ"),
    "RR": ("r", "ɹ", "ɚ"),
    "aa": ("a", "ɑ", "æ", "ʌ", "ə", "aɪ", "aʊ"),
    "E": ("e", "eɪ"),
    "ih": ("i", "ɪ", "j"),
    "oh": ("o", "ɔ", "ɔɪ", "oʊ"),
    "ou": ("u", "ʊ", "w"),
})  # fmt: skip
"""The sounds of each shape."""

VISEMES: tuple[str, ...] = (SILENCE, *SOUNDS)
"""All shapes; a model's output has them in this order."""

VISEME_OF: Mapping[str, str] = MappingProxyType(
    {phone: shape for shape, phones in SOUNDS.items() for phone in phones}
)
"""The shape of each phone of the inventory."""

VOICELESS = frozenset({"f", "h", "k", "p", "s", "t", "ts", "tɕ", "tʃ", "x", "ʃ", "θ"})
VOICED = frozenset(INVENTORY) - VOICELESS
"""Phones in which the vocal folds swing; that a neighbour can take it away is not looked at."""
