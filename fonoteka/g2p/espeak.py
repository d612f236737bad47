"""Speech synthesis and phonemes with times from espeak-ng.

The library comes as a wheel (`espeakng-loader`), so no system package is needed. It has state
between calls: the noise in a sentence can depend on earlier sentences. For equal samples, speak the
same texts in the same order from the start of a process.

Source: espeak-ng's `speak_lib.h`, whose constants are repeated below.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.phones import from_espeak

VOICES = {"bs": "bs", "en": "en-us", "hr": "hr", "sr": "sr"}

_SYNCHRONOUS, _PHONEME_EVENTS, _IPA = 2, 1, 2
_RATE, _LOUDNESS, _PITCH, _RANGE = 1, 2, 3, 4
_PERCENT = 25  # at the default of 100 the loudest variants clip 1 % of the samples
_EVENT_END, _EVENT_PHONEME = 0, 7
_UTF8 = 1


class _Id(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)
    )  # fmt: skip


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    )  # fmt: skip


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Speech:
    """Synthesised speech with its phones.

    Attributes:
        samples: int16, shape `[T]`.
        sample_rate_hz: 22050 with the voices in use.
        phones: symbols of the inventory.
        times_s: start and end of each phone in seconds.
    """

    samples: NDArray[np.int16]
    sample_rate_hz: int
    phones: tuple[str, ...]
    times_s: tuple[tuple[float, float], ...]


class _Engine:
    """The library, initialised once per process, with the buffers of the callback."""

    def __init__(self) -> None:
        self.library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate = int(
            self.library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _IPA)
        )
        if self.rate <= 0:
            raise UserError(f"espeak-ng: no voice data in {espeakng_loader.get_data_path()}")
        self.library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self.library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        self.blocks: list[NDArray[np.int16]] = []
        self.events: list[tuple[int, str]] = []
        self.callback = _CALLBACK(
            self._receive
        )  # stored here, because the library only has its address
        self.library.espeak_SetSynthCallback(self.callback)

    def _receive(self, wave: Any, count: int, events: Any) -> int:
        if count > 0:
            self.blocks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_PHONEME:
                name = events[index].id.string.decode("utf-8", "replace")
                self.events.append((int(events[index].sample), name))
            index += 1
        return 0


@functools.cache
def variants() -> frozenset[str]:
    """Return the names of the voice variants of espeak-ng."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return frozenset(path.name for path in folder.iterdir())


@functools.cache
def _engine() -> _Engine:
    return _Engine()


def speak(
    text: str,
    language: str,
    variant: str = "",
    rate_wpm: int = 175,
    pitch: int = 50,
    pitch_range: int = 50,
) -> Speech:
    """Return the speech of one text.

    Args:
        text: any text of the language.
        language: a key of `VOICES`.
        variant: a voice variant of espeak-ng such as `f2`; empty for the default voice.
        rate_wpm: words per minute, 80 to 450.
        pitch: 0 to 99, 50 is the default of the voice.
        pitch_range: 0 (monotone) to 99.

    Raises:
        UserError: the language or the variant is unknown, or there is no phone.
    """
    if language not in VOICES:
        raise UserError(f"language {language!r} is unknown; expected one of {sorted(VOICES)}")
    if variant and variant not in variants():  # espeak-ng would silently use the default voice
        raise UserError(
            f"espeak-ng has no voice variant {variant!r}; see fonoteka.g2p.espeak.variants"
        )
    engine = _engine()
    voice = VOICES[language] + (f"+{variant}" if variant else "")
    if engine.library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise UserError(f"espeak-ng has no voice {voice!r}")
    settings = {_RATE: rate_wpm, _LOUDNESS: _PERCENT, _PITCH: pitch, _RANGE: pitch_range}
    for number, value in settings.items():
        engine.library.espeak_SetParameter(number, value, 0)
    engine.library.espeak_ng_SetRandSeed(1)  # breath noise; seeded by the clock otherwise
    engine.blocks.clear()
    engine.events.clear()
    data = text.encode() + b"\0"
    engine.library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8, None, None)
    samples = np.concatenate([*engine.blocks, np.zeros(0, dtype=np.int16)])
    phones, times = _timed_phones(engine.events, len(samples), engine.rate, language)
    if not phones:
        raise UserError(f"espeak-ng said nothing for {text!r} in {language!r}")
    return Speech(samples, engine.rate, phones, times)


@functools.lru_cache(maxsize=65536)
def phonemize(text: str, language: str) -> tuple[str, ...]:
    """Return the phones of a text by espeak-ng, as symbols of the inventory.

    >>> phonemize("three", "en")
    ('θ', 'ɹ', 'i')
    """
    return speak(text, language).phones


def _timed_phones(
    events: list[tuple[int, str]], total: int, rate: int, language: str
) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...]]:
    """Return phones with times: an event lasts until the next; its phones share it equally.

    espeak-ng merges some vowels with a following l and gives the l no time: such an event is added
    to the one before.
    """
    spans: list[tuple[int, int, tuple[str, ...]]] = []
    ends = [min(start, total) for start, _ in events[1:]] + [total]
    # First merge events without time, then divide each span among its phones.
    for (start, name), end in zip(events, ends, strict=True):
        symbols = from_espeak(name, language)
        if end <= start and spans and spans[-1][1] == start:
            begin, _, before = spans.pop()
            spans.append((begin, start, before + symbols))
        else:
            spans.append((start, end, symbols))
    phones: list[str] = []
    times: list[tuple[float, float]] = []
    for start, end, symbols in spans:
        for number, symbol in enumerate(symbols):
            step = (end - start) / len(symbols)
            phones.append(symbol)
            times.append((
                round((start + number * step) / rate, 4),
                round((start + (number + 1) * step) / rate, 4),
            ))  # fmt: skip
    return tuple(phones), tuple(times)
