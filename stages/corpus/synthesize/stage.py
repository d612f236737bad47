"""Speak the embedded corpus: many voices, four languages, the time of every phone known.

Reads   stages/corpus/synthesize/words/<language>.txt: templates and word lists
Writes  audio/<voice>/<language>-<hash>.flac, metadata.csv, phones.jsonl, corpus.json, report.json
Params  synthesize

A sentence belongs to one voice, so that a split by speaker is a split by sentence too. A clip is
kept only where espeak-ng said the very phones its text stands for: it says "iz kuće" with an s,
which no speller writes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import soundfile

from fonoteka.core import params
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_text
from fonoteka.core.run_stage import die_with_parent
from fonoteka.g2p.espeak import speak
from fonoteka.phones import LANGUAGES
from fonoteka.text.normalizer import phones_of
from stages.corpus.synthesize.grammar import read
from stages.corpus.synthesize.lines import Amounts, Line, assign
from stages.corpus.synthesize.voices import VARIANTS, Ranges, Voice, voice_of

WORDS = Path(__file__).with_name("words")


@dataclass(frozen=True)
class SynthesizeParams:
    """Section `synthesize`.

    Attributes:
        seed: another seed is another corpus.
        voices: speakers, 1 to the number of `VARIANTS`.
        sentences: how many of which kind.
        ranges: what a voice's rate and pitch are drawn from.
    """

    seed: str
    voices: int
    sentences: Amounts
    ranges: Ranges

    def __post_init__(self) -> None:
        """Refuse a number of speakers that espeak-ng doesn't have."""
        if not 1 <= self.voices <= len(VARIANTS):
            raise UserError(f"synthesize.voices must be 1 to {len(VARIANTS)}, found {self.voices}")


@dataclass(frozen=True)
class Clip:
    """One spoken line; its fields are the columns of metadata.csv and phones.jsonl."""

    path: str
    text: str
    speaker: str
    language: str
    phones: tuple[str, ...]
    times_s: tuple[tuple[float, float], ...]
    duration_s: float


@dataclass(frozen=True)
class Spoken:
    """What one voice said, and why it left sentences out."""

    clips: tuple[Clip, ...]
    refused: Mapping[str, int]


def run(folder: Path, words: Path, settings: SynthesizeParams, workers: int) -> None:
    """Write the corpus into `folder`, from the word lists in `words`."""
    grammars = {language: read(words / f"{language}.txt") for language in LANGUAGES}
    names = VARIANTS[: settings.voices]
    lines = assign(grammars, names, settings.sentences, settings.seed)
    voices = [voice_of(name, settings.ranges, settings.seed) for name in names]
    with atomic_folder(folder) as part:
        spoken = speak_all(voices, lines, settings.sentences.per_voice, part, workers)
        write_tables(part, spoken)


def speak_all(
    voices: Sequence[Voice],
    lines: Mapping[str, Sequence[Line]],
    wanted: Mapping[str, int],
    folder: Path,
    workers: int,
) -> list[Spoken]:
    """Let every voice speak, each in a process of its own: espeak-ng remembers what it said."""
    speak_one = partial(_in_fresh_process, wanted=wanted, folder=folder)
    spoken = []
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(speak_one, voice, lines[voice.name]) for voice in voices]
        try:
            for number, job in enumerate(jobs, start=1):
                spoken.append(job.result())
                if number % 10 == 0 or number == len(jobs):
                    print(f"synthesize: {number} of {len(jobs)} voices", file=sys.stderr)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return spoken


