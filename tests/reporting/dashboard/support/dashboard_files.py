"""What the stage dashboard reads, made from a few clips whose phones and texts are given.

The reports are computed by the functions of the stages that write them, so that a page of these
clips is a page of one build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clip_maker import noise, save_clips
from corpus_maker import utterance
from posterior_maker import named_as, said_as

from fonoteka import manifest
from fonoteka.core.files import write_json, write_json_lines
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS
from fonoteka.models.curves import write_curves
from fonoteka.phones import INVENTORY
from fonoteka.pseudonyms import aliases
from fonoteka.reporting.dashboard.clips import Privacy
from fonoteka.reporting.dashboard.document import DashboardInputs
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import write_arrays
from fonoteka.tables import write_table
from fonoteka.whisper.word_scores import (
    SPELLINGS,
    UNITS,
    WordPair,
    by_language,
    difference,
    errors_by_speaker,
    summary,
)
from stages.corpus.audit.numbers import part_summary, phone_counts
from stages.evaluation.compare.stage import CompareParams, compare, lineup_of
from stages.evaluation.evaluate.stage import EvaluateParams
from stages.evaluation.evaluate.stage import report as phone_report
from stages.evaluation.observation import observe
from stages.reporting.dashboard.stage import DashboardParams, privacy_of, read_measures, read_splits

EVALUATE = EvaluateParams(
    resamples=50, seed=1, digits=4, confidence_bins=5, lengths=(2, 4), most_frequent=3, dpi=20
)
PARAMS = DashboardParams(
    title="Toy", models=("mlp", "ensemble"), licences=("CC0*", "synthetic: *"), audio_clips=2,
    audio_bytes=10**6, clip_bytes=10**6, word_lengths=(1, 2), histogram_bins=4, resamples=50,
    seed=1, digits=4,
)  # fmt: skip
SIZES = {"parameters": 7, "encoder_parameters": 70, "onnx_bytes": 80, "onnx_int8_bytes": 20,
         "onnx_head_bytes": 8, "onnx_head_int8_bytes": 2}  # fmt: skip
DRAWS = EVALUATE.resamples, EVALUATE.seed


@dataclass(frozen=True)
class ToyClip:
    """A clip of the test split, with what the models return for it.

    Attributes:
        speaker: as `corpus/name`; the corpus `tts` is synthetic.
        language: of the clip.
        phones: of the reference.
        decoded: phones by each of the models of `PARAMS`.
        text: of the reference.
        words: texts by the base, None if it did not decode the clip, and by the tuned model.
        licence: of the clip.
    """

    speaker: str
    language: str
    phones: str
    decoded: tuple[str, str]
    text: str
    words: tuple[str | None, str]
    licence: str = "CC0"


CLIPS = (
    ToyClip("real/ana", "hr", "d a", ("d a", "d a"), "Da!", ("da", "Da!")),
    ToyClip("real/ana", "hr", "d a n", ("d o", "d a n"), "Dan", (None, "dam"), "secret"),
    ToyClip("real/ivo", "sr", "n e", ("n", "n e a"), "Не", ("ne", "не"), "secret"),
    ToyClip("tts/eva", "en", "h i m", ("h i m s", "h i m"), "Him two", ("him", "him 2"),
            "synthetic: spoken by espeak-ng 1"),
    ToyClip("tts/max", "en", "h i", ("s s", "h"), "Hi", ("i", "hi"), "synthetic: x"),
)  # fmt: skip


def save_project(
    top: Path, clips: Sequence[ToyClip] = CLIPS, name_people: bool = False
) -> DashboardInputs:
    """Write the files of a build into a folder and return the inputs of its dashboard."""
    signals = {f"clip-{number}": noise(0.2, number) for number in range(len(clips))}
    places = {u.id: u for u in save_clips(top / "audio", signals)}
    rows = [_utterance(clip, f"clip-{n}", places[f"clip-{n}"]) for n, clip in enumerate(clips)]
    other = [replace(utterance("tts/train"), id="train-1"), replace(utterance("tts/v"), id="v-1")]
    parts = {"train": other[:1], "valid": other[1:], "test": rows}
    (top / "splits").mkdir()
    for part, own in parts.items():
        manifest.write(top / "splits" / f"{part}.jsonl", own)
    everything = [u for own in parts.values() for u in own]
    speakers = [{"speaker": name} for name in sorted({u.speaker for u in everything})]
    write_table(top / "splits/speakers.csv", ("speaker",), speakers)
    accepted = [
        dict.fromkeys(ACCEPTED_COLUMNS, "")
        | {"id": u.id, "snr_db": "" if n == 1 else f"{20.04 + n}", "level_dbfs": "-30.5"}
        for n, u in enumerate(everything)
    ]
    write_table(top / "accepted.csv", ACCEPTED_COLUMNS, accepted)
    names = {name: alias for name, alias in aliases(r["speaker"] for r in speakers).items()
             if not name.startswith("tts") and not name_people}  # fmt: skip
    _save_phones(top, clips, rows, names)
    _save_words(top, clips, rows, names)
    corpus = {
        "parts": {part: part_summary(own, {}) for part, own in parts.items()},
        "phones": phone_counts(parts), "leakage": {"clips": 0}, "files": 9, "accepted": 7,
        "refused": {"too short": 2}, "quarantined": {}, "left_out_of_parts": {},
        "dropped_in_preprocessing": {}, "recommendations": ["record more"],
    }  # fmt: skip
    write_json(top / "corpus.json", corpus)
    return inputs_of(top)


def inputs_of(top: Path) -> DashboardInputs:
    """Return the inputs of a dashboard from the files that `save_project` wrote."""
    splits = read_splits(top / "splits")
    return DashboardInputs(
        splits, read_measures(top / "accepted.csv", splits), top / "posteriors",
        top / "texts.jsonl", top / "metrics", top / "comparison.json", top / "words.json",
        top / "corpus.json", top / "curves",
    )  # fmt: skip


def privacy_in(top: Path, name_people: bool = False) -> Privacy:
    """Return what a page of the project may show."""
    return privacy_of(read_splits(top / "splits"), top / "splits", PARAMS.licences, name_people)


def _utterance(clip: ToyClip, key: str, saved: manifest.Utterance) -> manifest.Utterance:
    return utterance(
        clip.speaker, 0, clip.language, id=key, audio=saved.audio, duration_s=saved.duration_s,
        phones=tuple(clip.phones.split()), text=clip.text, normalized=clip.text.lower(),
        licence=clip.licence, synthetic=clip.speaker.startswith("tts"), sex="f",
    )  # fmt: skip


def _save_phones(top, clips, rows, names) -> None:
    """Write posteriors, metrics, curves and the comparison."""
    for number, model in enumerate(PARAMS.models):
        arrays, segments = {}, {}
        for clip, u in zip(clips, rows, strict=True):
            arrays[u.id] = said_as(clip.decoded[number])
            arrays[f"{u.id}#segments"] = named_as(clip.phones)
            segments[u.id] = [INVENTORY.index(phone) for phone in u.phones]
        (top / "posteriors" / model).mkdir(parents=True)
        write_arrays(top / "posteriors" / model, arrays, 2)
        result = phone_report([*observe(rows, arrays, segments, "toy")], EVALUATE, names)
        write_json(top / "metrics" / f"{model}.json", result | SIZES)
    write_curves(top / "curves/mlp", [{"valid_per": 0.5}, {"valid_per": 0.25}])
    params = CompareParams(title="Toy", dpi=20, resamples=50, seed=1, digits=4)
    lineup = lineup_of(top / "metrics", "ensemble", None)
    write_json(top / "comparison.json", compare(lineup, params))


def _save_words(top, clips, rows, names) -> None:
    """Write the texts and the report of words, as the stage evaluate_whisper does."""
    texts, pairs = [], {"base": [], "tuned": []}
    worded = [(clip, u) for clip, u in zip(clips, rows, strict=True) if clip.text]
    for clip, u in worded:
        for model, text in zip(pairs, clip.words, strict=True):
            if text is not None:
                texts.append({"id": u.id, "model": model, "text": text, "log_prob": -0.5})
                pairs[model].append(WordPair(u.text, text, u.language, u.speaker))
    write_json_lines(top / "texts.jsonl", texts)
    shared = [p for p, (c, _) in zip(pairs["tuned"], worded, strict=True) if c.words[0] is not None]
    speakers = errors_by_speaker(pairs["tuned"], "canonical", "wer").items()
    result = {
        "run": "tuned",
        "base": _with_languages(pairs["base"]),
        "tuned": _with_languages(pairs["tuned"]) | {"by_speaker": {
            names.get(name, name): {"errors": e.wrong, "wer": e.rate, "words": e.reference}
            for name, e in speakers
        }},
        "tuned_on_the_clips_of_the_base": _with_languages(shared),
        "tuned_minus_base": {
            unit: {s: difference(shared, pairs["base"], s, unit, *DRAWS) for s in SPELLINGS}
            for unit in UNITS
        },
        "language_recognition": {model: {"clips": 3, "right": 0.5} for model in pairs},
        "wordless_sounds": {
            model: {"with_gate": {"clips": 200, "with_a_word": 0.0}} for model in pairs
        },
    }  # fmt: skip
    write_json(top / "words.json", rounded(result, EVALUATE.digits))


def _with_languages(pairs):
    parts = {code: summary(own, *DRAWS) for code, own in by_language(pairs).items()}
    return summary(pairs, *DRAWS) | {"languages": parts}


def arguments(top: Path, out: Path) -> list[str]:
    """Return the command line of the stage."""
    named = {
        "splits": "splits", "accepted": "accepted.csv", "audio": "audio",
        "posteriors": "posteriors", "metrics": "metrics", "comparison": "comparison.json",
        "corpus": "corpus.json", "curves": "curves", "words": "words.json", "texts": "texts.jsonl",
    }  # fmt: skip
    options = [word for name, path in named.items() for word in (f"--{name}", str(top / path))]
    return ["dashboard", str(out / "page.html"), str(out / "folder"), *options]
