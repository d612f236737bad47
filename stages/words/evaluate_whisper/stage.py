"""Score a fine-tuned Whisper beside the one that it was made of, on unseen speakers.

Reads   data/models/whisper_base, data/models/whisper_onnx/<run>, test.jsonl, data/audio and, for
        pseudonyms, speakers.csv
Writes  reports/words/<run>.json, reports/words/<run>.csv, and data/words/<run>.jsonl: the decoded
        texts, which can be those of real people and so are not in git
Params  compute, evaluate_whisper, privacy

The base gets each clip padded to 30 s, because it was trained so and repeats itself on shorter
input; that costs ten times as much, so it gets a part of the clips, evenly drawn over voices and
languages. The tuned model gets all clips with 1 s of silence. All differences are on the clips that
both models have decoded. `python -m fonoteka bench words` compares short input with 30 s.

The tuned model is scored as it is shipped, in ONNX Runtime, which takes half the time of torch. The
base gets temporary files of the same kind.

A language that became worse fails the stage, after the reports are written, unless
`accepted_losses` names it: fine-tuning on some languages makes a model forget others.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json, write_json_lines
from fonoteka.core.params import load
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.pseudonyms import PrivacyParams, pseudonyms_of
from fonoteka.reporting.rounding import rounded
from fonoteka.shards import read_clips
from fonoteka.speech_gate import SpeechGate
from fonoteka.tables import write_table
from fonoteka.whisper.model import load_whisper
from fonoteka.whisper.onnx_export import export_whisper
from fonoteka.whisper.onnx_session import VOCABULARY, OnnxWhisper, open_whisper
from fonoteka.whisper.word_scores import (
    SPELLINGS,
    UNITS,
    WordPair,
    by_language,
    difference,
    errors_by_speaker,
    summary,
)
from stages.words.evaluate_whisper.sounds import wordless_sounds
from stages.words.evaluate_whisper.trials import (
    Clip,
    Trial,
    decoded,
    evenly_drawn,
    gated_word_shares,
    language_recognition,
    text_rows,
    word_shares,
)

BY_NAME: Mapping[str, str] = MappingProxyType({})
COLUMNS = ("model", "language", "unit", "spelling", "rate", "low", "high", "clips", "words")
_OPSET = 17  # of the base's temporary files
_CLIPS_AT_ONCE = 256  # 256 clips of 30 s are 490 MB


@dataclass(frozen=True)
class EvaluateWhisperParams:
    """Section `evaluate_whisper`.

    Attributes:
        clips_per_voice_and_language: that the base decodes too; 0 for all.
        noise_clips: sounds without a word, with the speech gate.
        noise_clips_without_gate: the first of them, without it.
        max_loss: by how much the canonical WER of a language may be above that of the base.
        accepted_losses: languages for which it may be above by more.
        batch: most clips side by side.
        resamples: draws of the speakers for an interval.
        seed: of the draws and of the sounds.
        digits: decimals of a rate in the report.
    """

    clips_per_voice_and_language: int
    noise_clips: int
    noise_clips_without_gate: int
    max_loss: float
    accepted_losses: tuple[str, ...]
    batch: int
    resamples: int
    seed: int
    digits: int

    def __post_init__(self) -> None:
        for name in ("clips_per_voice_and_language", "noise_clips", "noise_clips_without_gate"):
            if (value := getattr(self, name)) < 0:
                raise UserError(f"evaluate_whisper.{name} must be at least 0, found {value}")
        if self.noise_clips_without_gate > self.noise_clips:
            raise UserError(
                f"evaluate_whisper.noise_clips_without_gate is {self.noise_clips_without_gate}, "
                f"above noise_clips, {self.noise_clips}; change one of them in params.yaml"
            )
        if self.batch < 1:
            raise UserError(f"evaluate_whisper.batch must be at least 1, found {self.batch}")


@dataclass
class Trials:
    """All trials of an evaluation.

    Attributes:
        base: of the base on the drawn clips, padded to 30 s.
        tuned: of the tuned model on all clips.
        missed: number of clips in which the speech gate finds no speech.
    """

    base: list[Trial]
    tuned: list[Trial]
    missed: int = 0

    @property
    def compared(self) -> list[Trial]:
        """The trials of the tuned model on the clips of the base, in the order of the base's."""
        own = {trial.id: trial for trial in self.tuned}
        return [own[trial.id] for trial in self.base]


