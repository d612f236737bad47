"""Write transcripts of recordings that have none, with Whisper, and keep those it is confident of.

    python -m fonoteka corpus transcribe ~/recordings ~/transcribed --language en

Reads   a folder with audio and one table that has a column for the path
Writes  the new folder: the kept recordings, `labels.csv` with the table's columns, `text` and
        `log_prob`, and `left_out.txt` with the reason of each recording that was not kept

The new folder can be added like any other: `python -m fonoteka corpus add ~/transcribed ...`. Its
texts are those of a model: a score against them states how well two models agree.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder
from fonoteka.tables import Row, read_table, write_table
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError
from fonoteka.transcribe import load_recording
from fonoteka.whisper.decode import Recognised, recognise
from fonoteka.whisper.model_folder import OpenedWhisper, open_model_folder
from fonoteka.whisper.rules import WINDOW_S

LABELS, NEW = "labels.csv", ("text", "log_prob")
LEFT_OUT = "left_out.txt"  # a table too, but an importer would read each .csv of the folder
DELIMITERS: Mapping[str, str] = {".tsv": "\t", ".csv": ","}
BATCH = 8  # clips that are decoded side by side; more need more memory and are hardly faster


@dataclass(frozen=True)
class Verdict:
    """The transcript of one recording.

    Attributes:
        text: as Whisper wrote it; empty if the recording is left out before it is decoded.
        log_prob: mean log probability of its tokens.
        reason: why the recording is left out; empty if it is kept.
    """

    text: str
    log_prob: float
    reason: str


MIN_LETTERS_PER_S = 3.0
"""Of 246 clips of LibriSpeech, 8 have fewer than 2, and their texts are chapter titles; the next
has 4.2, the median 13."""


def rows_in(folder: Path, columns: Sequence[str]) -> tuple[Path, list[Row]]:
    """Return the one table of a folder, and its rows.

    Raises:
        UserError: the folder does not have exactly one table, or the table has no row or lacks one
            of the columns.
    """
    tables = sorted(p for p in folder.iterdir() if p.suffix in DELIMITERS)
    if len(tables) != 1:
        raise UserError(f"{folder}: {len(tables)} tables (.tsv, .csv); expected exactly one")
    (table,) = tables
    rows = read_table(table, columns, DELIMITERS[table.suffix])
    if not rows:
        raise UserError(f"{table}: no row")
    return table, rows


def table_of(folder: Path, path_column: str) -> list[Row]:
    """Return the rows of the one table of a folder, to which columns of a transcript are added.

    Raises:
        UserError: as `rows_in`, or the table has one of those columns already.
    """
    table, rows = rows_in(folder, [path_column])
    if used := sorted(set(NEW) & set(rows[0])):
        raise UserError(f"{table}: it has a column {used[0]!r} already; rename it")
    return rows


def verdict_of(result: Recognised, language: str, min_log_prob: float, seconds: float) -> Verdict:
    """Return whether the transcript of a recording of `seconds` is kept.

    A loop repeats a phrase; a text that the normalizer refuses has no phones; Whisper likes to stop
    after the title of a chapter.
    """
    reason = ""
    if result.loops:
        reason = "the text is a loop"
    elif not result.text:
        reason = "no text"
    elif result.log_prob < min_log_prob:
        reason = f"log probability below {min_log_prob}: {result.log_prob:.2f}"
    elif (letters := sum(map(str.isalpha, result.text))) < MIN_LETTERS_PER_S * seconds:
        reason = f"too few letters per second: {letters} in {seconds:.1f} s"
    else:
        try:
            normalize(result.text, language)
        except SpellingError as error:
            reason = f"no spelling: {error}"
    return Verdict(result.text, result.log_prob, reason)


def verdicts(
    whisper: OpenedWhisper, paths: Sequence[Path], language: str, min_log_prob: float
) -> Iterator[Verdict]:
    """Yield the transcript of each recording, in order.

    The released weights do not stop on short inputs, so they get every clip padded to 30 s; a
    fine-tuned model gets the length that it was trained on, which takes a fifth of the time.

    A recording that cannot be read or is longer than 30 s is left out with that reason.
    """
    for start in range(0, len(paths), BATCH):
        read = [_readable(path) for path in paths[start : start + BATCH]]
        signals = [signal for signal in read if not isinstance(signal, str)]
        languages = [language] * len(signals)
        results = iter(recognise(whisper.model, signals, languages, short=whisper.short))
        for signal in read:
            if isinstance(signal, str):
                yield Verdict("", 0.0, signal)
            else:
                seconds = len(signal) / SAMPLE_RATE_HZ
                yield verdict_of(next(results), language, min_log_prob, seconds)


def _readable(path: Path) -> Signal | str:
    """Return a recording, or the reason why it has none."""
    try:
        signal = load_recording(path)
    except UserError as error:
        return f"not readable: {error}"
    seconds = len(signal) / SAMPLE_RATE_HZ
    return signal if seconds <= WINDOW_S else f"longer than {WINDOW_S:.0f} s: {seconds:.1f} s"


def run(
    folder: Path, out: Path, model: Path, language: str, path_column: str, min_log_prob: float
) -> None:
    """Transcribe the recordings of a folder into a new folder, and print the counts.

    Raises:
        UserError: the folder has no usable table, the new folder exists, the model does not know
            the language, or no recording is kept.
    """
    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder")
    rows = table_of(folder, path_column)
    whisper = open_model_folder(model)
    whisper.model.rules.prompt(language)  # refuses an unknown language before a recording is read
    paths = [folder / row[path_column] for row in rows]
    retained: list[Row] = []
    left_out: list[Row] = []
    for number, (row, verdict) in enumerate(
        zip(rows, verdicts(whisper, paths, language, min_log_prob), strict=True), start=1
    ):
        whole = row | {"text": verdict.text, "log_prob": f"{verdict.log_prob:.3f}"}
        if verdict.reason:
            left_out.append(whole | {"reason": verdict.reason})
        else:
            retained.append(whole)
        if number % 40 == 0:
            print(f"recording {number} of {len(rows)}", flush=True)
    if not retained:
        raise UserError(f"{folder}: none of {len(rows)} recordings is kept: {_counted(left_out)}")
    columns = [*rows[0], *NEW]
    with atomic_folder(out) as part:
        for row in retained:
            target = part / row[path_column]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / row[path_column], target)
        write_table(part / LABELS, columns, retained)
        write_table(part / LEFT_OUT, [*columns, "reason"], left_out)
    print(
        f"transcribe: {len(retained)} kept, {len(left_out)} left out: "
        f"{_counted(left_out) or 'none'}"
    )


def _counted(left_out: Sequence[Row]) -> str:
    """Return the reasons with their counts; what follows a colon is of one recording."""
    counts = Counter(row["reason"].partition(":")[0] for row in left_out)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
