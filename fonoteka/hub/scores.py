"""The scores of a model as a hub lists them, read from the reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.hub.model_package import REALTIME, STREAM, WHISPER, VerifiedPackage

RECOGNITION = ("automatic-speech-recognition", "Automatic Speech Recognition")
CLASSIFICATION = ("audio-classification", "Audio Classification")
"""Task and its name in the index of a card."""

_PHONE_TITLES = {
    "per": "phone error rate (PER)",
    "segment_accuracy": "segment accuracy",
    "ece": "expected calibration error (ECE)",
}
_WORD_TITLES = {
    ("wer", "canonical"): "word error rate (WER), canonical",
    ("wer", "as_written"): "word error rate (WER), as written",
    ("cer", "canonical"): "character error rate (CER), canonical",
}
_EVENT_TITLES = {"f1": "F1", "accuracy": "accuracy"}
_POLICY = "exact"  # of the packaged streaming recogniser
_AGREES = "run dvc repro, so that the report and the package are of one build"


@dataclass(frozen=True)
class HubScore:
    """A number of a report.

    Attributes:
        metric: its short name, as `wer`.
        title: its name for readers.
        value: a share, as the report has it.
        low, high: its 95 % interval, a bootstrap over speakers; None if it was not computed.
        language: of the clips; empty for all languages.
    """

    metric: str
    title: str
    value: float
    low: float | None
    high: float | None
    language: str = ""


@dataclass(frozen=True)
class HubScores:
    """All scores of a model.

    Attributes:
        report: the file that contains them, relative to the project.
        task: `RECOGNITION` or `CLASSIFICATION`.
        tested_on: speakers and the amount of speech of the test split.
        scores: in the order of the card.
        languages: of the test split, if only the report states them.
    """

    report: str
    task: tuple[str, str]
    tested_on: str
    scores: tuple[HubScore, ...]
    languages: tuple[str, ...] = ()


def read_scores(model: VerifiedPackage, reports: Path) -> HubScores:
    """Return the scores of a model.

    Raises:
        UserError: the report is missing or lacks a number, or its main number is not that of the
            package.
    """
    readers = {WHISPER: _word_scores, STREAM: _stream_scores, REALTIME: _causal_scores}
    try:
        return readers.get(model.kind, _phone_scores)(model, reports)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(
            f"{model.name}: its report in {reports} or its package.json lacks a number "
            f"({type(error).__name__}: {error}); {_AGREES}"
        ) from error


def _phone_scores(model: VerifiedPackage, reports: Path) -> HubScores:
    name = f"metrics/{model.name}.json"
    report = _read(reports / name)
    _require_equal(reports / name, report["per"], model.package["metrics"]["per"]["value"])
    parts = {"": report, **report["languages"]}
    scores = [
        HubScore(key, title, part[key], part.get(f"{key}_low"), part.get(f"{key}_high"), language)
        for key, title in _PHONE_TITLES.items()
        for language, part in parts.items()
        if part.get(key) is not None
    ]
    tested = (
        f"{report['speakers']} speakers, {report['utterances']} utterances, "
        f"{report['phones']} phones"
    )
    return HubScores(f"reports/{name}", RECOGNITION, tested, tuple(scores))


def _word_scores(model: VerifiedPackage, reports: Path) -> HubScores:
    name = f"words/{model.package['name']}.json"
    report = _read(reports / name)["tuned"]
    packaged = model.package["metrics"]["tuned"]["wer"]["canonical"]["rate"]
    _require_equal(reports / name, report["wer"]["canonical"]["rate"], packaged)
    parts = {"": report, **report["languages"]}
    scores = [
        HubScore(unit, title, number["rate"], number["low"], number["high"], language)
        for (unit, spelling), title in _WORD_TITLES.items()
        for language, part in parts.items()
        for number in (part[unit][spelling],)
    ]
    tested = f"{report['speakers']} speakers, {report['clips']} clips, {report['words']} words"
    return HubScores(f"reports/{name}", RECOGNITION, tested, tuple(scores))


def _stream_scores(model: VerifiedPackage, reports: Path) -> HubScores:
    name = "streaming.json"
    document = _read(reports / name)
    report = document["models"].get(model.package["name"], {}).get(_POLICY)
    if report is None:
        raise UserError(
            f"{reports / name}: no policy {_POLICY!r} of {model.package['name']}; {_AGREES}"
        )
    _require_equal(reports / name, report["per"], model.package["metrics"]["per"])
    score = HubScore("per", "phone error rate (PER) of streams", report["per"],
                     report["per_low"], report["per_high"])  # fmt: skip
    tested = (
        f"{report['speakers']} speakers, {report['streams']} streams, {report['phones']} phones"
    )
    return HubScores(f"reports/{name}", RECOGNITION, tested, (score,))


def _causal_scores(model: VerifiedPackage, reports: Path) -> HubScores:
    name = "realtime.json"
    report = _read(reports / name)
    scores = []
    for label, part in report["models"].items():
        packaged = model.package["models"].get(label, {"metrics": {"score": None}})["metrics"]
        _require_equal(reports / name, part["score"], packaged["score"])
        title = f"{_EVENT_TITLES[part['metric']]} of {label}"
        scores.append(HubScore(part["metric"], title, part["score"], part["low"], part["high"]))
    tested = f"{report['speakers']} speakers, {report['hops']} hops"
    languages = sorted({code for part in report["models"].values() for code in part["languages"]})
    return HubScores(
        f"reports/{name}", CLASSIFICATION, tested, tuple(scores), languages=tuple(languages)
    )


def _read(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: no such report, so the card would have no score; run dvc repro")
    return read_json(path)


def _require_equal(path: Path, reported: float, packaged: float | None) -> None:
    if reported != packaged:
        raise UserError(f"{path}: states {reported}, but package.json has {packaged}; {_AGREES}")


def corpora_of_test_split(package: Mapping[str, Any]) -> dict[str, str]:
    """Return the corpora of the test split, each `synthetic` or `recorded`."""
    return {
        corpus["corpus"]: "synthetic" if corpus["synthetic"] else "recorded"
        for corpus in package["lineage"]["corpora"]
        if corpus["clips"]["test"]
    }
