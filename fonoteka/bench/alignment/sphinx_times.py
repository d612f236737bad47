"""English words and phones with times by pocketsphinx, which shares nothing with this project.

Its wheel has an acoustic model and the dictionary of CMU; times are multiples of 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError

FRAME_S = 0.01

# Sounds that ARPABET and the inventory divide differently are one class: AA and AO, IH and IY, UH
# and UW, AH and the schwa. Classes have names of ARPABET.
CLASSES = {
    "æ": "AE", "ʌ": "AH", "ə": "AH", "ɑ": "AA", "ɔ": "AA", "aʊ": "AW", "aɪ": "AY", "b": "B",
    "tʃ": "CH", "d": "D", "ð": "DH", "e": "EH", "ɚ": "ER", "eɪ": "EY", "f": "F", "ɡ": "G",
    "h": "HH", "ɪ": "IH", "i": "IH", "dʒ": "JH", "k": "K", "l": "L", "m": "M", "n": "N",
    "ŋ": "NG", "oʊ": "OW", "ɔɪ": "OY", "p": "P", "ɹ": "R", "s": "S", "ʃ": "SH", "t": "T",
    "ɾ": "T", "θ": "TH", "u": "UH", "ʊ": "UH", "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH",
}  # fmt: skip
_SPHINX_CLASSES = {"AO": "AA", "IY": "IH", "UW": "UH"}


@dataclass(frozen=True)
class Phone:
    """The start of a phone in seconds; its symbol is of the inventory, or of ARPABET."""

    symbol: str
    start_s: float


@dataclass(frozen=True)
class TimedWord:
    """The start of a word in seconds, and its phones; none if they are unknown."""

    text: str
    start_s: float
    phones: tuple[Phone, ...] = ()


def phone_class(label: str) -> str:
    """Return the class of a phone of the inventory, or of ARPABET.

    >>> phone_class("ɔ"), phone_class("AO"), phone_class("UW")
    ('AA', 'AA', 'UH')
    """
    return CLASSES.get(label) or _SPHINX_CLASSES.get(label, label)


def open_sphinx() -> Any:
    """Return a decoder of pocketsphinx with its English model.

    Raises:
        UserError: the package is missing.
    """
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise UserError(
            "the package pocketsphinx is missing; install it with `pip install pocketsphinx`"
        ) from error
    return Decoder(samprate=SAMPLE_RATE_HZ, lm=None, bestpath=False, loglevel="FATAL")


def sphinx_words(decoder: Any, text: str, signal: Signal) -> list[TimedWord] | None:
    """Return the words of a text with their times, or None if pocketsphinx finds no path.

    Args:
        decoder: of `open_sphinx`.
        text: words of its dictionary with spaces between them.
        signal: at 16 kHz, `[N]`.
    """
    samples = (np.clip(signal, -1, 1) * 32767).astype("<i2").tobytes()
    decoder.set_align_text(text)
    _pass(decoder, samples)
    if decoder.hyp() is None:
        return None
    decoder.set_alignment()  # a second pass places the phones of the words of the first
    _pass(decoder, samples)
    words = [
        TimedWord(
            word.name.partition("(")[0], word.start * FRAME_S,
            tuple(Phone(phone.name, phone.start * FRAME_S) for phone in word),
        )
        for word in decoder.get_alignment()
        if word.name[0] not in "<["
    ]  # fmt: skip
    return words if [word.text for word in words] == text.split() else None


def _pass(decoder: Any, samples: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()


def matched_starts(ours: Sequence[Phone], theirs: Sequence[Phone]) -> list[tuple[float, float]]:
    """Return the starts of phones that both have, by an alignment of their classes.

    >>> ours = [Phone("z", 0.0), Phone("ɪ", 0.1), Phone("oʊ", 0.3)]
    >>> matched_starts(ours, [Phone("Z", 0.02), Phone("IY", 0.1), Phone("R", 0.2)])
    [(0.0, 0.02), (0.1, 0.1)]
    """
    sides = [[phone_class(phone.symbol) for phone in side] for side in (ours, theirs)]
    return [
        (ours[step.src_start + n].start_s, theirs[step.dest_start + n].start_s)
        for step in Levenshtein.opcodes(*sides)
        if step.tag == "equal"
        for n in range(step.src_end - step.src_start)
    ]
