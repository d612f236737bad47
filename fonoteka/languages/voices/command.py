"""Check a description of a language, and speak a small corpus from it."""

from __future__ import annotations

from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import DONE, FAILED
from fonoteka.git import project
from fonoteka.languages.check import problems
from fonoteka.languages.description import LanguageDescription, read_description, shipped
from fonoteka.languages.voices.synthetic_corpus import CorpusSize, write_corpus
from fonoteka.languages.voices.voice_check import (
    agreement,
    phones_of_description,
    voice_problems,
)
from fonoteka.phones import LANGUAGES


def find_description(name: str) -> LanguageDescription:
    """Return the description with a shipped code, or that of a file or folder.

    Raises:
        UserError: nothing of that name exists, or the description is wrong.
    """
    return read_description(shipped().get(name, Path(name)))


def check(name: str) -> int:
    """Print what is wrong with a description, and return 1 if anything is, else 0.

    Raises:
        UserError: the description cannot be read.
    """
    description = find_description(name)
    defects = [*voice_problems(description)]
    if (
        not defects or description.g2p != "espeak"
    ):  # without its voice such a language has no phones
        defects += problems(description, phones_of_description(description))
    for problem in defects:
        print(problem)
    if defects:
        print(f"{description.code}: {len(defects)} problems")
        return FAILED
    voice = agreement(description)
    for word, expected, spoken in voice.different:
        print(f"voice: {word}: expected {expected}, spoken {spoken}")
    print(
        f"{description.code}: {description.name}: {len(description.alphabet)} letters, "
        f"{len(description.rules)} rules, {voice.total} examples, {len(description.new_phones)} "
        f"new phones; espeak-ng speaks {voice.equal} of {voice.total} examples as expected"
    )
    return DONE


def synthesize(name: str, folder: Path, size: CorpusSize) -> None:
    """Write a synthetic corpus of a described language, and print the counts.

    Raises:
        UserError: the description has problems, the folder exists, or it is in data/raw although
            the stages do not know the language yet.
    """
    description = find_description(name)
    defects = [*voice_problems(description)] or problems(
        description, phones_of_description(description)
    )
    if defects:
        raise UserError(f"{name}: {len(defects)} problems, first {defects[0]}; run language check")
    raw = project() / "data" / "raw"
    if folder.resolve().parent == raw.resolve() and description.code not in LANGUAGES:
        raise UserError(
            f"{folder}: the stages refuse language {description.code!r}; apply the changes of "
            "docs/new-language.md first, or name a folder outside data/raw"
        )
    counts = write_corpus(folder, description, size)
    refused = counts["spoken otherwise than written"]
    print(f"language: {counts['clips']} clips in {folder}, {refused} sentences refused")
