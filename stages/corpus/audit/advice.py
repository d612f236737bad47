"""Say in plain words what to record next, from the finished counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.corpus.audit.numbers import UNKNOWN

NAMES = {"bs": "Bosnian", "en": "English", "hr": "Croatian", "sr": "Serbian"}
SEXES = {"f": "women", "m": "men"}
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Limits:
    """Below which numbers something is to be recorded.

    Attributes:
        test_speakers: of a language in test.
        train_tokens: of a phone in train.
        test_tokens: of a phone in test.
        snr_db: of half the clips of a part.
        level_dbfs: of half the clips of a part.
    """

    test_speakers: int
    train_tokens: int
    test_tokens: int
    snr_db: float
    level_dbfs: float


def recommendations(report: Mapping[str, Any], limits: Limits) -> list[str]:
    """Return sentences, the gravest first."""
    parts = report["parts"]
    spoken = sorted({name for part in parts.values() for name in part["languages"]})
    return [
        *(line for name in spoken for line in of_language(name, parts, limits.test_speakers)),
        *of_phones(report["phones"], limits),
        *of_sentences(report["leakage"], parts["test"]["utterances"]),
        *of_sexes(parts),
        *of_sound(parts, limits),
        *of_machines(parts),
    ]


def of_language(code: str, parts: Mapping[str, Any], least: int) -> Iterator[str]:
    """Say where a language has too few voices, or has them in the wrong place."""
    voices = {part: _voices(parts[part], code) for part in PARTS}
    total, tested, name = sum(voices.values()), voices["test"], NAMES.get(code, code)
    be = "is" if tested == 1 else "are"
    here = f"{tested} of {total} {name} speakers {be} in test"
    if not voices["train"]:
        yield f"record {name} for train: none of its {total} speakers is there"
    if tested < least:
        yield (
            f"{here}: record {least - tested} more who are in no other part, for with fewer than "
            f"{least} its scores say little about another voice"
        )
    if 0 < voices["train"] <= tested:
        yield (
            f"{here} and {voices['train']} in train: record more {name} speakers for train, or "
            f"give some another part in split.assigned"
        )
    if voices["train"] and not voices["valid"]:
        yield f"{name} has no speaker in valid: models are chosen without it; record another"


def _voices(part: Mapping[str, Any], code: str) -> int:
    return int(part["languages"].get(code, {"speakers": 0})["speakers"])


def of_phones(phones: Mapping[str, Mapping[str, int]], limits: Limits) -> Iterator[str]:
    """Say which phones are too rare to be learned or scored."""
    for part, least in (("train", limits.train_tokens), ("test", limits.test_tokens)):
        rare = [f"{phone} {n[part]}" for phone, n in phones.items() if n[part] < least]
        if rare:
            yield (
                f"record texts with these phones, heard fewer than {least} times in {part}: "
                f"{', '.join(rare)}"
            )


def of_sentences(leakage: Mapping[str, int], tested: int) -> Iterator[str]:
    """Say how much of the test is a text that was trained on."""
    if known := leakage["test_utterances_with_a_train_sentence"]:
        yield (
            f"{known} of {tested} test utterances say what train says too, so that scores are of "
            f"known sentences: record other sentences for test"
        )


def of_sexes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Say where a part knows the voices of one sex only, if it is known of all of them."""
    for part in ("train", "test"):
        found = parts[part]["speakers_by_sex"]
        if UNKNOWN not in found and len(found) == 1:
            (there,) = found
            absent = SEXES["m" if there == "f" else "f"]
            yield f"all {found[there]} speakers of {part} are {SEXES[there]}: record {absent}"


def of_sound(parts: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Say where half the clips or more are too noisy or too quiet."""
    advice = (
        ("snr_db", limits.snr_db, "dB of speech over noise", "record nearer or in a quieter room"),
        ("level_dbfs", limits.level_dbfs, "dBFS", "raise the recording level"),
    )
    for measure, least, unit, act in advice:
        for part in PARTS:
            median = parts[part]["measures"][measure].get("median")
            if median is not None and median < least:
                yield f"half of {part} has {median:g} {unit} or less, below {least:g}: {act}"


def of_machines(parts: Mapping[str, Any]) -> Iterator[str]:
    """Say which parts no person speaks in."""
    machine = [part for part, n in parts.items() if n["synthetic_hours"] == n["hours"]]
    if machine:
        yield f"record people for {', '.join(machine)}: a machine spoke all of it"
