"""Write a planned corpus: copy, cut or convert audio; write the table, the card and the phones."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from fonoteka.audiocheck.probe import DECODE_ERRORS
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_json_lines
from fonoteka.corpus.clip_terms import OWN_COLUMNS
from fonoteka.corpus.corpus import (
    CARD,
    KNOWN_COLUMNS,
    PHONES,
    TABLE,
    TABLE_COLUMNS,
    Card,
)
from fonoteka.corpus.importers.layouts.audio_io import AudioPart, convert, cut
from fonoteka.corpus.importers.plan import PlannedClip
from fonoteka.tables import write_table


def copy(
    folder: Path, out: Path, clips: Sequence[PlannedClip], rowless: Sequence[str], card: Card,
    *, move: bool = False,
) -> list[str]:  # fmt: skip
    """Write a corpus; the source folder is not changed, unless its files are moved.

    `check_names` must have accepted the names. A recording that ffmpeg cannot convert is copied as
    it is, and the inventory reports it.

    Args:
        folder: where the recordings are.
        out: the new folder of the corpus; it must not exist.
        clips: the clips to write.
        rowless: audio without a row, copied under its name.
        card: contents of corpus.json.
        move: move whole recordings instead of copying them, which needs no second copy on the disk;
            the source folder must be a temporary one.

    Returns:
        One sentence for each recording that could not be converted.

    Raises:
        ValueError: a part cannot be cut.
    """
    failed: dict[str, str] = {}
    parts: dict[str, list[AudioPart]] = defaultdict(list)
    with atomic_folder(out) as part:
        for planned in clips:
            target = part / planned.clip.path
            if planned.span_s is not None:
                parts[planned.source].append(AudioPart(*planned.span_s, target))
            elif planned.clip.path == planned.source:
                _copy_file(folder, planned.source, part, move=move)
            elif problem := convert(folder / planned.source, target):
                failed[planned.clip.path] = f"{folder / planned.source}: {problem}"
                _copy_file(folder, planned.source, part)
        for path in rowless:
            _copy_file(folder, path, part)
        for path, spans in parts.items():
            _cut(folder / path, spans)
        original_names = {p.clip.path: p.source for p in clips if p.clip.path in failed}
        _write_tables(part, [_renamed(planned, original_names) for planned in clips], card)
    return list(failed.values())


def _renamed(planned: PlannedClip, names: Mapping[str, str]) -> PlannedClip:
    """Return a clip with the final names of itself and its parent."""
    clip = planned.clip
    path, parent = names.get(clip.path, clip.path), names.get(clip.parent, clip.parent)
    return replace(planned, clip=replace(clip, path=path, parent=parent))


def _copy_file(folder: Path, path: str, out: Path, *, move: bool = False) -> None:
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if move:
        shutil.move(folder / path, target)
    else:
        shutil.copyfile(folder / path, target)


def _cut(path: Path, parts: list[AudioPart]) -> None:
    try:
        cut(path, parts)
    except DECODE_ERRORS as error:
        raise UserError(f"{path}: cannot be cut: {error}; repair it or leave it out") from error


def _write_tables(out: Path, rows: list[PlannedClip], card: Card) -> None:
    """Write the card, the table without empty optional columns, and the phones if there are any."""
    rows = sorted(rows, key=lambda planned: planned.clip.path)
    values = [asdict(planned.clip) | asdict(planned.terms) for planned in rows]
    optional = (*KNOWN_COLUMNS, *OWN_COLUMNS)
    columns = (*TABLE_COLUMNS, *(name for name in optional if any(row[name] for row in values)))
    write_table(out / TABLE, columns, [{name: row[name] for name in columns} for row in values])
    write_json(out / CARD, asdict(card))
    phones = [
        {"path": p.clip.path, "phones": p.timed.phones, "times_s": p.timed.times_s}
        for p in rows
        if p.timed is not None
    ]
    if phones:
        write_json_lines(out / PHONES, phones)
