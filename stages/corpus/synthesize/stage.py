"""Synthesise the embedded corpus: many voices, four languages, with the time of every phone.

Reads   stages/corpus/synthesize/words/<language>.txt: templates and word lists
Writes  audio/<voice>/<language>-<hash>.flac, metadata.csv, phones.jsonl, corpus.json, report.json
Params  synthesize

A sentence belongs to one voice, so that a split by speaker is a split by sentence too. A clip is
used only if espeak-ng spoke exactly the phones of its text. For example, it speaks "iz kuće" with
an s, which the text rules do not predict.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
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
from typing import Any

import soundfile

from fonoteka.core import params
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_json_lines, write_text
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
        seed: another seed gives another corpus.
        voices: speakers, 1 to the number of `VARIANTS`.
        sentences: numbers and kinds.
        ranges: from which rate and pitch of a voice are drawn.
    """

    seed: str
    voices: int
    sentences: Amounts
    ranges: Ranges

    def __post_init__(self) -> None:
        """Raise for a number of speakers that espeak-ng does not have."""
        if not 1 <= self.voices <= len(VARIANTS):
            raise UserError(f"synthesize.voices must be 1 to {len(VARIANTS)}, found {self.voices}")


@dataclass(frozen=True)
class SyntheticClip:
    """One spoken line; its fields are the columns of metadata.csv and phones.jsonl."""

    path: str
    text: str
    speaker: str
    language: str
    phones: tuple[str, ...]
    times_s: tuple[tuple[float, float], ...]
    duration_s: float


@dataclass(frozen=True)
class VoiceClips:
    """The clips of one voice, and the number of refused sentences by reason."""

    clips: tuple[SyntheticClip, ...]
    refused: Mapping[str, int]


def run(folder: Path, words: Path, settings: SynthesizeParams, workers: int) -> None:
    """Write the corpus into `folder`, from the word lists in `words`."""
    grammars = {language: read(words / f"{language}.txt") for language in LANGUAGES}
    names = VARIANTS[: settings.voices]
    lines = assign(grammars, names, settings.sentences, settings.seed)
    voices = [voice_of(name, settings.ranges, settings.seed) for name in names]
    with atomic_folder(folder) as part:
        voice_clips = speak_all(voices, lines, settings.sentences.per_voice, part, workers)
        write_tables(part, voice_clips)


def speak_all(
    voices: Sequence[Voice],
    lines: Mapping[str, Sequence[Line]],
    wanted: Mapping[str, int],
    folder: Path,
    workers: int,
) -> list[VoiceClips]:
    """Synthesise every voice in a process of its own, because espeak-ng keeps state."""
    speak_voice = partial(_in_fresh_process, wanted=wanted, folder=folder)
    voice_clips = []
    # Threads wait for the processes; results are read in the order of the voices, so the tables do
    # not depend on which of them ends first.
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(speak_voice, voice, lines[voice.name]) for voice in voices]
        try:
            for number, job in enumerate(jobs, start=1):
                voice_clips.append(job.result())
                if number % 10 == 0 or number == len(jobs):
                    print(f"synthesize: {number} of {len(jobs)} voices", file=sys.stderr)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return voice_clips


def speak_lines(
    voice: Voice, lines: Sequence[Line], wanted: Mapping[str, int], folder: Path
) -> VoiceClips:
    """Speak lines in their order until each language has the wanted number of clips.

    Raises:
        UserError: so many lines were refused that a language has too few.
    """
    clips: list[SyntheticClip] = []
    refused: Counter[str] = Counter()
    (folder / "audio" / voice.name).mkdir(parents=True)
    for language in LANGUAGES:
        count = 0
        for line in (line for line in lines if line.language == language):
            if count == wanted[language]:
                break
            clip = speak_line(voice, line, folder)
            if clip is None:  # its place is taken by one of the voice's spare lines
                refused[f"{language}: spoken otherwise than written"] += 1
                continue
            clips.append(clip)
            count += 1
        if count < wanted[language]:
            raise UserError(
                f"synthesize: voice {voice.name!r} has {count} of {wanted[language]} sentences in "
                f"{language!r}; raise synthesize.sentences.spare"
            )
    return VoiceClips(tuple(clips), dict(refused))


