"""Convert the labels of a phone tier to phones of the inventory with their times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from fonoteka.corpus.corpus import TimedPhones
from fonoteka.corpus.importers.layouts.base import Interval, nfc
from fonoteka.phones import LETTERS, SOUTH_SLAVIC, from_espeak

SILENCES = frozenset({"", "#", "(...)", "<eps>", "<p:>", "<sil>", "_", "pau", "sil", "sp"})
"""Labels of silence of MFA, MAUS and HTK, in lower case."""

# English in the ARPABET of CMUdict and MFA, without the digit of stress; AH without it is a schwa.
ARPABET: Mapping[str, str] = MappingProxyType({
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AH0": "ə", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "B": "b",
    "CH": "tʃ", "D": "d", "DH": "ð", "EH": "e", "ER": "ɚ", "EY": "eɪ", "F": "f", "G": "ɡ",
    "HH": "h", "IH": "ɪ", "IY": "i", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n",
    "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t",
    "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
})  # fmt: skip


def symbols_of(label: str, language: str) -> tuple[str, ...]:
    """Return the inventory's symbols for a label in IPA, Latin letters (bs, hr, sr) or ARPABET.

    Raises:
        ValueError: the label is in no table.

    >>> symbols_of("ˈaː", "sr"), symbols_of("nj", "hr"), symbols_of("AH0", "en")
    (('a',), ('ɲ',), ('ə',))
    """
    name = nfc(label.strip())
    if name.lower() in SILENCES:
        return ()
    if language == "en" and (arpabet := ARPABET.get(name) or ARPABET.get(name.rstrip("012"))):
        return (arpabet,)
    try:
        return from_espeak(name, language)
    except ValueError:
        if language in SOUTH_SLAVIC and name in LETTERS:
            return (LETTERS[name],)
        raise


def timed_phones(intervals: Iterable[Interval], language: str) -> TimedPhones | list[str]:
    """Return phones with times, or the labels that are in no table.

    The time of a label of several phones, such as a diphthong with its schwa, is divided equally.

    >>> timed_phones([(0.0, 0.1, "sil"), (0.1, 0.3, "d"), (0.3, 0.4, "a")], "hr")
    TimedPhones(phones=('d', 'a'), times_s=((0.1, 0.3), (0.3, 0.4)))
    >>> timed_phones([(0.0, 0.1, "spn")], "hr")
    ['spn']
    """
    phones: list[str] = []
    times: list[tuple[float, float]] = []
    unknown = []
    for start, end, label in intervals:
        try:
            symbols = symbols_of(label, language)
        except ValueError:
            unknown.append(label)
            continue
        for number, symbol in enumerate(symbols):
            step = (end - start) / len(symbols)
            phones.append(symbol)
            times.append((
                round(start + number * step, 6), round(start + (number + 1) * step, 6)
            ))  # fmt: skip
    return unknown or TimedPhones(tuple(phones), tuple(times))
