"""Write a queue of the recordings to transcribe next, as tasks for Label Studio.

    python -m fonoteka select --hours 2 [--corpus radio] [--per-language sr=1] [--per-speaker 0.2]

Reads   data/raw, a packaged phone recogniser, a Whisper model for the texts, the validation split
        in data/splits and data/audio if it exists, and the ledger
Writes  data/selection/queue-001.json, and the ledger data/selection/ledger.csv

The queue is written before the ledger: a run that is killed between the two repeats the same choice
and finds the same file. The other order would lose the clips of the queue for ever.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.git import entered
from fonoteka.recording_blocks import signal_blocks
from fonoteka.selection.choose import PoolCandidate, Quotas, choose
from fonoteka.selection.label_studio import AUDIO, CLIP, DIGEST, task
from fonoteka.selection.ledger import LEDGER, QueuedClip, locked, read_ledger, write_ledger
from fonoteka.selection.pool import RAW, Pool, PoolClip, read_pool
from fonoteka.selection.predict import DecodedRecording, PhonePredictor

AUDIO_URL = "/data/local-files/?d=raw/"
"""What Label Studio serves files of the folder data by, see docs/active-learning.md."""

SHOWN = 3  # problems that are printed whole


@dataclass(frozen=True)
class SelectOptions:
    """The options of a selection.

    Attributes:
        limits: of seconds.
        corpora: names; all if empty.
        strategy: one of `fonoteka.selection.choose.STRATEGIES`.
        model: name or folder of a packaged phone recogniser.
        words: name or folder of a Whisper model, empty for the default one; None to show phones.
        queue: the file to write; None for the next number in data/selection.
        audio_url: prefix of a recording's `corpus/path`.
        seed: of the strategy `random`.
    """

    limits: Quotas
    corpora: Sequence[str] = ()
    strategy: str = "both"
    model: str = "ensemble"
    words: str | None = ""
    queue: Path | None = None
    audio_url: str = AUDIO_URL
    seed: int = 0


def run(options: SelectOptions) -> None:
    """Choose recordings at the top of the project, and write their queue.

    Raises:
        UserError: a corpus, a model or the ledger cannot be used, no recording is left, or the
            queue's file exists with other tasks.
    """
    with entered(), locked(LEDGER):
        ledger = read_ledger(LEDGER)
        pool = read_pool(RAW, options.corpora)
        out = options.queue or next_queue(LEDGER.parent, ledger)
        predictor = PhonePredictor(options.model)
        predictor.calibrate()
        decoded, problems = predictor.predict(pool.clips)
        silent = {key for key, recording in decoded.items() if not recording.phones}
        picks = _picks(pool, decoded, silent, ledger, predictor, options)
        _print_pool(pool, ledger, problems, silent, predictor)
        if not picks:
            raise UserError(
                f"no recording is left that fits the hours and quotas; "
                f"{sum(clip.id in ledger for clip in pool.clips)} of {len(pool.clips)} were queued "
                "before"
            )
        # Whisper, the slower of the two models, decodes only what was chosen.
        texts = _texts(picks, decoded, options.words)
        _write_queue(out, _tasks(picks, decoded, predictor, texts, options))
        rows = [_row(clip, decoded[clip.id], out, predictor, options) for clip in picks]
        write_ledger(LEDGER, [*ledger.values(), *rows])
        _print_choice(picks, decoded, out, options)


def next_queue(folder: Path, ledger: Mapping[str, QueuedClip]) -> Path:
    """Return the file of the next queue.

    >>> next_queue(Path("data/selection"), {}).as_posix()
    'data/selection/queue-001.json'
    """
    return folder / f"queue-{len({row.queue for row in ledger.values()}) + 1:03d}.json"


def _picks(
    pool: Pool, decoded: Mapping[str, DecodedRecording], silent: set[str],
    ledger: Mapping[str, QueuedClip], predictor: PhonePredictor, options: SelectOptions,
) -> list[PoolClip]:  # fmt: skip
    """Return the chosen clips; those that were queued before count as covered."""
    usable = [clip for clip in pool.clips if clip.id in decoded and clip.id not in silent]
    existing = [decoded[clip.id].profile for clip in usable if clip.id in ledger]
    fresh = [clip for clip in usable if clip.id not in ledger]
    candidates = [
        PoolCandidate(
            clip.id, decoded[clip.id].seconds, clip.speaker, clip.language,
            predictor.uncertainty(decoded[clip.id]),
        )
        for clip in fresh
    ]  # fmt: skip
    vectors = np.array([decoded[clip.id].profile for clip in fresh])
    chosen = choose(
        candidates, vectors, options.limits, options.strategy, np.array(existing), options.seed
    )
    return [fresh[index] for index in chosen]


def _texts(
    picks: Sequence[PoolClip], decoded: Mapping[str, DecodedRecording], words: str | None
) -> dict[str, str]:
    """Return the text of each clip that the annotator corrects."""
    if words is None:
        return {clip.id: " ".join(decoded[clip.id].phones) for clip in picks}
    # Imported here: a queue with phones needs no Whisper.
    from fonoteka.transcribe_words import AUTO, Options, Transcriber
    from fonoteka.whisper.model_folder import words_folder

    transcriber = Transcriber(words_folder(words or None))
    texts = {}
    for clip in picks:
        options = Options(clip.language or AUTO)
        lines = transcriber.lines(signal_blocks(clip.file), options, clip.path)
        texts[clip.id] = " ".join(line.text for line in lines)
    return texts


def _tasks(
    picks: Sequence[PoolClip], decoded: Mapping[str, DecodedRecording], predictor: PhonePredictor,
    texts: Mapping[str, str], options: SelectOptions,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the tasks; they have no name of a speaker, which the annotator need not know."""
    name = predictor.model.name if options.words is None else options.words or "whisper"
    tasks = []
    for clip in picks:
        uncertainty = predictor.uncertainty(decoded[clip.id])
        data = {
            AUDIO: options.audio_url + quote(f"{clip.corpus}/{clip.path}"),
            CLIP: clip.id, DIGEST: decoded[clip.id].sha256, "language": clip.language,
            "seconds": round(decoded[clip.id].seconds, 2), "uncertainty": round(uncertainty, 4),
        }  # fmt: skip
        tasks.append(task(data, texts[clip.id], name, 1 - uncertainty))
    return tasks


