"""Write one page on a run: its worst clips, differences, error rates, curves and corpus.

Reads   data/splits, data/corpus/accepted.csv, data/audio, data/posteriors/<name>, data/words,
        reports/metrics, reports/comparison.json, reports/words, reports/corpus.json, reports/curves
Writes  reports/dashboard/index.html, without audio, which is in git;
        data/dashboards/index.html, the same page with the audio of the worst clips, which is not
Params  dashboard, privacy

Nothing is recognised here: posteriors and texts are decoded by earlier stages. Their errors are
counted again for single clips and compared with the reports, so that clips and numbers of two
builds cannot be on one page.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_text
from fonoteka.core.params import load
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS
from fonoteka.manifest import PARTS
from fonoteka.pseudonyms import PrivacyParams, pseudonyms_of
from fonoteka.reporting.dashboard.clip_audio import AudioLimits, page_audio
from fonoteka.reporting.dashboard.clips import Privacy
from fonoteka.reporting.dashboard.corpus_part import Splits
from fonoteka.reporting.dashboard.document import DashboardInputs, DocumentParams, document_of
from fonoteka.reporting.dashboard.group_rates import Draws
from fonoteka.reporting.dashboard.page.render import render
from fonoteka.tables import read_table

MEASURES = ("snr_db", "level_dbfs")
NO_AUDIO = "This file has no audio; data/dashboards/index.html has the same page with audio."


@dataclass(frozen=True)
class DashboardParams:
    """Section `dashboard`.

    Attributes:
        title: of the page.
        models: recognisers of phones that are shown.
        licences: whole, `*` for any text; texts and audio of clips under others are not shown.
        audio_clips: worst clips of each model whose audio is in data/dashboards.
        audio_bytes: of all audio, before base64.
        clip_bytes: of the audio of one clip.
        word_lengths: longest utterance of each bin but the last, in words.
        histogram_bins: at most so many.
        resamples: draws of the speakers for an interval that no report has.
        seed: of the draws.
        digits: decimals of a rate that no report has.
    """

    title: str
    models: tuple[str, ...]
    licences: tuple[str, ...]
    audio_clips: int
    audio_bytes: int
    clip_bytes: int
    word_lengths: tuple[int, ...]
    histogram_bins: int
    resamples: int
    seed: int
    digits: int

    def __post_init__(self) -> None:
        if not self.models or len(set(self.models)) < len(self.models):
            raise UserError(
                f"dashboard.models must name at least one model, each once, got {[*self.models]}; "
                "change it in params.yaml"
            )
        lengths = [*self.word_lengths]
        if not lengths or lengths != sorted({n for n in lengths if n > 0}):
            raise UserError(
                f"dashboard.word_lengths must rise from above 0, got {lengths}; change it in "
                "params.yaml"
            )
        for name in ("audio_clips", "audio_bytes", "clip_bytes", "digits"):
            if (value := getattr(self, name)) < 0:
                raise UserError(f"dashboard.{name} must be at least 0, got {value}")
        for name in ("histogram_bins", "resamples"):
            if (value := getattr(self, name)) < 1:
                raise UserError(f"dashboard.{name} must be at least 1, got {value}")

    @property
    def document(self) -> DocumentParams:
        """The parameters of the document."""
        return DocumentParams(
            self.title, self.models, self.word_lengths, self.histogram_bins,
            Draws(self.resamples, self.seed, self.digits),
        )  # fmt: skip

    @property
    def audio(self) -> AudioLimits:
        """The limits of the audio."""
        return AudioLimits(self.audio_clips, self.audio_bytes, self.clip_bytes)


def read_splits(folder: Path) -> Splits:
    """Return the utterances of train, valid and test."""
    return {part: manifest.read(folder / f"{part}.jsonl") for part in PARTS}


def read_measures(accepted: Path, splits: Splits) -> dict[str, dict[str, float]]:
    """Return the finite measures of the recordings of the splits, by id; some can be missing.

    Raises:
        UserError: a cell is not a number.
    """
    ids = {u.id for rows in splits.values() for u in rows}
    measures: dict[str, dict[str, float]] = {name: {} for name in MEASURES}
    for row in read_table(accepted, ACCEPTED_COLUMNS):
        if row["id"] not in ids:
            continue
        for name, values in measures.items():
            try:
                value = float(row[name] or math.nan)
            except ValueError as error:
                raise UserError(
                    f"{accepted}: {name} of {row['id']!r} is {row[name]!r}, not a number; run the "
                    "stage inventory"
                ) from error
            if math.isfinite(value):
                values[row["id"]] = value
    return measures


def privacy_of(splits: Splits, folder: Path, licences: tuple[str, ...], name: bool) -> Privacy:
    """Return what the page may show; people get pseudonyms unless `name` is true."""
    people = {u.speaker for u in splits["test"] if not u.synthetic}
    names = {} if name else pseudonyms_of(people, folder / "speakers.csv")
    return Privacy(name, names, licences)


def run(
    inputs: DashboardInputs, audio: Path, page: Path, folder: Path, params: DashboardParams,
    privacy: Privacy,
) -> None:  # fmt: skip
    """Write the page without audio, and the folder with the page that has it."""
    document, clips, errors = document_of(inputs, params.document, privacy)
    sounds = page_audio(clips, errors, audio, params.audio)
    columns = document["clips"]
    document["clips"] = columns | {"audio_note": NO_AUDIO}
    write_text(page, render(document))
    document["clips"] = columns | {"audio": sounds.urls, "audio_note": sounds.note}
    with atomic_folder(folder) as part:
        write_text(part / page.name, render(document))
    withheld = len(columns["withheld"])
    print(
        f"dashboard: {len(clips)} clips, {len(errors)} models, texts of {withheld} clips withheld, "
        f"{sounds.bytes / 1e6:.1f} MB of audio. {sounds.note}"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="the page without audio")
    parser.add_argument("folder", type=Path, help="of the page with audio")
    for name in ("splits", "accepted", "audio", "posteriors", "metrics", "comparison", "corpus",
                 "curves"):  # fmt: skip
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--words", type=Path, help="report of a fine-tuned Whisper")
    parser.add_argument("--texts", type=Path, help="texts that it decoded, JSON lines")
    args = parser.parse_args()
    params = load("dashboard", DashboardParams)
    name_people = load("privacy", PrivacyParams).name_people
    splits = read_splits(args.splits)
    inputs = DashboardInputs(
        splits, read_measures(args.accepted, splits), args.posteriors, args.texts, args.metrics,
        args.comparison, args.words, args.corpus, args.curves,
    )  # fmt: skip
    privacy = privacy_of(splits, args.splits, params.licences, name_people)
    run(inputs, args.audio, args.page, args.folder, params, privacy)
