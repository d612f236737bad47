"""Aligned texts and recordings for the tests of the karaoke page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import soundfile

from fonoteka.alignment.aligned_text import AlignedLine, AlignedPhone, AlignedText, AlignedWord

DURATION_S = 20.0
WORDS_PER_LINE = 3
# Between words: none, below and above the 0.3 s over which a highlight stays, and a pause.
GAPS_S = (0.0, 0.1, 0.29, 0.31, 0.8)


def aligned(*words, language="sr", duration_s=DURATION_S):
    """Return a text of one line; each word is its text, start and end in seconds."""
    line = AlignedLine(tuple(AlignedWord(text, start, end, 0.9) for text, start, end in words))
    return AlignedText(language, duration_s, (line,))


def long_text(seed=0):
    """Return a text that fills 20 s with words of 0.15 to 0.4 s; every seventh has a low score."""
    random = np.random.default_rng(seed)
    words, time_s = [], 0.4
    while time_s < DURATION_S - 1.5:
        end_s = time_s + random.uniform(0.15, 0.4)
        score = 0.15 if len(words) % 7 == 3 else 0.9
        phones = (AlignedPhone("dʒ", time_s, end_s, score), AlignedPhone("e", end_s, end_s, score))
        name = f"reč{'bdgkmnprst'[len(words) // 5]}{'aeiou'[len(words) % 5]}"
        words.append(AlignedWord(name, time_s, end_s, score, phones))
        time_s = end_s + random.choice(GAPS_S)
    rows = [words[i : i + WORDS_PER_LINE] for i in range(0, len(words), WORDS_PER_LINE)]
    return AlignedText("sr", DURATION_S, tuple(AlignedLine(tuple(row)) for row in rows))


def with_texts(text, function):
    """Return a text whose words are written as `function` returns."""
    lines = (
        AlignedLine(tuple(replace(word, text=function(word.text)) for word in line.words))
        for line in text.lines
    )
    return replace(text, lines=tuple(lines))


def write_noise(path, duration_s=DURATION_S, rate_hz=8000, **options):
    """Write quiet noise as a recording."""
    signal = np.random.default_rng(0).uniform(-0.05, 0.05, round(duration_s * rate_hz))
    soundfile.write(path, signal, rate_hz, **options)
    return path
