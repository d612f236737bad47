"""Write the corpus that was planned: audio copied, cut or converted, its table, card and phones."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from fonoteka.audiocheck.probe import DECODE_ERRORS
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json, write_text
from fonoteka.corpus.clip_terms import OWN_COLUMNS
from fonoteka.corpus.corpus import (
    CARD,
    KNOWN_COLUMNS,
    PHONES,
    TABLE,
    TABLE_COLUMNS,
    Card,
)
from fonoteka.corpus.importers.layouts.audio_io import Part, convert, cut
from fonoteka.corpus.importers.plan import Planned
from fonoteka.tables import write_table


def copy(
    folder: Path, out: Path, clips: Sequence[Planned], also: Sequence[str], card: Card
) -> list[str]:
    """Write a corpus; the folder it comes from stays as it is.

    The names were checked before, by `check_names`. A recording that ffmpeg can't convert is copied
    as it is, for the inventory to name.

    Args:
        folder: where the recordings are.
        out: the corpus's folder; it must not be there.
        clips: what to write.
        also: audio without a row, copied under its name.
        card: what the corpus says of itself.

    Returns:
        One sentence for each recording that could not be converted.

    Raises:
        ValueError: a part can't be cut.
    """
    failed: dict[str, str] = {}
    parts: dict[str, list[Part]] = defaultdict(list)
    with atomic_folder(out) as part:
        for planned in clips:
            target = part / planned.clip.path
            if planned.span_s is not None:
                parts[planned.source].append(Part(*planned.span_s, target))
            elif planned.clip.path == planned.source:
                _copy_file(folder, planned.source, part)
            elif problem := convert(folder / planned.source, target):
                failed[planned.clip.path] = f"{folder / planned.source}: {problem}"
                _copy_file(folder, planned.source, part)
        for path in also:
            _copy_file(folder, path, part)
        for path, wanted in parts.items():
            _cut(folder / path, wanted)
        as_it_was = {p.clip.path: p.source for p in clips if p.clip.path in failed}
        _write_tables(part, [_renamed(planned, as_it_was) for planned in clips], card)
    return list(failed.values())


def _renamed(planned: Planned, names: Mapping[str, str]) -> Planned:
    """Return a clip with the names that it and its parent have now."""
    clip = planned.clip
    path, parent = names.get(clip.path, clip.path), names.get(clip.parent, clip.parent)
    return replace(planned, clip=replace(clip, path=path, parent=parent))


def _copy_file(folder: Path, path: str, out: Path) -> None:
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / path, target)


def _cut(path: Path, parts: list[Part]) -> None:
    try:
        cut(path, parts)
    except DECODE_ERRORS as error:
        raise UserError(f"{path}: can't be cut: {error}; repair it or leave it out") from error


def _write_tables(out: Path, rows: list[Planned], card: Card) -> None:
    """Write the card, the table with the columns that any clip fills, and the phones if any."""
    rows = sorted(rows, key=lambda planned: planned.clip.path)
    values = [asdict(planned.clip) | asdict(planned.terms) for planned in rows]
    optional = (*KNOWN_COLUMNS, *OWN_COLUMNS)
    columns = (*TABLE_COLUMNS, *(name for name in optional if any(row[name] for row in values)))
    write_table(out / TABLE, columns, [{name: row[name] for name in columns} for row in values])
    write_json(out / CARD, asdict(card))
    lines = [
        json.dumps(
            {"path": p.clip.path, "phones": p.timed.phones, "times_s": p.timed.times_s},
            ensure_ascii=False,
            allow_nan=False,
        )
        for p in rows
        if p.timed is not None
    ]
    if lines:
        write_text(out / PHONES, "\n".join(lines))
