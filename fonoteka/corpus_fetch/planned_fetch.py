"""Decide what a fetch has to do: which folders are missing, and what is known of each file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import check_corpus_name
from fonoteka.corpus_fetch.catalogue import PublicCorpus, PublicFile
from fonoteka.corpus_fetch.download import part_of
from fonoteka.corpus_fetch.fetch_record import FetchRecord, read_record, record_of, with_recorded
from fonoteka.corpus_fetch.servers import RemoteFile

RESERVE = 1 << 28  # bytes that stay free: the system and other programs need some


@dataclass(frozen=True)
class CorpusFolder:
    """One corpus that a fetch writes.

    Attributes:
        out: its folder below data/raw.
        parts: that it contains.
        wanted: the record that it will have, without files.
        recorded: the record of its `.dvc` file or of an earlier fetch; None for the first fetch.
        place: the file with that record, or where it will be.
    """

    out: Path
    parts: tuple[str, ...]
    wanted: FetchRecord
    recorded: FetchRecord | None
    place: Path

    @property
    def pointer(self) -> Path:
        """The corpus's `.dvc` file."""
        return self.out.with_name(f"{self.out.name}.dvc")

    @property
    def is_there(self) -> bool:
        """Whether the folder exists."""
        return self.out.exists()


def plan_folders(
    corpus: PublicCorpus, languages: Sequence[str], parts: Sequence[str], target: Path | None,
    raw: Path, downloads: Path,
) -> list[CorpusFolder]:  # fmt: skip
    """Return the folders that a fetch writes: one, or one for each part.

    Args:
        corpus: the entry of the catalogue.
        languages: codes.
        parts: the corpus's parts.
        target: the folder that the user named; None for a name by the corpus and its part.
        raw: where corpora are.
        downloads: folder of the corpus's downloads.

    Raises:
        UserError: a folder exists and contains something else, its name is not valid, or one folder
            is named for several parts.
    """
    groups = [(part,) for part in parts] if corpus.folder_per_part else [tuple(parts)]
    if target is not None and len(groups) > 1:
        raise UserError(
            f"--into {target}: {corpus.name} is written as one corpus for each part, so that "
            f"split.assigned can name them; choose one of {list(parts)} with --split, or leave "
            "--into out"
        )
    stem = f"{corpus.name}-{languages[0]}" if corpus.archive else corpus.name
    folders = []
    for group in groups:
        name = f"{stem}-{group[0]}" if corpus.folder_per_part else stem
        out = target or raw / name
        check_corpus_name(out.name, f"--into {out}")
        wanted = record_of(corpus, languages, group)
        pointer, place = out.with_name(f"{out.name}.dvc"), record_path(downloads, out)
        if (recorded := read_record(pointer)) is not None:
            place = pointer
        else:
            recorded = read_record(place)
        folder = CorpusFolder(out, group, wanted, recorded, place)
        _check_folder(folder)
        folders.append(folder)
    return folders


def record_path(downloads: Path, out: Path) -> Path:
    """Return the path of the record of a corpus that DVC does not track, or not yet."""
    return downloads / "records" / f"{out.name}.json"


def _check_folder(folder: CorpusFolder) -> None:
    """Refuse a folder with another corpus, or with other languages or parts of this one."""
    recorded, wanted = folder.recorded, folder.wanted
    if not folder.out.exists() and not folder.pointer.exists():
        return
    if recorded is None:
        for existing in (folder.out, folder.pointer):
            if existing.exists():
                raise UserError(f"{existing} is there already and was not fetched; choose another "
                                "--into or remove it")  # fmt: skip
    elif not recorded.covers(wanted):
        raise UserError(
            f"{folder.out}: was fetched as {_shown(recorded)}, and now {_shown(wanted)} is asked "
            f"for; choose another --into, or remove the folder and {folder.pointer.name}"
        )


def _shown(record: FetchRecord) -> str:
    revision = f"@{record.revision}" if record.revision else ""
    return f"{record.corpus}{revision}, {' '.join(record.languages)}, {' '.join(record.parts)}"


def with_records(files: Sequence[RemoteFile], folders: Sequence[CorpusFolder]) -> list[RemoteFile]:
    """Return the files with the sizes and hashes of earlier fetches.

    Raises:
        UserError: the catalogue or the server states others.
    """
    for folder in folders:
        entries = folder.recorded.files if folder.recorded else {}
        updated: list[RemoteFile] = []
        for each in files:
            entry = entries.get(each.file.name)
            file = with_recorded(each.file, entry, str(folder.place)) if entry else each.file
            updated.append(replace(each, file=file))
        files = updated
    return [*files]


def bytes_here(path: Path) -> int:
    """Return how many bytes of a file have arrived."""
    return next((p.stat().st_size for p in (path, part_of(path)) if p.exists()), 0)


def missing_bytes(file: PublicFile, path: Path) -> int:
    """Return how many bytes of a file are to be downloaded, by its known or approximate size."""
    return max(0, size_of(file) - bytes_here(path)) if not path.exists() else 0


def size_of(file: PublicFile) -> int:
    """Return the size of a file in bytes, exact or approximate; 0 if neither is stated."""
    return file.bytes if file.bytes is not None else round(file.about_mb * 1e6)


def check_space(needed: Mapping[Path, int]) -> None:
    """Refuse a fetch that would fill a disk.

    Args:
        needed: bytes by folder; folders on one file system are summed.

    Raises:
        UserError: a file system has less space.
    """
    sums: dict[int, int] = {}
    for folder, count in needed.items():
        existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        device = existing.stat().st_dev
        sums[device] = sums.get(device, 0) + count
        free = shutil.disk_usage(existing).free
        if sums[device] + RESERVE > free:
            raise UserError(
                f"{folder}: the fetch needs {gigabytes(sums[device] + RESERVE)} in all, for the "
                f"downloads, the recordings and DVC's copy, and {gigabytes(free)} are free; make "
                "room, or choose fewer languages or parts"
            )


def gigabytes(count: int) -> str:
    """Return a number of bytes for people.

    >>> gigabytes(1500), gigabytes(2_340_000), gigabytes(6_387_309_499)
    ('1.5 kB', '2.3 MB', '6.39 GB')
    """
    if count < 10**6:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.1f} MB" if count < 10**9 else f"{count / 1e9:.2f} GB"
