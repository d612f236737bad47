"""Make one checked row of metadata.csv of what a layout found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import KNOWN_COLUMNS, TABLE_COLUMNS, Clip, checked_clip
from fonoteka.corpus.importers.layouts.base import (
    Found,
    Given,
    Reading,
    RefusedError,
    Source,
    stem_of,
)
from fonoteka.phones import LANGUAGES

CODES = MappingProxyType({"bos": "bs", "eng": "en", "hrv": "hr", "srp": "sr"})
"""ISO 639-3 to the codes used here."""

SEXES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("f", "female", "female_feminine", "w", "woman", "ž", "žena", "žensko"), "f")
    | dict.fromkeys(("m", "male", "male_masculine", "man", "muškarac", "muško"), "m")
)


def check_told(reading: Reading, given: Given, source: Source) -> None:
    """Refuse a folder of which nothing says who speaks, or in which language.

    Raises:
        ValueError: that is so; it names the options that would say it.
    """
    fields = reading.says | set(given.shared) | (given.pattern.fields if given.pattern else set())
    for name in ("speaker", "language"):
        said = name in fields or any(getattr(found, name).strip() for found in reading.found)
        if reading.found and not said:
            raise UserError(
                f"{source.folder}: nothing says the {name} of the clips; give --{name}, or "
                f"--pattern such as '{{{name}}}/{{}}' where names of folders or files do"
            )


def clip_of(found: Found, path: str, source: Source, given: Given) -> tuple[Clip, str]:
    """Return a clip, and its sex as written where that is neither f nor m.

    What the user says of all clips comes before what a file's name says, and that before the
    layout. A text stands on one line.

    Args:
        found: what the layout found.
        path: the file that it means.
        source: the folder that holds it.
        given: what the user says.

    Raises:
        RefusedError: the name doesn't fit the pattern, the language is unknown, the speaker is
            empty or a value can't be written.
    """
    row = {name: getattr(found, name) for name in (*TABLE_COLUMNS, *KNOWN_COLUMNS)}
    row |= _named(path, found.where, given) | dict(given.shared) | {"path": path}
    row = {name: " ".join(value.splitlines()).strip() for name, value in row.items()}
    row["path"] = path
    code = re.split("[-_]", row["language"].lower())[0]
    row["language"] = CODES.get(code, code)
    written = row["sex"].lower()
    row["sex"] = SEXES.get(written, "")
    try:
        "".join([*row.values(), found.terms.licence, found.terms.source]).encode()
        clip = checked_clip(row, source.folder, found.where)
    except UnicodeEncodeError as error:
        odd = error.object[error.start]
        raise RefusedError("wrong row", f"{found.where}: {odd!r} is no character") from error
    except ValueError as error:
        raise RefusedError(_kind(row), str(error), row["language"]) from error
    return clip, "" if clip.sex else written


def _named(path: str, where: str, given: Given) -> dict[str, str]:
    """Return what a file's name says by the user's pattern."""
    if given.pattern is None:
        return {}
    told = given.pattern.read(stem_of(path))
    if told is None:
        raise RefusedError(
            "no match",
            f"{where}: {stem_of(path)!r} does not fit --pattern {given.pattern.written!r}",
        )
    return told


def _kind(row: Mapping[str, str]) -> str:
    if row["language"] not in LANGUAGES:
        return "unknown language"
    return "wrong row" if row["speaker"] else "no speaker"