def speak_lines(
    voice: Voice, lines: Sequence[Line], wanted: Mapping[str, int], folder: Path
) -> Spoken:
    """Speak lines in their order until each language has as many clips as are wanted.

    Raises:
        ValueError: so many lines were refused that a language has too few.
    """
    clips: list[Clip] = []
    refused: Counter[str] = Counter()
    (folder / "audio" / voice.name).mkdir(parents=True)
    for language in LANGUAGES:
        kept = 0
        for line in (line for line in lines if line.language == language):
            if kept == wanted[language]:
                break
            clip = speak_line(voice, line, folder)
            if clip is None:
                refused[f"{language}: spoken otherwise than written"] += 1
                continue
            clips.append(clip)
            kept += 1
        if kept < wanted[language]:
            raise UserError(
                f"synthesize: voice {voice.name!r} has {kept} of {wanted[language]} sentences in "
                f"{language!r}; raise synthesize.sentences.spare"
            )
    return Spoken(tuple(clips), dict(refused))


def speak_line(voice: Voice, line: Line, folder: Path) -> Clip | None:
    """Speak one line into a FLAC file, or return None when the phones aren't those of its text."""
    speech = speak(
        line.text, line.language, voice.name, voice.rate_wpm, voice.pitch, voice.pitch_range
    )
    if speech.phones != phones_of(line.normalized, line.language):
        return None
    digest = hashlib.sha256(line.normalized.encode()).hexdigest()[:12]
    path = f"audio/{voice.name}/{line.language}-{digest}.flac"
    soundfile.write(folder / path, speech.samples, speech.sample_rate_hz, subtype="PCM_16")
    return Clip(
        path, line.text, voice.name, line.language, speech.phones, speech.times_s,
        len(speech.samples) / speech.sample_rate_hz,
    )  # fmt: skip


def write_tables(folder: Path, spoken: Sequence[Spoken]) -> None:
    """Write what is known about the clips beside them."""
    clips = sorted((clip for one in spoken for clip in one.clips), key=lambda clip: clip.path)
    write_text(folder / "metadata.csv", _table(clips))
    write_text(folder / "phones.jsonl", "\n".join(map(_phones_line, clips)))
    licence = (
        f"synthetic: spoken by espeak-ng (espeakng-loader {version('espeakng-loader')}) "
        "from sentences composed for this project"
    )
    about = {"name": "embedded", "licence": licence, "source": "espeak-ng", "synthetic": True}
    write_json(folder / "corpus.json", about)
    write_json(folder / "report.json", report(clips, spoken))


def report(clips: Sequence[Clip], spoken: Sequence[Spoken]) -> dict[str, object]:
    """Return the counts by which the corpus is judged; phones are counted by language."""
    refused: Counter[str] = Counter()
    for one in spoken:
        refused.update(one.refused)
    phones = {language: Counter[str]() for language in LANGUAGES}
    for clip in clips:
        phones[clip.language].update(clip.phones)
    return {
        "clips": len(clips),
        "phones": {language: dict(counts) for language, counts in phones.items()},
        "refused": dict(refused),
        "seconds": round(sum(clip.duration_s for clip in clips), 1),
        "voices": len(spoken),
    }


def _in_fresh_process(
    voice: Voice, lines: Sequence[Line], wanted: Mapping[str, int], folder: Path
) -> Spoken:
    """Speak one voice in a process that has spoken nothing before.

    Spawned, not forked: nothing of the caller's espeak-ng comes along, and no fork server outlives
    a killed stage. Unlike a pool that replaces its workers, an executor of one notices when its
    process is killed.
    """
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context, die_with_parent, (os.getpid(),)) as one:
        return one.submit(speak_lines, voice, lines, wanted, folder).result()


def _table(clips: Sequence[Clip]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "text", "speaker", "language"))
    writer.writerows((clip.path, clip.text, clip.speaker, clip.language) for clip in clips)
    return text.getvalue()


def _phones_line(clip: Clip) -> str:
    record = {"path": clip.path, "phones": clip.phones, "times_s": clip.times_s}
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def main() -> None:
    """Read the command line and params.yaml."""
    parser = argparse.ArgumentParser(description="Speak the embedded corpus.")
    parser.add_argument("folder", type=Path, help="folder to write, such as data/raw/embedded")
    arguments = parser.parse_args()
    run(
        arguments.folder,
        WORDS,
        params.load("synthesize", SynthesizeParams),
        worker_count(),
    )