def _write_queue(path: Path, tasks: Sequence[Mapping[str, Any]]) -> None:
    text = json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=2)
    if path.is_file() and path.read_text(encoding="utf-8") != f"{text}\n":
        raise UserError(f"{path}: exists with other tasks; name another --queue or remove it")
    write_text(path, text)


def _row(
    clip: PoolClip,
    recording: DecodedRecording,
    out: Path,
    predictor: PhonePredictor,
    options: SelectOptions,
) -> QueuedClip:
    return QueuedClip(
        clip.id, clip.corpus, clip.path, recording.sha256, f"{recording.seconds:.3f}", out.name,
        predictor.model.name, options.strategy, f"{predictor.uncertainty(recording):.4f}",
    )  # fmt: skip


def _print_pool(
    pool: Pool, ledger: Mapping[str, QueuedClip], problems: Mapping[str, str], silent: set[str],
    predictor: PhonePredictor,
) -> None:  # fmt: skip
    before = sum(clip.id in ledger for clip in pool.clips)
    others = "".join(f", {count} {reason}" for reason, count in sorted(pool.others.items()))
    print(f"pool       {len(pool.clips)} without a transcript, {before} of them queued{others}")
    if silent:
        print(f"left out   {len(silent)} in which the model decodes no phone")
    for number, problem in enumerate(sorted(problems.values())):
        if number == SHOWN:
            print(f"left out   {len(problems) - SHOWN} more that cannot be read")
            break
        print(f"left out   {problem}")
    print(f"calibrated by {predictor.calibrated_by}")


def _print_choice(
    picks: Sequence[PoolClip],
    decoded: Mapping[str, DecodedRecording],
    out: Path,
    options: SelectOptions,
) -> None:
    by_language: Counter[str] = Counter()
    for clip in picks:
        by_language[clip.language or "unknown"] += round(1000 * decoded[clip.id].seconds)
    shares = ", ".join(f"{code} {ms / 1000:.1f} s" for code, ms in sorted(by_language.items()))
    seconds = math.fsum(decoded[clip.id].seconds for clip in picks)
    speakers = len({clip.speaker for clip in picks})
    print(
        f"chosen     {len(picks)} recordings of {speakers} speakers by {options.strategy}: "
        f"{seconds:.1f} s of {options.limits.total_s:.1f} s ({shares})\n"
        f"queue      {out}"
    )
