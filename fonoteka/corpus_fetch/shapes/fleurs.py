"""FLEURS: for each language and part, a table without a header and an archive of WAV files.

The columns are sentence id, file, text as written, text without case and marks, its characters,
number of samples, and sex. Speakers are not named.

Source: the data set's card, and the loading script beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.core.files import split_lines
from fonoteka.corpus_fetch.archives import extract
from fonoteka.corpus_fetch.shapes.arranged import ArrangedFolder, FetchedFiles, write_rows

VALUES = 7
SEXES = {"FEMALE": "f", "MALE": "m"}


def arrange(fetched: FetchedFiles, out: Path) -> ArrangedFolder:
    """Write `LANGUAGE/PART/FILE.wav` and one table; the text is the one as written.

    Raises:
        UserError: an archive or a table cannot be read.
    """
    rows: list[tuple[str, ...]] = []
    notes = []
    for language in fetched.languages:
        for part in fetched.parts:
            folder = f"data/{fetched.corpus.languages[language]}"
            table = fetched.paths[f"{folder}/{part}.tsv"]
            below = f"{language}/{part}"
            extract([fetched.paths[f"{folder}/audio/{part}.tar.gz"]], out, _wav_below(below))
            wrong: Counter[str] = Counter()
            rows += _rows(table, language, below, wrong)
            notes += [
                f"{n} rows of {language} {table.name} {reason}" for reason, n in wrong.items()
            ]
    return replace(write_rows(out, rows), notes=tuple(notes))


def _wav_below(folder: str):  # type: ignore[no-untyped-def]
    def keep(name: PurePosixPath) -> str | None:
        return f"{folder}/{name.name}" if name.suffix == ".wav" else None

    return keep


def _rows(
    table: Path, language: str, folder: str, wrong: Counter[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a table; quotes are part of the text."""
    try:
        lines = split_lines(table.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{table}: not UTF-8 at byte {error.start}; fetch it again") from error
    for line in lines:
        values = line.rstrip("\r").split("\t")
        if len(values) != VALUES:
            wrong[f"do not have {VALUES} values"] += 1
            continue
        sex = SEXES.get(values[6], "")
        yield f"{folder}/{values[1]}", values[2], f"{language}-{sex or 'x'}", language, sex