def run_trials(
    base: OnnxWhisper, tuned: OnnxWhisper, gate: SpeechGate, clips: Iterable[Clip],
    drawn: frozenset[str], batch: int,
) -> Trials:  # fmt: skip
    """Decode clips with both models.

    Args:
        base: the model before fine-tuning.
        tuned: the model after it.
        gate: the speech gate.
        clips: utterances with their samples at 16 kHz, read as they are needed.
        drawn: ids of the clips that the base decodes too.
        batch: most clips side by side.
    """
    trials = Trials([], [])
    for some in _chunks(clips, _CLIPS_AT_ONCE):
        shared = [clip for clip in some if clip[0].id in drawn]
        trials.tuned += decoded(tuned, some, short=True, batch=batch)
        # Eight clips of 30 s side by side take 1.5 CPU seconds each, one after the other 1.3.
        trials.base += decoded(base, shared, short=False, batch=1)
        for _, signal in some:
            trials.missed += not (gate.push(signal) + gate.finish())
    return trials


def _chunks(clips: Iterable[Clip], size: int) -> Iterator[list[Clip]]:
    iterator = iter(clips)
    while chunk := list(islice(iterator, size)):
        yield chunk


def in_onnx_runtime(folder: Path) -> OnnxWhisper:
    """Return a model of torch in ONNX Runtime; its files exist while they are loaded only."""
    with TemporaryDirectory() as temporary:
        files = Path(temporary)
        export_whisper(load_whisper(folder), folder.name, files, _OPSET)
        shutil.copyfile(folder / VOCABULARY, files / VOCABULARY)
        return open_whisper(files)


def pairs_of(trials: Iterable[Trial]) -> list[WordPair]:
    """Return the pairs of trials."""
    return [trial.pair for trial in trials]


def with_languages(trials: Sequence[Trial], params: EvaluateWhisperParams) -> dict[str, Any]:
    """Return the summary of trials, and that of each language."""
    draws = params.resamples, params.seed
    pairs = pairs_of(trials)
    return summary(pairs, *draws) | {
        "languages": {code: summary(own, *draws) for code, own in by_language(pairs).items()}
    }


def differences(
    ours: Sequence[Trial], theirs: Sequence[Trial], params: EvaluateWhisperParams
) -> dict[str, Any]:
    """Return the rates of ours minus theirs, with intervals; canonical WER per language too."""
    draws = params.resamples, params.seed
    sides = pairs_of(ours), pairs_of(theirs)
    theirs_of = by_language(sides[1])
    return {
        "clips": len(ours),
        **{
            unit: {spelling: difference(*sides, spelling, unit, *draws) for spelling in SPELLINGS}
            for unit in UNITS
        },
        "languages": {
            code: {
                "wer": {"canonical": difference(own, theirs_of[code], "canonical", "wer", *draws)}
            }
            for code, own in by_language(sides[0]).items()
        },
    }  # fmt: skip


