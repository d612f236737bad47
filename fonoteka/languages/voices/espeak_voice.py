"""Speech and phones of a described language by a voice of espeak-ng.

`fonoteka.g2p.espeak` speaks the languages of the phone inventory; this module speaks any voice and
takes the mapping of its symbols from the description.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.g2p import espeak
from fonoteka.languages.description import LanguageDescription
from fonoteka.phones import INVENTORY

_MARKS = {ord(mark): None for mark in "ˈˌ͡|"}
_LANGUAGE = re.compile(r"^language\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class VoiceSpeech:
    """Speech of one text.

    Attributes:
        samples: int16, shape `[T]`.
        sample_rate_hz: of the samples.
        phones: symbols of the inventory or of the description's new phones.
        times_s: start and end of each phone in seconds.
    """

    samples: NDArray[np.int16]
    sample_rate_hz: int
    phones: tuple[str, ...]
    times_s: tuple[tuple[float, float], ...]


@functools.cache
def voices() -> frozenset[str]:
    """Return the names of espeak-ng's voices, such as `sl` and `en-us`.

    >>> {"mk", "sl"} <= voices()
    True
    """
    files = (Path(espeakng_loader.get_data_path()) / "lang").rglob("*")
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in files if path.is_file())
    return frozenset(name for text in texts for name in _LANGUAGE.findall(text))


def mapped(symbol: str, table: Mapping[str, str]) -> tuple[str, ...]:
    """Return the phones of one symbol of espeak-ng; a pause has none.

    Raises:
        UserError: the symbol is neither in the table nor in the inventory.

    >>> mapped("ˈɔː", {"ɔ": "o"}), mapped("tʃ", {}), mapped("", {})
    (('o',), ('tʃ',), ())
    """
    bare = unicodedata.normalize("NFC", symbol).translate(_MARKS)
    if not bare.strip("ː"):
        return ()
    for candidate in (bare, bare.rstrip("ː")):
        if candidate in table:
            return tuple(table[candidate].split())
        if candidate in INVENTORY:
            return (candidate,)
    raise UserError(f"espeak-ng's symbol {bare!r} is in neither `espeak` nor the inventory; add it")


def say(
    text: str, description: LanguageDescription, variant: str = "", rate_wpm: int = 175,
    pitch: int = 50,
) -> VoiceSpeech:  # fmt: skip
    """Return the speech of one text.

    Args:
        text: any text of the language.
        description: names the voice and maps its symbols.
        variant: a voice variant of espeak-ng such as `f2`; empty for the default voice.
        rate_wpm: words per minute, 80 to 450.
        pitch: 0 to 99.

    Raises:
        UserError: espeak-ng does not have the voice or the variant, says nothing, or uses a symbol
            that the description does not map.
    """
    # espeak-ng replaces an unknown voice or variant by its default and reports no error.
    if description.voice not in voices():
        raise UserError(f"espeak-ng has no voice {description.voice!r}; see its lang folder")
    if variant and variant not in espeak.variants():
        raise UserError(f"espeak-ng has no voice variant {variant!r}")
    engine = espeak._engine()
    name = description.voice + (f"+{variant}" if variant else "")
    if engine.library.espeak_SetVoiceByName(name.encode()) != 0:
        raise UserError(f"espeak-ng refuses the voice {name!r}")
    settings = {
        espeak._RATE: rate_wpm, espeak._LOUDNESS: espeak._PERCENT, espeak._PITCH: pitch,
        espeak._RANGE: 50,
    }  # fmt: skip
    for number, value in settings.items():
        engine.library.espeak_SetParameter(number, value, 0)
    engine.library.espeak_ng_SetRandSeed(1)
    engine.blocks.clear()
    engine.events.clear()
    data = text.encode() + b"\0"
    engine.library.espeak_Synth(data, len(data), 0, 1, 0, espeak._UTF8, None, None)
    samples = np.concatenate([*engine.blocks, np.zeros(0, dtype=np.int16)])
    phones, times = timed(engine.events, len(samples), engine.rate, description.espeak)
    if not phones:
        raise UserError(f"espeak-ng's voice {name!r} says nothing for {text!r}")
    return VoiceSpeech(samples, engine.rate, phones, times)


def timed(
    events: list[tuple[int, str]], total: int, rate: int, table: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...]]:
    """Return phones with times: an event lasts until the next, and its phones share it equally.

    Args:
        events: first sample and symbol of each event.
        total: samples in all.
        rate: samples per second.
        table: of the symbols.

    >>> timed([(0, "a"), (100, "ɲ"), (300, "")], 400, 100, {"ɲ": "n j"})
    (('a', 'n', 'j'), ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0)))
    """
    ends = [min(start, total) for start, _ in events[1:]] + [total]
    phones: list[str] = []
    times: list[tuple[float, float]] = []
    for (start, symbol), end in zip(events, ends, strict=True):
        symbols = mapped(symbol, table)
        step = (end - start) / max(1, len(symbols))
        for number, phone in enumerate(symbols):
            phones.append(phone)
            first, last = start + number * step, start + (number + 1) * step
            times.append((round(first / rate, 4), round(last / rate, 4)))
    return tuple(phones), tuple(times)
