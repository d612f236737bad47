"""How many characters a second normalization takes on one core, in time of the processor.

Others at work on the machine would slow a clock; they slow this little.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from fonoteka.reporting.machine import Demand, demanded
from fonoteka.text.normalizer import normalize

LIMIT = 1_000_000.0
SECONDS = 2.0  # of one round, about
ROUNDS = 5
# Speech as it is written down: mostly words, now and then a numeral, a date, a note or Cyrillic.
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
    """Return characters a second by language and for all, medians of some rounds."""
    refused = [text for language, text in LINES if not _takes(language, text)]
    languages = sorted({language for language, _ in LINES})
    speeds = {name: _speed([line for line in LINES if line[0] == name]) for name in languages}
    every = _speed(list(LINES))
    demand = Demand("text.characters_a_second", every, LIMIT, at_most=False)
    return {
        "characters_a_second": every,
        "by_language": speeds,
        "lines": len(LINES),
        "refused": refused,
        "rounds": ROUNDS,
        "sla": demanded((demand,)),
    }


def _takes(language: str, text: str) -> bool:
    try:
        normalize(text, language)
    except ValueError:
        return False
    return True


def _speed(lines: list[tuple[str, str]]) -> float:
    """Return characters a second of the lines that are not refused, for a refusal is quicker."""
    lines = [(language, text) for language, text in lines if _takes(language, text)]
    if not lines:
        return 0.0
    characters = sum(len(text) for _, text in lines)
    speeds = []
    for _ in range(ROUNDS):
        times, begin = 0, time.process_time()
        while (spent := time.process_time() - begin) < SECONDS / ROUNDS:
            for language, text in lines:
                normalize(text, language)
            times += 1
        speeds.append(times * characters / spent)
    return round(median(speeds))


def page(found: dict[str, Any]) -> str:
    """Return what a person reads."""
    by_language = ", ".join(f"{name} {speed:,}" for name, speed in found["by_language"].items())
    refused = f"; {len(found['refused'])} of {found['lines']} lines refused"
    return (
        f"normalization: {found['characters_a_second']:,} characters a second on one core "
        f"({by_language}){refused if found['refused'] else ''}"
    )
