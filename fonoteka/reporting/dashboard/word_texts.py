"""Texts that Whisper decoded, spelled, split and aligned as the stage evaluate_whisper does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jiwer.transformations import wer_default
from rapidfuzz.distance import Levenshtein

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json_lines
from fonoteka.reporting.dashboard.clips import DashboardClips, ops_of
from fonoteka.scoring.error_rate import Errors, aligned, count_errors
from fonoteka.whisper.word_scores import SPELLINGS, spelled

MODELS = ("base", "tuned")
"""Names of the models in the file of texts and in the report, in the order of the page."""


@dataclass(frozen=True)
class DecodedText:
    """A text that a model decoded.

    Attributes:
        text: as decoded.
        log_prob: mean log probability of its tokens.
    """

    text: str
    log_prob: float


@dataclass(frozen=True)
class SpelledText:
    """A text in one normalisation, split as the scorer does it.

    Attributes:
        words: without spaces.
        characters: the text without outer spaces.
    """

    words: list[str]
    characters: str

    @property
    def text(self) -> str:
        """The words, separated by one space each."""
        return " ".join(self.words)


Spelled = Sequence[SpelledText | None]
"""The texts of all clips in one normalisation; None for a clip without one."""


def decoded_texts(clips: DashboardClips, file: Path) -> dict[str, dict[str, DecodedText]]:
    """Return the texts by model and clip.

    Raises:
        UserError: the file is missing, a line is not such a text, or a clip is not in test.jsonl.
    """
    if not file.is_file():
        raise UserError(f"{file}: no such file; run the stage evaluate_whisper")
    ids = {u.id for u in clips.utterances}
    texts: dict[str, dict[str, DecodedText]] = {model: {} for model in MODELS}
    for number, row in enumerate(read_json_lines(file), start=1):
        try:
            key, result = row["id"], DecodedText(str(row["text"]), float(row["log_prob"]))
            texts[row["model"]][key] = result
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{file}:{number}: not a text of {' or '.join(MODELS)} with id, model, text and "
                f"log_prob: {error!r}; run the stage evaluate_whisper"
            ) from error
        if key not in ids:
            raise UserError(
                f"{file}:{number}: clip {key!r} is not in test.jsonl; the files are of two "
                "builds, run dvc repro"
            )
    return texts


def spelled_texts(
    clips: DashboardClips, texts: Sequence[str | None], spelling: str
) -> list[SpelledText | None]:
    """Return the texts of all clips in one normalisation."""
    result: list[SpelledText | None] = []
    for u, text in zip(clips.utterances, texts, strict=True):
        if text is None:
            result.append(None)
            continue
        form = spelled(text, u.language, spelling)
        # By the transformation that jiwer applies before it counts errors of words.
        result.append(SpelledText(wer_default(form)[0], form.strip()))
    return result


def references_of(clips: DashboardClips) -> dict[str, Spelled]:
    """Return the reference texts in each normalisation; a clip without a text has None."""
    texts = [u.text if u.text.strip() else None for u in clips.utterances]
    return {spelling: spelled_texts(clips, texts, spelling) for spelling in SPELLINGS}


def texts_of(side: Spelled) -> list[str | None]:
    """Return the words of each clip, separated by one space each."""
    return [None if each is None else each.text for each in side]


@dataclass(frozen=True)
class ScoredWords:
    """A model's texts in one normalisation beside the references; each list has `n` entries.

    Attributes:
        texts: words separated by spaces; None for a clip that was not decoded.
        ops: alignments; None also for a clip without a reference.
        errors: of words; None for a clip that was not decoded.
        character_errors: None also for a clip without a reference.
    """

    texts: list[str | None]
    ops: list[str | None]
    errors: list[Errors | None]
    character_errors: list[int | None]


def score_words(references: Spelled, hypotheses: Spelled) -> ScoredWords:
    """Return the alignments and the errors of texts."""
    result = ScoredWords(texts_of(hypotheses), [], [], [])
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        if hypothesis is None or reference is None:
            result.ops.append(None)
            # Without a reference all words are insertions, which are part of no rate.
            result.errors.append(
                None if hypothesis is None else Errors(insertions=len(hypothesis.words))
            )
            result.character_errors.append(None)
            continue
        pairs = aligned(reference.words, hypothesis.words)
        result.ops.append(ops_of(pairs))
        result.errors.append(count_errors(pairs))
        result.character_errors.append(
            Levenshtein.distance(reference.characters, hypothesis.characters)
        )
    return result


def character_counts(references: Mapping[str, Spelled]) -> dict[str, list[int]]:
    """Return the length of each reference in characters; 0 without a text."""
    return {
        name: [len(each.characters) if each is not None else 0 for each in side]
        for name, side in references.items()
    }
