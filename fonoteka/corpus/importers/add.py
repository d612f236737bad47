"""Put a folder of recordings under data/raw, tracked by DVC, whatever its layout is.

    make add-corpus FROM=folder NAME=mine LICENCE="CC BY 4.0" SOURCE="who and where"
    python -m fonoteka.corpus.importers.add FROM --name NAME --licence TEXT --source TEXT
    python -m fonoteka.corpus.importers.add FROM --look

Reads   a folder with audio and what is said in it, in one of the layouts of `layouts`
Writes  data/raw/NAME/ with the audio, metadata.csv, corpus.json and, where phones are known,
        phones.jsonl; data/raw/NAME.dvc

It shows what it understood, then copies; nothing is guessed about a row that is wrong, and nothing
that comes with the recordings is run. A corpus that is there is never written over: models and
reports hang on its bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import stage
from fonoteka.corpus.clip_terms import OWN_COLUMNS
from fonoteka.corpus.corpus import KNOWN_COLUMNS, TABLE_COLUMNS, Card, check_corpus_name
from fonoteka.corpus.importers.copy import copy
from fonoteka.corpus.importers.layouts.audio_io import ffmpeg_is_there
from fonoteka.corpus.importers.layouts.base import ImportOptions, ParsedLayout, SourceFolder, scan
from fonoteka.corpus.importers.layouts.detect import LAYOUTS, detect
from fonoteka.corpus.importers.layouts.filename_pattern import parse
from fonoteka.corpus.importers.plan import ImportPlan, PlannedClip, plan
from fonoteka.corpus.importers.portable_names import check_names, shown
from fonoteka.corpus.importers.preview import describe, few
from fonoteka.git import entered, given_path

TIERS = ("words", "phones")


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


def look(folder: Path, options: ImportOptions, allow_untranscribed: bool, leave_out: bool) -> None:
    """Print the plan of an import, and whether the folder would be refused."""
    preview = preview_folder(folder, options)
    print(preview.shown)
    try:
        check_whole(preview, allow_untranscribed, leave_out)
    except ValueError as error:
        print(f"refused    {error}")


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
    """Return a table of the command line: one that is here, or else one inside of FROM."""
    here = given_path(text)
    return here if here.exists() else Path(text)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    line.add_argument("folder", type=given_path, metavar="FROM", help="audio and its texts")
    line.add_argument("--look", action="store_true", help="show what is understood, and stop")
    line.add_argument("--name", help="folder below data/raw; letters, digits, - _")
    line.add_argument("--licence", help="under which the recordings may be used")
    line.add_argument(
        "--source", default="not stated",
        help="where the recordings come from; DATA_LICENSES.md shows it",
    )  # fmt: skip
    line.add_argument("--layout", choices=sorted(LAYOUTS), default="", help="default: by its files")
    line.add_argument(
        "--table", type=table_path, action="append", default=[],
        help="the table, wav.scp or manifest, where not all shall be read; may be given again",
    )  # fmt: skip
    for name in (*TABLE_COLUMNS, *KNOWN_COLUMNS, *OWN_COLUMNS):
        line.add_argument(
            f"--{name}-column",
            metavar="COLUMN",
            help=f"the table's column of {name}, its number for ljspeech",
        )
    for name in TIERS:
        line.add_argument(f"--{name}-tier", metavar="TIER", help=f"the TextGrids' tier of {name}")
    line.add_argument("--speaker", help="the speaker of all clips")
    line.add_argument("--language", help="the language of all clips: bs, en, hr or sr")
    line.add_argument(
        "--pattern", help="what paths without suffix say, as '{speaker}/{session}_{}'; {} is any"
    )
    line.add_argument("--synthetic", action="store_true", help="a machine spoke")
    line.add_argument("--allow-untranscribed", action="store_true", help="add clips without text")
    line.add_argument("--leave-out", action="store_true", help="add what is right, and no more")
    line.add_argument("--raw", type=given_path, default=Path("data/raw"), help="default: data/raw")
    line.add_argument("--no-dvc", action="store_true", help="don't let DVC track the folder")
    return line


def given_by(line: argparse.Namespace) -> ImportOptions:
    """Return what the command line says of the folder.

    Raises:
        ValueError: a pattern is wrong or says what an option says too.
    """
    pattern = None if line.pattern is None else parse(line.pattern)
    shared = {name: value for name in ("speaker", "language") if (value := getattr(line, name))}
    if pattern is not None and (twice := pattern.fields & set(shared)):
        name = min(twice)
        raise UserError(f"--{name} and --pattern both say the {name}; give one of them")
    columns = {
        name: value
        for name in (*TABLE_COLUMNS, *KNOWN_COLUMNS, *OWN_COLUMNS)
        if (value := getattr(line, f"{name}_column")) is not None
    }
    tiers = {name: value for name in TIERS if (value := getattr(line, f"{name}_tier")) is not None}
    return ImportOptions(line.layout, tuple(line.table), columns, shared, pattern, tiers)


def main() -> None:
    """Read the command line."""
    line = parser().parse_args()
    given = given_by(line)
    with entered():
        run(line, given)


def run(line: argparse.Namespace, given: ImportOptions) -> None:
    """Look at a folder or add it, as the command line says, at the top of the project.

    Raises:
        ValueError: the folder is refused, or the name or the licence is missing.
    """
    if line.look:
        look(line.folder, given, line.allow_untranscribed, line.leave_out)
        return
    if not line.name or line.licence is None:
        raise UserError("--name and --licence are needed to add a corpus; --look only shows it")
    card = Card(line.name, line.licence, line.source, line.synthetic)
    out = add(line.folder, line.raw, card, given, line.allow_untranscribed, line.leave_out)
    if not line.no_dvc:
        track(out)
    print(next_steps(out, tracked=not line.no_dvc))


if __name__ == "__main__":
    stage(main)
