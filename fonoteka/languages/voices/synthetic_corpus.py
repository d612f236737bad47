"""A small corpus of synthetic speech in a described language, in the folder format of a corpus.

Writes  audio/<variant>/<hash>.flac, metadata.csv, phones.jsonl, corpus.json, report.json

As in the embedded corpus, a sentence belongs to one voice, and a clip is used only if espeak-ng
spoke exactly the phones that the tables give for its text. The others are counted.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random

import soundfile

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_json_lines
from fonoteka.corpus.corpus import CARD, PHONES, TABLE, TABLE_COLUMNS, check_corpus_name
from fonoteka.languages.canonical_text import canonical
from fonoteka.languages.description import LanguageDescription
from fonoteka.languages.voices.espeak_voice import VoiceSpeech, say
from fonoteka.languages.voices.voice_check import phones_of_description
from fonoteka.tables import Row, write_table

TRIES = 200  # draws for one new sentence; a list of 10 words gives one in the first few
REPORT = "report.json"
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class CorpusSize:
    """How much is spoken.

    Attributes:
        variants: voice variants of espeak-ng; each is a speaker.
        per_voice: clips of each.
        seed: another seed gives other sentences.
    """

    variants: tuple[str, ...]
    per_voice: int
    seed: str = "1"

    def __post_init__(self) -> None:
        """Raise if nothing would be spoken, or a speaker twice."""
        if self.per_voice < 1 or not self.variants:
            raise UserError("expected one clip or more of one voice or more")
        if len({*self.variants}) < len(self.variants):
            raise UserError(f"a voice is named twice in {', '.join(self.variants)}")


def sentences(description: LanguageDescription, random: Random, used: set[str]) -> Iterator[str]:
    """Yield sentences whose canonical text is not in `used`, and add it there.

    Raises:
        UserError: the templates have no new sentence, or name a list that does not exist.
    """
    lists = {name: words.split() for name, words in description.words.items()}

    def fill(slot: re.Match[str]) -> str:
        if not lists.get(slot[1]):
            raise UserError(f"templates: words has no list {slot[1]!r}; add it")
        return random.choice(lists[slot[1]]).replace("_", " ")

    if not description.templates:
        raise UserError("templates: the list is empty; add a sentence with its lists of words")
    while True:
        for _ in range(TRIES):
            text = _SLOT.sub(fill, random.choice(description.templates))
            if (normalized := canonical(text, description)) not in used:
                break
        else:
            raise UserError(
                f"templates: {TRIES} draws gave no new sentence; add words or templates"
            )
        used.add(normalized)
        yield text[0].upper() + text[1:]


def write_corpus(folder: Path, description: LanguageDescription, size: CorpusSize) -> Counter[str]:
    """Write a corpus into a new folder, and return the counts of clips and of refused sentences.

    Raises:
        UserError: the folder exists, or too few sentences are spoken as they are written.
    """
    check_corpus_name(folder.name, str(folder))
    if folder.exists():
        raise UserError(f"{folder}: exists already; name a new folder")
    phones = phones_of_description(description)
    rows: list[Row] = []
    times: list[dict[str, object]] = []
    counts: Counter[str] = Counter()
    used: set[str] = set()
    with atomic_folder(folder) as part:
        for variant in size.variants:
            random = Random(f"{size.seed}/{variant}")  # noqa: S311 (sentences, not secrets)
            texts = sentences(description, random, used)
            spoken = 0
            # A quarter is refused in Macedonian; twenty times as many is a wrong table.
            for text in (next(texts) for _ in range(20 * size.per_voice)):
                speech = say(text, description, variant, rate_wpm=random.randint(140, 190))
                if speech.phones != phones(canonical(text, description)):
                    counts["spoken otherwise than written"] += 1
                    continue
                path = _write_clip(part, variant, text, speech)
                rows.append(
                    {"path": path, "text": text, "speaker": variant, "language": description.code}
                )
                times.append({"path": path, "phones": speech.phones, "times_s": speech.times_s})
                counts["clips"] += 1
                spoken += 1
                if spoken == size.per_voice:
                    break
            else:
                raise UserError(
                    f"{description.code}: voice {variant!r} spoke {spoken} of {size.per_voice} "
                    "sentences as they are written; correct `espeak`, or use other words"
                )
        _write_tables(part, folder.name, description, rows, times, counts)
    return counts


def _write_clip(folder: Path, variant: str, text: str, speech: VoiceSpeech) -> str:
    path = f"audio/{variant}/{hashlib.sha256(text.encode()).hexdigest()[:12]}.flac"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / path, speech.samples, speech.sample_rate_hz, subtype="PCM_16")
    return path


def _write_tables(
    folder: Path, name: str, description: LanguageDescription, rows: Sequence[Row],
    times: Sequence[dict[str, object]], counts: Counter[str],
) -> None:  # fmt: skip
    order = sorted(range(len(rows)), key=lambda index: rows[index]["path"])
    write_table(folder / TABLE, TABLE_COLUMNS, [rows[index] for index in order])
    write_json_lines(folder / PHONES, [times[index] for index in order])
    write_json(
        folder / CARD,
        {
            "name": name,
            "licence": f"synthetic: spoken by espeak-ng (espeakng-loader "
            f"{version('espeakng-loader')}) from sentences composed for this project",
            "source": "espeak-ng",
            "synthetic": True,
        },
    )
    write_json(folder / REPORT, {"language": description.code, "counts": dict(counts)})
