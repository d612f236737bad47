"""Write a corpus with augmented copies beside its recordings.

    python -m fonoteka augment CORPUS --recipe NAME --copies N

Reads   data/raw/CORPUS, configs/augment.yaml
Writes  data/raw/NEW with the recordings of CORPUS, N changed copies of each, metadata.csv,
        corpus.json, where phones are known phones.jsonl, and report.json; data/raw/NEW.dvc

A copy has its recording as `parent`, so that splits keep both together, and its text, speaker,
session, licence and source. A parent is a clip of the same corpus, so the recordings are copied
too, and NEW takes the place of CORPUS in `inventory.corpora`. A run that was killed leaves no NEW,
and the next one takes the copies that were finished from the cache of results.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import soundfile

from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.compute.clip_task import Shard
from fonoteka.compute.map_shards import map_shards
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, write_json, write_json_lines
from fonoteka.corpus.clip_terms import AS_THE_CORPUS, OWN_COLUMNS, ClipTerms, own_terms
from fonoteka.corpus.copy_task import AugmentedCopy, CopyItem, copy_task
from fonoteka.corpus.corpus import (
    CARD,
    KNOWN_COLUMNS,
    PHONES,
    TABLE,
    TABLE_COLUMNS,
    CorpusClip,
    TimedPhones,
    check_corpus_name,
    is_audio,
    read_card,
    read_clips,
    read_phones,
)
from fonoteka.tables import write_table

COPIES, REPORT = "augmented", "report.json"
SHARD_ITEMS = 64  # copies in memory at a time: 5 MB for clips of 3 s


@dataclass(frozen=True)
class CopyRow:
    """A row of the new corpus.

    Attributes:
        clip: of the table.
        terms: its own licence and source.
        timed: its phones, or None.
    """

    clip: CorpusClip
    terms: ClipTerms
    timed: TimedPhones | None


def check_request(corpus: str, raw: Path, copies: int, recipe: AugmentRecipe) -> None:
    """Refuse what cannot be done, before anything is read.

    Raises:
        UserError: the corpus does not exist, or nothing would be copied or changed.
    """
    if not (raw / corpus).is_dir():
        existing = sorted(p.name for p in raw.glob("[!.]*") if p.is_dir()) if raw.is_dir() else []
        raise UserError(f"{raw}: no corpus {corpus!r}, only {existing}; name one of them")
    if copies < 1:
        raise UserError(f"--copies must be at least 1, found {copies}")
    if not recipe.changes:
        raise UserError(
            f"--recipe {recipe.name!r} changes nothing, so copies would equal their recordings; "
            "name another recipe of configs/augment.yaml"
        )


def copy_path(path: str, number: int) -> str:
    """Return the path of a copy; the suffix stays in it, because `a.wav` and `a.mp3` are two clips.

    >>> copy_path("ana/one.wav", 2)
    'augmented/ana/one.wav-2.flac'
    """
    return f"{COPIES}/{path}-{number}.flac"


def moved(timed: TimedPhones, factor: float, duration_s: float) -> TimedPhones:
    """Return the phones of a copy that is `factor` times as fast and lasts `duration_s`.

    >>> moved(TimedPhones(("a",), ((0.5, 1.0),)), 2.0, 0.5).times_s
    ((0.25, 0.5),)
    """
    times = tuple(
        (min(round(start / factor, 6), duration_s), min(round(end / factor, 6), duration_s))
        for start, end in timed.times_s
    )
    return TimedPhones(timed.phones, times)


def augmented_corpus(
    folder: Path, out: Path, recipe: AugmentRecipe, copies: int, seed: int
) -> tuple[int, int]:
    """Write a corpus with copies and return the numbers of recordings and of copies.

    A recording that is a copy itself, by its column `parent`, is kept and gets no copies.

    Args:
        folder: of the corpus that is read.
        out: the new folder; nothing is written there if anything fails.
        recipe: the changes.
        copies: of each recording.
        seed: of all draws.

    Raises:
        UserError: the corpus is wrong, a recording cannot be read, or a path is taken.
    """
    card, clips = read_card(folder), read_clips(folder)
    terms, phones = own_terms(folder), read_phones(folder)
    _check_paths(folder, clips)
    rows = [
        CopyRow(clip, terms.get(clip.path, AS_THE_CORPUS), phones.get(clip.path)) for clip in clips
    ]
    sources = {row.clip.path: row for row in rows if not row.clip.parent}
    created = 0
    with atomic_folder(out) as part:
        for row in rows:
            target = part / row.clip.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / row.clip.path, target)
        for item, copy in _copies(folder, [*sources], recipe, copies, seed):
            rows.append(_write_copy(part, sources[item.path], item, copy))
            created += 1
            if created % 500 == 0:
                print(f"copy {created} of {copies * len(sources)}", flush=True)
        _write_tables(part, rows)
        write_json(part / CARD, asdict(replace(card, name=out.name)))
        write_json(
            part / REPORT,
            {
                "of": card.name, "recipe": recipe.name, "seed": seed, "copies": copies,
                "changes": [asdict(change) for change in recipe.changes],
            },
        )  # fmt: skip
    return len(clips), created


def _copies(
    folder: Path, paths: Sequence[str], recipe: AugmentRecipe, copies: int, seed: int
) -> Iterator[tuple[CopyItem, AugmentedCopy]]:
    """Yield each copy, in the order of the paths and of the numbers."""
    items = [
        CopyItem(path, number, digest)
        for path in paths
        for digest in [sha256_file(folder / path)]
        for number in range(1, copies + 1)
    ]
    starts = range(0, len(items), SHARD_ITEMS)
    plan = [Shard(f"copies-{n:06d}", tuple(items[n : n + SHARD_ITEMS])) for n in starts]
    for shard, results in map_shards(copy_task(folder, recipe, seed), plan):
        yield from zip(shard.items, results, strict=True)


def _write_copy(part: Path, source: CopyRow, item: CopyItem, copy: AugmentedCopy) -> CopyRow:
    """Write a copy and return its row."""
    path = copy_path(item.path, item.number)
    target = part / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(copy.flac)
    timed = source.timed and moved(source.timed, copy.factor, soundfile.info(target).duration)
    return replace(source, clip=replace(source.clip, path=path, parent=item.path), timed=timed)


def _check_paths(folder: Path, clips: Sequence[CorpusClip]) -> None:
    """Refuse a corpus that has files where copies would be written."""
    colliding = [clip.path for clip in clips if clip.path.partition("/")[0].lower() == COPIES]
    if colliding:
        raise UserError(
            f"{folder / TABLE}: {colliding[0]!r} is in the folder of copies; rename {COPIES}/, or "
            "augment the corpus that this one was made from"
        )


def _without_row(folder: Path) -> int:
    """Return how many audio files of a corpus its table does not name."""
    listed = {clip.path for clip in read_clips(folder)}
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sum(is_audio(path) and path not in listed for path in paths)


def _write_tables(part: Path, rows: Sequence[CopyRow]) -> None:
    """Write the table without empty optional columns, and the phones if there are any."""
    rows = sorted(rows, key=lambda row: row.clip.path)
    values: list[Mapping[str, str]] = [asdict(row.clip) | asdict(row.terms) for row in rows]
    optional = (*KNOWN_COLUMNS, *OWN_COLUMNS)
    columns = (*TABLE_COLUMNS, *(name for name in optional if any(row[name] for row in values)))
    write_table(part / TABLE, columns, [{name: row[name] for name in columns} for row in values])
    if any(row.timed for row in rows):
        records = [
            {"path": row.clip.path, "phones": row.timed.phones, "times_s": row.timed.times_s}
            for row in rows
            if row.timed
        ]
        write_json_lines(part / PHONES, records)


def run(corpus: str, name: str, recipe_name: str, copies: int, seed: int, raw: Path) -> Path:
    """Write data/raw/NEW and print what to do next; return the new folder.

    Args:
        corpus: folder below `raw`.
        name: of the new corpus; empty for `CORPUS-RECIPE`.
        recipe_name: of configs/augment.yaml.
        copies: of each recording.
        seed: of all draws.
        raw: where corpora are.

    Raises:
        UserError: a value is refused, the new folder exists, or `augmented_corpus` refuses.
    """
    recipe = load_recipe(recipe_name, "--recipe")
    check_request(corpus, raw, copies, recipe)
    out = raw / (name or f"{corpus}-{recipe_name}")
    check_corpus_name(out.name, "--name")
    for existing in (out, out.with_name(f"{out.name}.dvc")):
        if existing.exists():
            raise UserError(f"{existing} is there already; choose another --name or remove it")
    recordings, created = augmented_corpus(raw / corpus, out, recipe, copies, seed)
    print(f"wrote      {out}: {recordings} recordings of {corpus} and {created} copies of them")
    if unlisted := _without_row(raw / corpus):
        print(f"left out   {unlisted} audio files of {corpus} without a row in {TABLE}")
    print(f"use it     write {out.name} for {corpus} in inventory.corpora of params.yaml")
    return out
