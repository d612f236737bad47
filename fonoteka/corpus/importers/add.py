"""Put a folder of recordings under data/raw, tracked by DVC, whatever its layout is.

    python -m fonoteka corpus add FOLDER --name mine --licence "CC BY 4.0" --source "who and where"
    python -m fonoteka corpus look FOLDER

Reads   a folder with recordings and their texts, in one of the layouts of `layouts`
Writes  data/raw/NAME/ with the audio, metadata.csv, corpus.json and, where phones are known,
        phones.jsonl; data/raw/NAME.dvc

It shows what it understood, then copies; nothing is guessed about a row that is wrong, and nothing
that comes with the recordings is run. A corpus that is there is never written over: models and
reports hang on its bytes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import Card, check_corpus_name
from fonoteka.corpus.importers.copy import copy
from fonoteka.corpus.importers.layouts.audio_io import ffmpeg_is_there
from fonoteka.corpus.importers.layouts.base import ImportOptions, ParsedLayout, SourceFolder, scan
from fonoteka.corpus.importers.layouts.detect import LAYOUTS, detect
from fonoteka.corpus.importers.layouts.filename_pattern import parse
from fonoteka.corpus.importers.plan import ImportPlan, PlannedClip, plan
from fonoteka.corpus.importers.portable_names import check_names, shown
from fonoteka.corpus.importers.preview import describe, few
from fonoteka.git import entered, given_path


@dataclass(frozen=True)
class ImportPreview:
    """A folder, its parsed layout, the plan of the import, and the description of the plan."""

    source: SourceFolder
    parsed: ParsedLayout
    plan: ImportPlan
    shown: str


def preview_folder(folder: Path, options: ImportOptions) -> ImportPreview:
    """Return the plan of an import without copying anything.

    Raises:
        ValueError: the folder does not exist, no layout or several fit, a table is unreadable, or
            nothing states the speakers or the languages.
    """
    source = scan(folder)
    detected = detect(source, options)
    parsed = LAYOUTS[detected.name].read(source, detected.index, options)
    if source.duplicate_links:
        listed = f"{few(source.duplicate_links)}: their files are read under their own names"
        parsed.notes.append(("links", f"{len(source.duplicate_links)} not followed, {listed}"))
    ffmpeg = ffmpeg_is_there()
    import_plan = plan(source, parsed, options, ffmpeg)
    return ImportPreview(
        source, parsed, import_plan, describe(detected, parsed, import_plan, ffmpeg)
    )


def check_name(name: str, raw: Path) -> None:
    """Refuse a name that is not valid for a corpus, or that exists already."""
    check_corpus_name(name, "--name")
    for existing in (raw / name, raw / f"{name}.dvc"):
        if existing.exists():
            raise UserError(f"{existing} is there already; choose another --name or remove it")


def check_whole(preview: ImportPreview, allow_untranscribed: bool, leave_out: bool) -> None:
    """Refuse a folder with invalid rows or missing texts, unless the user allows it.

    Raises:
        ValueError: a row cannot be used, a recording has no text, two names collide, or no clip is
            left; the message names the first such case.
    """
    folder, import_plan = preview.source.folder, preview.plan
    if import_plan.refused and not leave_out:
        others = (
            f", and {len(import_plan.refused) - 1} more" if len(import_plan.refused) > 1 else ""
        )
        raise UserError(
            f"{shown(str(import_plan.refused[0]))}{others}; --leave-out adds the rest without"
        )
    if import_plan.untranscribed and not allow_untranscribed and not leave_out:
        raise UserError(
            f"{folder}: {len(import_plan.untranscribed)} clips have no transcript: "
            f"{few(import_plan.untranscribed)}; add their texts to {preview.parsed.texts}, or give "
            "--allow-untranscribed"
        )
    clips, rowless = chosen(import_plan, allow_untranscribed)
    if not clips:
        raise UserError(f"{folder}: no clip is left to add")
    check_names([*(planned.clip.path for planned in clips), *rowless], folder)


def chosen(
    import_plan: ImportPlan, allow_untranscribed: bool
) -> tuple[list[PlannedClip], list[str]]:
    """Return the clips to add, and the audio without a row to copy."""
    if allow_untranscribed:
        return import_plan.clips, import_plan.rowless
    return [planned for planned in import_plan.clips if planned.clip.text], []


def add(
    folder: Path,
    raw: Path,
    card: Card,
    options: ImportOptions,
    allow_untranscribed: bool,
    leave_out: bool,
) -> Path:
    """Plan an import, print the plan, and copy the corpus; return the corpus's folder."""
    check_name(card.name, raw)
    if not card.licence.strip():
        raise UserError("--licence is empty; say under which the recordings may be used")
    preview = preview_folder(folder, options)
    print(preview.shown)
    check_whole(preview, allow_untranscribed, leave_out)
    clips, rowless = chosen(preview.plan, allow_untranscribed)
    out = raw / card.name
    for sentence in copy(folder, out, clips, rowless, card):
        print(f"ffmpeg     {sentence}; copied as it is, inventory will quarantine it")
    return out


