"""Measure how many characters per second one core normalizes, by CPU time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from fonoteka.reporting.machine import Demand, demanded
from fonoteka.text.normalizer import normalize

LIMIT = 1_000_000.0
SECONDS = 2.0  # of all rounds together, about
ROUNDS = 5
# Ordinary sentences: mostly words, sometimes a numeral, a date, a note or Cyrillic.
LINES = (
    ("hr", "Sutra ujutro idemo na more, pa ćemo vidjeti kakvo će biti vrijeme na otocima."),
    ("hr", "Knjiga ima 312 stranica, a napisana je prije više od sto godina."),
    ("hr", "Djeca su trčala po dvorištu dok je baka „čuvala“ kolače na prozoru."),
    ("hr", "Vlak iz Rijeke kasni 25 minuta - molimo putnike za strpljenje."),
    ("bs", "U našoj ulici živi stari majstor koji popravlja satove i priča duge priče."),
    ("bs", "Kahva se pije polako, uz razgovor, i nikome se nikamo ne žuri."),
    ("bs", "Na pijaci smo kupili 3 kg jabuka i malo svježeg sira."),
    ("sr", "Данас је био леп дан, па смо шетали поред реке све до вечери."),
    ("sr", "Рођен је 1987. године у малом месту поред Ниша."),
    ("sr", "Njegov brat svira harmoniku, a sestra peva u horu svake subote."),
    ("sr", "Љубица и Џевад чекају аутобус број 26 на углу."),
    ("en", "We walked along the river until the lights of the town came on."),
    ("en", "Nobody had told the children that the bridge would be closed today."),
    ("en", "It's a quarter past nine, and the last train leaves in ten minutes."),
)


def run() -> dict[str, Any]:
    """Return characters per second by language and for all, medians over rounds."""
    total = speed(LINES)
    demand = Demand("text.characters_a_second", total, LIMIT, at_most=False)
    return {
        "characters_a_second": total,
        "by_language": {
            name: speed([line for line in LINES if line[0] == name])
            for name in sorted({language for language, _ in LINES})
        },
        "lines": len(LINES),
        "rounds": ROUNDS,
        "sla": demanded((demand,)),
    }


def speed(lines: Sequence[tuple[str, str]]) -> float:
    """Return the characters per second of CPU time, which other processes change little."""
    speeds = []
    characters = sum(len(text) for _, text in lines)
    for _ in range(ROUNDS):
        passes, begin = 0, time.process_time()
        while (spent := time.process_time() - begin) < SECONDS / ROUNDS:
            for language, text in lines:
                normalize(text, language)
            passes += 1
        speeds.append(passes * characters / spent)
    return round(median(speeds))


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    speeds = ", ".join(f"{name} {speed:,}" for name, speed in result["by_language"].items())
    total = result["characters_a_second"]
    return f"normalization: {total:,} characters per second on one core ({speeds})"
