"""Put a folder of recordings with their table under data/raw, tracked by DVC.

    make add-corpus FROM=folder NAME=mine LICENCE="CC BY 4.0" SOURCE="who and where"
    python -m stages.tools.add_corpus FROM --name NAME --licence TEXT --source TEXT

Reads   a folder with audio and one table (CSV or TSV) that names file, text, speaker, language
Writes  data/raw/NAME/ with the audio, metadata.csv and corpus.json; data/raw/NAME.dvc

It shows what it understood, then copies; nothing is guessed about a row that is wrong. A corpus
that is there is never written over: models and reports hang on its bytes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import soundfile as sf

from stages.common.cli import stage
from stages.common.corpora import CARD, PHONES, TABLE, TABLE_COLUMNS, Card, Clip
from stages.common.files import atomic_folder, write_json
from stages.common.probe import UNREADABLE
from stages.common.tables import write_table
from stages.tools.corpus_table import Understood, find_table, understand, untranscribed

RESERVED = (CARD, TABLE, PHONES)


def check_name(name: str, raw: Path) -> None:
    """Refuse a name that makes no good folder, or one that is taken."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"--name {name!r}: expected letters, digits, - and _ only")
    for taken in (raw / name, raw / f"{name}.dvc"):
        if taken.exists():
            raise ValueError(f"{taken} is there already; choose another --name or remove it")


def seconds_of(folder: Path, clips: list[Clip]) -> tuple[float, list[str]]:
    """Return how long the clips are in all, by their headers, and which can't be read."""
    total, broken = 0.0, []
    for clip in clips:
        try:
            info = sf.info(folder / clip.path)
            total += info.frames / info.samplerate
        except UNREADABLE:
            broken.append(clip.path)
    return total, broken


def describe(understood: Understood, folder: Path, without: list[str]) -> str:
    """Return what was understood, for a person to check before anything is trusted."""
    clips = understood.clips
    seconds, broken = seconds_of(folder, clips)
    languages = dict(sorted(Counter(clip.language for clip in clips).items()))
    speakers = sorted({clip.speaker for clip in clips})
    shown = ", ".join(f"{ours} from {theirs!r}" for ours, theirs in understood.columns.items())
    lines = [
        f"table      {understood.table}",
        f"columns    {shown}",
        f"clips      {len(clips)}, {seconds:.1f} s",
        f"speakers   {len(speakers)}: {_few(speakers)}",
        f"languages  {', '.join(f'{name} {count}' for name, count in languages.items())}",
    ]
    if without:
        lines.append(f"no text    {len(without)}: {_few(without)}")
    if broken:
        lines.append(f"unreadable {len(broken)}, inventory will quarantine them: {_few(broken)}")
    return "\n".join(lines)


def copy(folder: Path, out: Path, clips: list[Clip], also: list[str], card: Card) -> None:
    """Write the corpus: its audio under the names it has, its table and its card."""
    paths = sorted({clip.path for clip in clips} | set(also))
    if odd := sorted(set(paths) & set(RESERVED)):
        raise ValueError(f"{folder / odd[0]}: a clip can't have the name of a corpus's own file")
    with atomic_folder(out) as part:
        for path in paths:
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / path, part / path)
        write_table(part / TABLE, TABLE_COLUMNS, [asdict(clip) for clip in clips])
        write_json(part / CARD, asdict(card))


def track(out: Path) -> None:
    """Let DVC track a folder.

    Raises:
        ValueError: DVC failed; the folder stays.
    """
    command = [sys.executable, "-m", "dvc", "add", "--quiet", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(
            f"the corpus is in {out}, but dvc add failed: {done.stderr.strip()[-300:]}; "
            f"then run it yourself: dvc add {out}"
        )


def add(
    folder: Path,
    raw: Path,
    card: Card,
    table: Path | None,
    columns: dict[str, str],
    shared: dict[str, str],
    allow_untranscribed: bool,
) -> Path:
    """Understand a folder, say what was understood, and copy it; return where it now is."""
    check_name(card.name, raw)
    if not card.licence.strip():
        raise ValueError("--licence is empty; say under which the recordings may be used")
    understood = understand(folder, find_table(folder, table), columns, shared)
    without = untranscribed(folder, understood.clips)
    if without and not allow_untranscribed:
        raise ValueError(
            f"{folder}: {len(without)} clips have no transcript: {_few(without)}; add their "
            f"texts to {understood.table.name}, or give --allow-untranscribed"
        )
    print(describe(understood, folder, without))
    out = raw / card.name
    named = {clip.path for clip in understood.clips}
    copy(folder, out, understood.clips, [p for p in without if p not in named], card)
    return out


def next_steps(out: Path, tracked: bool) -> str:
    """Return what is left to do, which is the person's to decide."""
    ignore = out.parent / ".gitignore"
    files = f"{out}.dvc" + (f" {ignore}" if ignore.exists() else "")
    commit = f"\nkeep it     git add {files} && git commit -m 'Add corpus {out.name}'"
    return (
        f"added      {out}{commit if tracked else ''}\n"
        f"use it     add {out.name} to inventory.corpora in params.yaml, then make repro"
    )


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    line.add_argument("folder", type=Path, metavar="FROM", help="folder with audio and one table")
    line.add_argument("--name", required=True, help="folder below data/raw; letters, digits, - _")
    line.add_argument("--licence", required=True, help="under which the recordings may be used")
    line.add_argument("--source", default="not stated", help="where the recordings come from")
    line.add_argument("--table", type=Path, help="the table, where there are several")
    for name in TABLE_COLUMNS:
        line.add_argument(
            f"--{name}-column", metavar="COLUMN", help=f"the table's column of {name}"
        )
    line.add_argument("--speaker", help="the speaker of all clips")
    line.add_argument("--language", help="the language of all clips: bs, en, hr or sr")
    line.add_argument("--synthetic", action="store_true", help="a machine spoke")
    line.add_argument("--allow-untranscribed", action="store_true", help="add clips without text")
    line.add_argument("--raw", type=Path, default=Path("data/raw"), help="default: data/raw")
    line.add_argument("--no-dvc", action="store_true", help="don't let DVC track the folder")
    return line


def main() -> None:
    """Read the command line."""
    given = parser().parse_args()
    card = Card(given.name, given.licence, given.source, given.synthetic)
    columns = {
        name: value
        for name in TABLE_COLUMNS
        if (value := getattr(given, f"{name}_column")) is not None
    }
    shared = {
        name: value
        for name in ("speaker", "language")
        if (value := getattr(given, name)) is not None
    }
    out = add(
        given.folder, given.raw, card, given.table, columns, shared, given.allow_untranscribed
    )
    if not given.no_dvc:
        track(out)
    print(next_steps(out, tracked=not given.no_dvc))


if __name__ == "__main__":
    stage(main)
