"""Visemes and voicing of phones, for facial animation.

The fifteen visemes are common to lip-sync rigs: silence and fourteen groups of sounds.
Source: Meta's viseme reference for Oculus Lipsync, whose groups are those of MPEG-4's facial
animation; both name English sounds. Sounds of Bosnian, Croatian and Serbian are grouped with those
of the same place of articulation: ɲ and ʎ with n and l, x with k, tɕ and dʑ with tʃ, ts with s, a
trilled r with ɹ. A diphthong is grouped with its first and longer half.
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
"""The phones of each viseme."""

VISEMES: tuple[str, ...] = (SILENCE, *SOUNDS)
"""All visemes, in the order of a model's outputs."""

VISEME_OF: Mapping[str, str] = MappingProxyType(
    {phone: shape for shape, phones in SOUNDS.items() for phone in phones}
)
"""The viseme of each phone of the inventory."""

VOICELESS = frozenset({"f", "h", "k", "p", "s", "t", "ts", "tɕ", "tʃ", "x", "ʃ", "θ"})
VOICED = frozenset(INVENTORY) - VOICELESS
"""Voiced phones; devoicing by neighbouring phones is ignored."""