def track(out: Path) -> None:
    """Let DVC track a folder.

    Raises:
        ValueError: DVC failed; the folder stays.
    """
    command = [sys.executable, "-m", "dvc", "add", "--quiet", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise UserError(
            f"the corpus is in {out}, but dvc add failed: {result.stderr.strip()[-300:]}; "
            f"then run it yourself: dvc add {out}"
        )


def next_steps(out: Path, tracked: bool) -> str:
    """Return the next steps for the user."""
    ignore = out.parent / ".gitignore"
    files = f"{out}.dvc" + (f" {ignore}" if ignore.exists() else "")
    commit = f"\nkeep it     git add {files} && git commit -m 'Add corpus {out.name}'"
    return (
        f"added      {out}{commit if tracked else ''}\n"
        f"use it     add {out.name} to inventory.corpora in params.yaml, then make repro"
    )


def table_path(text: str) -> Path:
    """Return a table of the command line: one that is path, or else one inside of the folder."""
    path = given_path(text)
    return path if path.exists() else Path(text)


def given_by(
    layout: str | None,
    tables: Sequence[str],
    columns: Mapping[str, str],
    tiers: Mapping[str, str],
    shared: Mapping[str, str],
    pattern: str | None,
) -> ImportOptions:
    """Return what the command line says of a folder.

    Args:
        layout: one of `LAYOUTS`; None if the folder's files decide.
        tables: the tables to read; all if empty.
        columns: the table's column of each value that the layout need not find.
        tiers: the TextGrids' tier of words and of phones, the same.
        shared: the speaker or the language of all clips.
        pattern: which values the paths contain, as `filename_pattern.parse` reads it.

    Raises:
        ValueError: a pattern is wrong or gives a value that an option gives too.
    """
    parsed = None if pattern is None else parse(pattern)
    if parsed is not None and (twice := parsed.fields & set(shared)):
        name = min(twice)
        raise UserError(f"--{name} and --pattern both say the {name}; give one of them")
    paths = tuple(map(table_path, tables))
    return ImportOptions(layout or "", paths, dict(columns), dict(shared), parsed, dict(tiers))


def look(folder: Path, options: ImportOptions, allow_untranscribed: bool, leave_out: bool) -> None:
    """Print how a folder is understood, and whether it would be added.

    Raises:
        ValueError: the folder is refused as a whole.
    """
    with entered():
        preview = preview_folder(folder, options)
        print(preview.shown)
        try:
            check_whole(preview, allow_untranscribed, leave_out)
        except ValueError as error:
            print(f"refused    {error}")


def run(
    folder: Path,
    raw: Path,
    card: Card,
    options: ImportOptions,
    allow_untranscribed: bool,
    leave_out: bool,
    *,
    dvc: bool,
) -> None:
    """Add a folder at the top of the project, and print what is left to do.

    Raises:
        ValueError: the folder, the name or the licence is refused.
    """
    with entered():
        out = add(folder, raw, card, options, allow_untranscribed, leave_out)
        if dvc:
            track(out)
        print(next_steps(out, tracked=dvc))
