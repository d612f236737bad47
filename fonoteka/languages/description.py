"""The description of a language: one YAML or JSON file with all that the text stages need.

docs/new-language.md explains each key. Every key is required, so that a description states what the
language does not have too: an empty table is an answer, a missing one is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.params import build
from fonoteka.formats.yaml_file import read_yaml

SHIPPED = Path(__file__).with_name("described")
TABLE, ESPEAK = "table", "espeak"


@dataclass(frozen=True)
class ContextRule:
    """The phones of a spelling next to certain letters.

    Attributes:
        spelling: one or more letters.
        left: regular expression that must match the letters before, up to the spelling.
        right: regular expression that must match the letters after it; `$` is the end of the word.
        phones: separated by spaces; empty for letters that are silent.
    """

    spelling: str
    left: str
    right: str
    phones: str

    def __post_init__(self) -> None:
        """Raise for an empty spelling or an expression that is not valid."""
        if not self.spelling:
            raise UserError("rules: a spelling is empty; name the letters of the rule")
        for name in ("left", "right"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise UserError(
                    f"rules: {name} of {self.spelling!r} is not a regular expression: {error}"
                ) from error


@dataclass(frozen=True)
class NumberWords:
    """The words of 0 to 999999.

    Attributes:
        units: of 0 to 19.
        tens: of 20, 30, to 90.
        hundreds: of 100, 200, to 900.
        compound: 21 to 99 as one word with `{unit}` and `{tens}`; empty if they are two words.
        last_joiner: written before the last word of several; empty for none.
        thousand: the word after a number that ends in 1, but not in 11.
        thousands: the word after other numbers.
        before_thousands: words that replace those of `units` before a thousand, by number.
    """

    units: tuple[str, ...]
    tens: tuple[str, ...]
    hundreds: tuple[str, ...]
    compound: str
    last_joiner: str
    thousand: str
    thousands: str
    before_thousands: dict[int, str]

    def __post_init__(self) -> None:
        """Raise for a table of another length, or a compound without its two places."""
        for name, count in (("units", 20), ("tens", 8), ("hundreds", 9)):
            words = getattr(self, name)
            if len(words) != count or not all(words):
                raise UserError(f"numbers.{name} must have {count} words, found {len(words)}")
        if self.compound and not {"{unit}", "{tens}"} <= {*re.findall(r"\{\w*\}", self.compound)}:
            raise UserError(
                f"numbers.compound must contain {{unit}} and {{tens}}, found {self.compound!r}"
            )


@dataclass(frozen=True)
class LanguageDescription:
    """One language.

    Attributes:
        code: ISO 639-1, two letters.
        name: in English.
        alphabet: the small letters of canonical text.
        g2p: `table` for the tables below, `espeak` for the voice and its mapping.
        letters: phones of each letter or digraph, separated by spaces.
        rules: tried in order before `letters`.
        exceptions: phones of whole words, tried before the rules.
        digraphs: for each spelling of several letters whose letters are spelled alone too, the
            stems in which they are two, as `nad|živ`; an empty text if the language has none.
        voicing: voiceless counterpart of each voiced phone that assimilates; empty if none does.
        new_phones: those that the inventory lacks, each with its nearest phone there.
        voice: name of a voice of espeak-ng.
        espeak: phones of each symbol of that voice that is not one of the inventory.
        transliteration: from another script to the alphabet; empty if only one script is in use.
        numbers: words of numbers.
        abbreviations: each with its words; the full stop is a part of the key.
        signs: each with its words.
        examples: words with their phones.
        texts: sentences with their canonical text.
        templates: sentences with `{list}`, for a synthetic corpus.
        words: the lists of the templates.
    """

    code: str
    name: str
    alphabet: str
    g2p: str
    letters: dict[str, str]
    rules: tuple[ContextRule, ...]
    exceptions: dict[str, str]
    digraphs: dict[str, str]
    voicing: dict[str, str]
    new_phones: dict[str, str]
    voice: str
    espeak: dict[str, str]
    transliteration: dict[str, str]
    numbers: NumberWords
    abbreviations: dict[str, str]
    signs: dict[str, str]
    examples: dict[str, str]
    texts: dict[str, str]
    templates: tuple[str, ...]
    words: dict[str, str]

    def __post_init__(self) -> None:
        """Raise for a code that is not one, or another way to phones."""
        if not re.fullmatch("[a-z]{2}", self.code):
            raise UserError(f"code must be two letters of ISO 639-1, found {self.code!r}")
        if self.g2p not in (TABLE, ESPEAK):
            raise UserError(f"g2p must be {TABLE} or {ESPEAK}, found {self.g2p!r}")


def shipped() -> dict[str, Path]:
    """Return the descriptions of this project by code.

    >>> sorted(shipped())
    ['mk', 'sl']
    """
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def read_description(path: Path) -> LanguageDescription:
    """Return the description in a file, or in the only file of a folder.

    Raises:
        UserError: the file is missing, is not YAML or JSON, or a key is missing, unknown or wrong.
    """
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in (".json", ".yaml", ".yml"))
        if len(files) != 1:
            raise UserError(f"{path}: {len(files)} descriptions (.yaml, .json); expected one")
        path = files[0]
    if not path.is_file():
        raise UserError(f"{path}: no such description; shipped ones are {', '.join(shipped())}")
    # YAML contains JSON. Its `no` and `on` are truth values, so words of that form are quoted.
    values = read_yaml(path)
    try:
        return build(values, LanguageDescription, str(path))
    except UserError as error:
        place = "" if str(error).startswith(str(path)) else f"{path}: "
        raise UserError(f"{place}{error}") from error


def keys() -> list[str]:
    """Return the keys of a description, in their order."""
    return [field.name for field in fields(LanguageDescription)]


@cache
def described(code: str) -> LanguageDescription:
    """Return a shipped description.

    Raises:
        UserError: the language is not among them.
    """
    return read_description(SHIPPED / f"{code}.yaml")