def by_speaker(pairs: Sequence[WordPair], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the canonical word errors of each speaker, by pseudonym."""
    return {
        names.get(speaker, speaker): {
            "errors": own.wrong, "wer": own.rate, "words": own.reference,
        }
        for speaker, own in errors_by_speaker(pairs, "canonical", "wer").items()
    }  # fmt: skip


def report(
    trials: Trials, params: EvaluateWhisperParams, names: Mapping[str, str] = BY_NAME
) -> dict[str, Any]:
    """Return all of the report but the sounds without a word.

    Args:
        trials: of the test part.
        params: section `evaluate_whisper`.
        names: pseudonyms of speakers; a speaker without one keeps the name.
    """
    compared = trials.compared
    return {
        "base": with_languages(trials.base, params),
        "tuned": with_languages(trials.tuned, params)
        | {"by_speaker": by_speaker(pairs_of(trials.tuned), names)},
        "tuned_on_the_clips_of_the_base": with_languages(compared, params),
        "tuned_minus_base": differences(compared, trials.base, params),
        "language_recognition": {
            "base": language_recognition(trials.base),
            "tuned": language_recognition(compared),
        },
        "clips_without_speech_for_the_gate": trials.missed,
    }


def wordless(
    base: OnnxWhisper, tuned: OnnxWhisper, gate: SpeechGate, languages: Sequence[str],
    params: EvaluateWhisperParams,
) -> dict[str, Any]:  # fmt: skip
    """Return the shares of sounds without a word for which the models return one."""
    sounds = list(wordless_sounds(params.noise_clips, params.seed))
    some = sounds[: params.noise_clips_without_gate]
    return {
        name: {
            "with_gate": gated_word_shares(
                whisper, gate, sounds, languages, short=short, batch=params.batch
            ),
            "without_gate": word_shares(whisper, some, languages, short=short, batch=params.batch),
        }
        for name, whisper, short in (("base", base, False), ("tuned", tuned, True))
    }


def rows(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table: every rate of a report, for all languages and for each."""
    for model in ("base", "tuned", "tuned_on_the_clips_of_the_base"):
        parts = {"all": result[model], **result[model]["languages"]}
        for language, part in parts.items():
            counts = {"clips": part["clips"], "words": part["words"]}
            for unit in UNITS:
                for spelling in SPELLINGS:
                    place = {"language": language, "model": model, "unit": unit}
                    yield place | {"spelling": spelling} | part[unit][spelling] | counts


def check_losses(result: Mapping[str, Any], params: EvaluateWhisperParams, run: str) -> None:
    """Refuse a model that is worse than its base in a language.

    Raises:
        UserError: the canonical WER of a language is above that of the base by more than
            `max_loss`, and `accepted_losses` does not name the language.
    """
    worse = {
        code: own["wer"]["canonical"]["difference"]
        for code, own in result["tuned_minus_base"]["languages"].items()
        if own["wer"]["canonical"]["difference"] > params.max_loss
        and code not in params.accepted_losses
    }
    if worse:
        code = max(worse, key=lambda name: worse[name])
        before, after = (
            100 * result[model]["languages"][code]["wer"]["canonical"]["rate"]
            for model in ("base", "tuned_on_the_clips_of_the_base")
        )
        raise UserError(
            f"{run}: the WER of {code} rose from {before:.1f} % to {after:.1f} %, by more than "
            f"{100 * params.max_loss:g} points; add speech in {code} to the training split, train "
            f"less, or name {code} in evaluate_whisper.accepted_losses"
        )


def clips_of(utterances: Sequence[Utterance], audio: Path) -> Iterator[Clip]:
    """Yield utterances with their samples, shard by shard."""
    by_id = {u.id: u for u in utterances}
    for key, signal in read_clips(audio, {u.id: u.audio for u in utterances}):
        yield by_id[key], signal


def run(
    base: Path, tuned: Path, test: Path, audio: Path, out: Path, table: Path, texts: Path,
    params: EvaluateWhisperParams, speakers: Path | None = None,
) -> None:  # fmt: skip
    """Score both models; with the table of all `speakers`, people get pseudonyms.

    Raises:
        UserError: no utterance has a text, or a language became worse; see `check_losses`.
    """
    everything = manifest.read(test)
    utterances = [u for u in everything if u.text.strip()]
    if not utterances:
        raise UserError(f"{test}: no utterance with a text to test on")
    people = {u.speaker for u in utterances if not u.synthetic}
    names = BY_NAME if speakers is None else pseudonyms_of(people, speakers)
    drawn = evenly_drawn(utterances, params.clips_per_voice_and_language)
    models = in_onnx_runtime(base), open_whisper(tuned)
    gate = SpeechGate()
    clips = clips_of(utterances, audio)
    trials = run_trials(*models, gate, clips, frozenset(u.id for u in drawn), params.batch)
    languages = sorted({u.language for u in utterances})
    result = report(trials, params, names) | {
        "accepted_losses": sorted(params.accepted_losses),
        "clips_without_text": len(everything) - len(utterances),
        "run": tuned.name,
        "synthetic": any(u.synthetic for u in utterances),
        "wordless_sounds": wordless(*models, gate, languages, params),
    }
    write_table(table, COLUMNS, [rounded(row, params.digits) for row in rows(result)])
    write_json_lines(texts, text_rows({"base": trials.base, "tuned": trials.tuned}))
    write_json(out, rounded(result, params.digits))
    check_losses(result, params, tuned.name)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path, help="folder of the model before fine-tuning")
    parser.add_argument("tuned", type=Path, help="folder of its files after it, in ONNX")
    for name in ("test", "audio"):
        parser.add_argument(name, type=Path)
    parser.add_argument("out", type=Path, help="the report, JSON")
    parser.add_argument("table", type=Path, help="one row per rate, CSV")
    parser.add_argument("texts", type=Path, help="the decoded texts, JSON lines")
    parser.add_argument("--speakers", type=Path, required=True, help="table of all speakers")
    args = parser.parse_args()
    params = load("evaluate_whisper", EvaluateWhisperParams)
    configure(load("compute", ComputeParams).threads)
    privacy = load("privacy", PrivacyParams)
    run(
        args.base, args.tuned, args.test, args.audio, args.out, args.table, args.texts, params,
        None if privacy.name_people else args.speakers,
    )  # fmt: skip
