"""Recommend in sentences what to record next, from the finished counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fonoteka.manifest import PARTS
from stages.corpus.audit.numbers import UNKNOWN

NAMES = {"bs": "Bosnian", "en": "English", "hr": "Croatian", "sr": "Serbian"}
SEXES = {"f": "women", "m": "men"}


@dataclass(frozen=True)
class AdviceLimits:
    """The numbers below which something should be recorded.

    Attributes:
        test_speakers: speakers of a language in test.
        train_tokens: tokens of a phone in train.
        test_tokens: tokens of a phone in test.
        snr_db: median of a split.
        level_dbfs: median of a split.
    """

    test_speakers: int
    train_tokens: int
    test_tokens: int
    snr_db: float
    level_dbfs: float


def recommendations(report: Mapping[str, Any], limits: AdviceLimits) -> list[str]:
    """Return the recommendations, the most serious first."""
    parts = report["parts"]
    spoken = sorted({name for part in parts.values() for name in part["languages"]})
    return [
        *(line for name in spoken for line in language_advice(name, parts, limits.test_speakers)),
        *phone_advice(report["phones"], limits),
        *voice_advice(report["voices"]),
        *sentence_advice(report["leakage"], parts["test"]["utterances"]),
        *sex_advice(parts),
        *sound_advice(parts, limits),
        *synthetic_advice(parts),
    ]


def language_advice(code: str, parts: Mapping[str, Any], least: int) -> Iterator[str]:
    """Yield the splits in which a language has too few speakers."""
    speakers = {part: _speaker_count(parts[part], code) for part in PARTS}
    total, tested, name = sum(speakers.values()), speakers["test"], NAMES.get(code, code)
    be = "is" if tested == 1 else "are"
    counts = f"{tested} of {total} {name} speakers {be} in test"
    if not speakers["train"]:
        yield f"none of {total} {name} speakers is in train: record {name} for train"
    if tested < least:
        yield (
            f"{counts}: record {least - tested} more who are in no other split, because scores on "
            f"fewer than {least} speakers do not generalise to other speakers"
        )
    if 0 < speakers["train"] <= tested:
        yield (
            f"{counts} and {speakers['train']} in train: record more {name} speakers for train, or "
            f"assign some of them to train in split.assigned"
        )
    if speakers["train"] and not speakers["valid"]:
        yield f"{name} has no speaker in valid: models are selected without it; record one"


def _speaker_count(part: Mapping[str, Any], code: str) -> int:
    return int(part["languages"].get(code, {"speakers": 0})["speakers"])


def phone_advice(phones: Mapping[str, Mapping[str, int]], limits: AdviceLimits) -> Iterator[str]:
    """Yield the phones that are too rare to be learned or scored."""
    for part, least in (("train", limits.train_tokens), ("test", limits.test_tokens)):
        rare = [f"{phone} {n[part]}" for phone, n in phones.items() if n[part] < least]
        if rare:
            yield (
                f"record texts with these phones, which occur fewer than {least} times in {part}: "
                f"{', '.join(rare)}"
            )


def voice_advice(voices: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many names of people may be wrong."""
    if pairs := voices["alike"]["pairs"]:
        yield (
            f"{pairs} of {voices['alike']['compared']} pairs of names in two splits sound like one "
            "person: listen to them, and give a person who has two names one speaker in "
            "metadata.csv, because a voice in two splits makes scores too good"
        )
    if names := voices["divided"]["names"]:
        yield (
            f"{names} of {voices['divided']['compared']} names sound like two people each: "
            "listen to their clips, and give each person a speaker of their own in metadata.csv"
        )


def sentence_advice(leakage: Mapping[str, int], tested: int) -> Iterator[str]:
    """Yield how many test utterances have a sentence of train."""
    if train_sentences := leakage["test_utterances_with_a_train_sentence"]:
        yield (
            f"{train_sentences} of {tested} test utterances have a sentence that is also in train, "
            f"so scores are not on unseen sentences alone: record other sentences for test"
        )


def sex_advice(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the splits whose speakers have one sex, if the sex of each speaker is known."""
    for part in ("train", "test"):
        speakers_by_sex = parts[part]["speakers_by_sex"]
        if UNKNOWN not in speakers_by_sex and len(speakers_by_sex) == 1:
            (only_sex,) = speakers_by_sex
            count, absent = speakers_by_sex[only_sex], SEXES["m" if only_sex == "f" else "f"]
            yield f"all {count} speakers of {part} are {SEXES[only_sex]}: record {absent}"


def sound_advice(parts: Mapping[str, Any], limits: AdviceLimits) -> Iterator[str]:
    """Yield the splits in which at least half of the clips are too noisy or too quiet."""
    checks = (
        ("snr_db", limits.snr_db, "an SNR", "dB", "record closer or in a quieter room"),
        ("level_dbfs", limits.level_dbfs, "an RMS level", "dBFS", "raise the recording level"),
    )
    for measure, least, name, unit, action in checks:
        for part in PARTS:
            median = parts[part]["measures"][measure].get("median")
            if median is not None and median < least:
                yield (
                    f"half of {part} has {name} of {median:g} {unit} or less, below the "
                    f"recommended {least:g} {unit}: {action}"
                )


def synthetic_advice(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the splits in which all audio is synthetic."""
    synthetic_parts = [part for part, n in parts.items() if n["synthetic_hours"] == n["hours"]]
    if synthetic_parts:
        yield f"record people for {', '.join(synthetic_parts)}: all audio there is synthetic"
