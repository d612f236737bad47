"""Convert a clip of a layout to a checked row of metadata.csv."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import KNOWN_COLUMNS, TABLE_COLUMNS, CorpusClip, checked_clip
from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
    stem_of,
)
from fonoteka.phones import LANGUAGES

CODES = MappingProxyType({"bos": "bs", "eng": "en", "hrv": "hr", "srp": "sr"})
"""ISO 639-3 codes to the ISO 639-1 codes used here."""

SEXES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("f", "female", "female_feminine", "w", "woman", "ž", "žena", "žensko"), "f")
    | dict.fromkeys(("m", "male", "male_masculine", "man", "muškarac", "muško"), "m")
)


def check_required_fields(
    parsed: ParsedLayout, options: ImportOptions, source: SourceFolder
) -> None:
    """Refuse a folder in which nothing states the speakers or the languages.

    Raises:
        ValueError: nothing states them; the message names the options that do.
    """
    fields = (
        parsed.declared
        | set(options.shared)
        | (options.pattern.fields if options.pattern else set())
    )
    for name in ("speaker", "language"):
        is_declared = name in fields or any(getattr(entry, name).strip() for entry in parsed.clips)
        if parsed.clips and not is_declared:
            raise UserError(
                f"{source.folder}: nothing says the {name} of the clips; give --{name}, or "
                f"--pattern such as '{{{name}}}/{{}}' where names of folders or files do"
            )


def make_clip(
    entry: UncheckedClip, path: str, source: SourceFolder, options: ImportOptions
) -> tuple[CorpusClip, str]:
    """Return a clip, and its sex as written if that is neither f nor m (else empty).

    Options for all clips override the file's name, and the file's name overrides the layout. Line
    breaks in values become spaces.

    Args:
        entry: the clip as the layout parsed it.
        path: the file of the clip.
        source: the folder that contains it.
        options: the user's options.

    Raises:
        RefusedError: the name does not match the pattern, the language is unknown, the speaker is
            empty or a value is not valid Unicode.
    """
    row = {name: getattr(entry, name) for name in (*TABLE_COLUMNS, *KNOWN_COLUMNS)}
    row |= _fields_of_name(path, entry.place, options) | dict(options.shared) | {"path": path}
    row = {name: " ".join(value.splitlines()).strip() for name, value in row.items()}
    row["path"] = path
    code = re.split("[-_]", row["language"].lower())[0]
    row["language"] = CODES.get(code, code)
    written = row["sex"].lower()
    row["sex"] = SEXES.get(written, "")
    try:
        "".join([*row.values(), entry.terms.licence, entry.terms.source]).encode()
        clip = checked_clip(row, source.folder, entry.place)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise RefusedError(
            "wrong row", f"{entry.place}: {character!r} is not valid Unicode"
        ) from error
    except ValueError as error:
        raise RefusedError(_refusal_kind(row), str(error), row["language"]) from error
    return clip, "" if clip.sex else written


def _fields_of_name(path: str, place: str, options: ImportOptions) -> dict[str, str]:
    """Return the fields that the user's pattern reads from a file's name."""
    if options.pattern is None:
        return {}
    fields = options.pattern.read(stem_of(path))
    if fields is None:
        raise RefusedError(
            "no match",
            f"{place}: {stem_of(path)!r} does not fit --pattern {options.pattern.written!r}",
        )
    return fields


def _refusal_kind(row: Mapping[str, str]) -> str:
    if row["language"] not in LANGUAGES:
        return "unknown language"
    return "wrong row" if row["speaker"] else "no speaker"
