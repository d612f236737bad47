"""Import staged clips into data/raw/NAME, and extend a corpus that was harvested before.

The importer writes the clips into a corpus of their own, which then becomes data/raw/NAME, or is
joined to it: a new folder is made beside the old one, from hard links where the disk has them, and
replaces it by two renames. A clip of the corpus never changes: its path is made of the hash of its
address and of its times.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence, Set
from dataclasses import asdict
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.corpus.corpus import CARD, TABLE, TABLE_COLUMNS, Card, read_card
from fonoteka.corpus.importers.add import check_whole, chosen, preview_folder
from fonoteka.corpus.importers.copy import copy
from fonoteka.corpus.importers.layouts.base import ImportOptions
from fonoteka.erasure.rewrite import all_files, clip_path, recover
from fonoteka.harvest.stage_clips import StagedItem
from fonoteka.tables import read_table, write_table

CLIPS = "clips.csv"
COLUMNS = (*TABLE_COLUMNS, "session", "licence", "source")


def import_staged(staged: Path, items: Sequence[StagedItem], out: Path, source: str) -> None:
    """Add staged clips to a corpus, and remove them from the folder `staged`.

    A run after a kill, at any moment, gives the same corpus.

    Args:
        staged: the folder with the clips.
        items: what is in it; at least one.
        out: the folder of the corpus.
        source: of the corpus as a whole, for its card.

    Raises:
        UserError: the importer refuses a clip, or the corpus is another.
    """
    recover(out)
    rows = [row for item in items for row in item.rows]
    write_table(staged / CLIPS, COLUMNS, rows)
    card = Card(out.name, _listed({row["licence"] for row in rows}), source, synthetic=False)
    temporary = staged.parent / "import" / out.name
    shutil.rmtree(temporary.parent, ignore_errors=True)
    preview = preview_folder(staged, ImportOptions("table", (staged / CLIPS,)))
    check_whole(preview, allow_untranscribed=True, leave_out=False)
    clips, _ = chosen(preview.plan, allow_untranscribed=True)
    if failed := copy(staged, temporary, clips, (), card):
        raise UserError(f"ffmpeg cannot convert a clip: {failed[0]}")
    if out.exists():
        _join(out, temporary)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(temporary, out)
    shutil.rmtree(temporary.parent, ignore_errors=True)
    shutil.rmtree(staged)


def _join(folder: Path, new: Path) -> None:
    """Replace a corpus by one that has the clips of another too."""
    card = read_card(folder)
    rows = {clip_path(row): row for row in read_table(folder / TABLE, ("path",))}
    rows |= {clip_path(row): row for row in read_table(new / TABLE, ("path",))}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    old, joined = (
        folder.with_name(f".{folder.name}.{word}.part") for word in ("before", "after")
    )  # the names that `recover` knows
    try:
        joined.mkdir()
        for source in (folder, new):
            for name in all_files(source):
                if name not in {TABLE, CARD}:
                    _link(source / name, joined / name)
        write_table(joined / TABLE, columns, [rows[path] for path in sorted(rows)])
        licences = {row["licence"] for row in rows.values()}
        write_json(joined / CARD, asdict(card) | {"licence": _listed(licences)})
        folder.rename(old)
        joined.rename(folder)
    finally:
        recover(folder)


def _listed(licences: Set[str]) -> str:
    """Return the licence of a card, whose clips have their own."""
    return " or ".join(sorted(licences))


def _link(file: Path, target: Path) -> None:
    if target.exists():
        return  # the same clip, imported again after a kill
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:  # another kind of disk
        shutil.copy2(file, target, follow_symlinks=False)


def check_corpus(out: Path, ledger: Path) -> None:
    """Refuse a corpus that was not harvested, or that is not checked out.

    Args:
        out: the folder of the corpus.
        ledger: its evidence.

    Raises:
        UserError: it is either.
    """
    recover(out)
    for path in (out, ledger):
        pointer = path.with_name(f"{path.name}.dvc")
        if pointer.is_file() and not path.exists():
            raise UserError(f"{path} is not here; fetch it first: dvc pull {pointer}")
    if out.exists() and not ledger.exists():
        raise UserError(f"{out} is there and was not harvested; choose another --name")