def speak_line(voice: Voice, line: Line, folder: Path) -> SyntheticClip | None:
    """Speak one line into a FLAC file; return None if the phones are not those of its text."""
    speech = speak(
        line.text, line.language, voice.name, voice.rate_wpm, voice.pitch, voice.pitch_range
    )
    # espeak-ng reads some words by rules of their own; times of other phones would be wrong labels.
    if speech.phones != phones_of(line.normalized, line.language):
        return None
    # Named by its text, so that another number of sentences renames no clip.
    digest = hashlib.sha256(line.normalized.encode()).hexdigest()[:12]
    path = f"audio/{voice.name}/{line.language}-{digest}.flac"
    soundfile.write(folder / path, speech.samples, speech.sample_rate_hz, subtype="PCM_16")
    return SyntheticClip(
        path, line.text, voice.name, line.language, speech.phones, speech.times_s,
        len(speech.samples) / speech.sample_rate_hz,
    )  # fmt: skip


def write_tables(folder: Path, voice_clips: Sequence[VoiceClips]) -> None:
    """Write the tables, the card and the report of the clips."""
    clips = sorted(
        (clip for voice in voice_clips for clip in voice.clips), key=lambda clip: clip.path
    )
    write_text(folder / "metadata.csv", _table(clips))
    write_json_lines(folder / "phones.jsonl", map(_phone_times, clips))
    licence = (
        f"synthetic: spoken by espeak-ng (espeakng-loader {version('espeakng-loader')}) "
        "from sentences composed for this project"
    )
    card = {"name": "embedded", "licence": licence, "source": "espeak-ng", "synthetic": True}
    write_json(folder / "corpus.json", card)
    write_json(folder / "report.json", report(clips, voice_clips))


def report(clips: Sequence[SyntheticClip], voice_clips: Sequence[VoiceClips]) -> dict[str, object]:
    """Return the counts of the corpus, those of phones by language."""
    refused: Counter[str] = Counter()
    for voice in voice_clips:
        refused.update(voice.refused)
    phones = {language: Counter[str]() for language in LANGUAGES}
    for clip in clips:
        phones[clip.language].update(clip.phones)
    return {
        "clips": len(clips),
        "phones": {language: dict(counter) for language, counter in phones.items()},
        "refused": dict(refused),
        "seconds": round(sum(clip.duration_s for clip in clips), 1),
        "voices": len(voice_clips),
    }


def _in_fresh_process(
    voice: Voice, lines: Sequence[Line], wanted: Mapping[str, int], folder: Path
) -> VoiceClips:
    """Speak one voice in a new process.

    The process is spawned and not forked, so it has no state of the caller's espeak-ng, and no fork
    server outlives a killed stage. An executor with one worker raises if its process is killed,
    unlike a pool that replaces its workers.
    """
    context = get_context("spawn")
    with ProcessPoolExecutor(1, context, die_with_parent, (os.getpid(),)) as executor:
        return executor.submit(speak_lines, voice, lines, wanted, folder).result()


def _table(clips: Sequence[SyntheticClip]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "text", "speaker", "language"))
    writer.writerows((clip.path, clip.text, clip.speaker, clip.language) for clip in clips)
    return text.getvalue()


def _phone_times(clip: SyntheticClip) -> dict[str, Any]:
    return {"path": clip.path, "phones": clip.phones, "times_s": clip.times_s}


def main() -> None:
    """Read the command line and params.yaml."""
    parser = argparse.ArgumentParser(description="Speak the embedded corpus.")
    parser.add_argument("folder", type=Path, help="folder to write, such as data/raw/embedded")
    args = parser.parse_args()
    run(
        args.folder,
        WORDS,
        params.load("synthesize", SynthesizeParams),
        worker_count(),
    )
