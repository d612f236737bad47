"""Decode clips with a model, and count what it gets right besides words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.manifest import Utterance
from fonoteka.phones import LANGUAGES, SOUTH_SLAVIC
from fonoteka.speech_gate import SpeechGate
from fonoteka.speech_windows import speech_windows
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.language import listening
from fonoteka.whisper.onnx_session import OnnxWhisper
from fonoteka.whisper.spoken_language import most_probable
from fonoteka.whisper.word_pairs import word_pairs
from fonoteka.whisper.word_scores import WordPair, share, within_script

Clip = tuple[Utterance, Signal]


@dataclass(frozen=True)
class Trial:
    """One clip, decoded by one model.

    Attributes:
        id: of the clip.
        pair: reference and hypothesis.
        language: the most probable one of all languages of the model.
        restricted: the most probable one of the project's languages, which `transcribe` takes.
        log_prob: mean log probability of the tokens of the hypothesis.
    """

    id: str
    pair: WordPair
    language: str
    restricted: str
    log_prob: float = 0.0


def decoded(whisper: OnnxWhisper, clips: Sequence[Clip], *, short: bool, batch: int) -> list[Trial]:
    """Return the trials of clips, in their order; the language of each clip is given.

    Args:
        whisper: the model.
        clips: utterances with their samples at 16 kHz.
        short: False pads every clip to 30 s.
        batch: most clips side by side.
    """
    model = listening(whisper)
    signals = [signal for _, signal in clips]
    languages = [utterance.language for utterance, _ in clips]
    results = recognise(model, signals, languages, short=short, batch=batch)
    pairs = word_pairs([utterance for utterance, _ in clips], results)
    return [
        Trial(
            u.id, pair, most_probable(model.languages[id(signal)]),
            most_probable(model.languages[id(signal)], LANGUAGES), result.log_prob,
        )
        for (u, signal), pair, result in zip(clips, pairs, results, strict=True)
    ]  # fmt: skip


def text_rows(trials: Mapping[str, Sequence[Trial]]) -> list[dict[str, Any]]:
    """Return the text of each clip by each model, sorted by clip, for a file that is not in git.

    Args:
        trials: by the name of their model.

    >>> pair = WordPair("dan", "dam", "hr", "a/ivo")
    >>> text_rows({"base": [Trial("c1", pair, "hr", "hr", -0.12345678)]})
    [{'id': 'c1', 'model': 'base', 'text': 'dam', 'log_prob': -0.123457}]
    """
    rows = [
        {
            "id": trial.id, "model": model, "text": trial.pair.hypothesis,
            "log_prob": round(trial.log_prob, 6),
        }
        for model, own in trials.items()
        for trial in own
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["id"], row["model"]))


def evenly_drawn(utterances: Iterable[Utterance], count: int) -> list[Utterance]:
    """Return `count` utterances of each voice and language, evenly spaced by id; all if it is 0.

    A voice with fewer utterances in a language is in the result with all of them.
    """
    groups: dict[tuple[str, str], list[Utterance]] = {}
    for utterance in sorted(utterances, key=lambda u: u.id):
        groups.setdefault((utterance.speaker, utterance.language), []).append(utterance)
    drawn = []
    for _, group in sorted(groups.items()):
        many = min(count, len(group)) or len(group)
        drawn += [group[len(group) * number // many] for number in range(many)]
    return drawn


def language_recognition(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the shares of clips whose language is found, Bosnian, Croatian and Serbian apart and
    as one, and the languages that are found for the clips of each.
    """
    languages = sorted({trial.pair.language for trial in trials})
    return _recognition(trials) | {
        "languages": {
            code: _recognition(own)
            | {"found": dict(sorted(Counter(t.language for t in own).items()))}
            for code in languages
            if (own := [t for t in trials if t.pair.language == code])
        }
    }


def _recognition(trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        "clips": len(trials),
        "right": share(trials, lambda t: t.language == t.pair.language),
        "right_bs_hr_sr_as_one": share(trials, lambda t: _is_same(t.language, t.pair.language)),
        "restricted_right": share(trials, lambda t: t.restricted == t.pair.language),
        "restricted_right_bs_hr_sr_as_one": share(
            trials, lambda t: _is_same(t.restricted, t.pair.language)
        ),
    }


def _is_same(language: str, spoken: str) -> bool:
    return language == spoken or {language, spoken} <= set(SOUTH_SLAVIC)


def has_word(text: str) -> bool:
    """Return whether a text contains a letter or a digit.

    >>> has_word("..."), has_word("[ho]")
    (False, True)
    """
    return bool(within_script(text))


def word_shares(
    whisper: OnnxWhisper, sounds: Sequence[tuple[str, Signal]], languages: Sequence[str],
    *, short: bool, batch: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the share of sounds that yield a word, without a speech gate, and that of each kind.

    Args:
        whisper: the model.
        sounds: kinds and samples, see `wordless_sounds`.
        languages: that the model is given, in turn.
        short: False pads every sound to 30 s.
        batch: most sounds side by side.
    """
    signals = [signal for _, signal in sounds]
    codes = [languages[number % len(languages)] for number in range(len(sounds))]
    results = recognise(whisper, signals, codes, short=short, batch=batch)
    return _shares(sounds, [has_word(result.text) for result in results])


def gated_word_shares(
    whisper: OnnxWhisper, gate: SpeechGate, sounds: Sequence[tuple[str, Signal]],
    languages: Sequence[str], *, short: bool, batch: int,
) -> dict[str, Any]:  # fmt: skip
    """Return what `word_shares` returns if only what passes the speech gate is decoded."""
    worded = []
    passed = 0
    for number, (_, signal) in enumerate(sounds):
        windows = [window.signal for window in speech_windows([signal], gate)]
        passed += bool(windows)
        codes = [languages[number % len(languages)]] * len(windows)
        results = recognise(whisper, windows, codes, short=short, batch=batch)
        worded.append(any(has_word(result.text) for result in results))
    return _shares(sounds, worded) | {"passed_the_gate": passed}


def _shares(sounds: Sequence[tuple[str, Signal]], worded: Sequence[bool]) -> dict[str, Any]:
    kinds = Counter(kind for (kind, _), word in zip(sounds, worded, strict=True) if word)
    return {
        "clips": len(sounds),
        "with_a_word": float(np.mean(worded)) if worded else 0.0,
        "with_a_word_by_kind": {kind: kinds[kind] for kind in sorted({k for k, _ in sounds})},
    }
