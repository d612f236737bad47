"""Fetch a public corpus by name into data/raw.

    python -m fonoteka corpus fetch --list
    python -m fonoteka corpus fetch fleurs --languages hr --split train
    python -m fonoteka corpus fetch common-voice --languages sr --archive cv-corpus.tar.gz

Reads   the catalogue; servers, or an archive of the user's; data/raw/NAME.dvc of an earlier fetch
Writes  data/downloads/NAME/, and from it data/raw/NAME/ as `corpus add` does; data/raw/NAME.dvc

It shows licence, citation and size, and asks before it downloads. A revision has the same bytes
each time: sizes and hashes of the catalogue, of the server and of the first fetch are compared, and
a difference is an error. The downloads are removed once they are imported, because a recording
that `corpus erase` removes must not stay in an archive.
"""

from __future__ import annotations

import errno
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.catalogue import (
    CATALOGUE,
    PublicCorpus,
    PublicFile,
    checked_choice,
    chosen_files,
    find_corpus,
)
from fonoteka.corpus_fetch.download import download
from fonoteka.corpus_fetch.fetch_record import entry_of, write_record
from fonoteka.corpus_fetch.file_hashes import check_hashes, hash_file
from fonoteka.corpus_fetch.import_fetched import import_fetched
from fonoteka.corpus_fetch.planned_fetch import (
    CorpusFolder,
    bytes_here,
    check_space,
    gigabytes,
    missing_bytes,
    plan_folders,
    record_path,
    size_of,
    with_records,
)
from fonoteka.corpus_fetch.servers import RemoteFile, ask_servers
from fonoteka.corpus_fetch.shown_fetch import show_fetch
from fonoteka.git import entered
from fonoteka.pipeline.exclusive_lock import exclusive_lock

RAW = Path("data/raw")


@dataclass(frozen=True)
class FetchOptions:
    """What the user chose.

    Attributes:
        languages: codes; empty for all of the corpus.
        parts: of the corpus; empty for its default ones.
        target: the new folder; None for a name by the corpus.
        archive: of the user's; None to download.
        catalogue: the file that describes the corpora.
        yes: do not ask before the download.
        dry_run: show what would be done, and download nothing.
        keep_downloads: do not remove the archives after the import.
        dvc: whether DVC tracks the corpus.
    """

    languages: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    target: Path | None = None
    archive: Path | None = None
    catalogue: Path = CATALOGUE
    yes: bool = False
    dry_run: bool = False
    keep_downloads: bool = False
    dvc: bool = True


def run(name: str, options: FetchOptions, confirm: Callable[[str], str] = input) -> None:
    """Fetch a corpus.

    Args:
        name: in the catalogue.
        options: of the command line.
        confirm: asks a question and returns the answer.

    Raises:
        UserError: the name, a language, a part or a folder is refused; a server does not answer or
            has other bytes; the disk has too little space; an archive is damaged.
    """
    corpus = find_corpus(name, options.catalogue)
    languages = checked_choice(
        name, "language", options.languages, [*corpus.languages], [*corpus.languages]
    )
    parts = checked_choice(name, "part", options.parts, corpus.parts, corpus.default_parts)
    corpus, files = _with_archive(corpus, languages, parts, options.archive)
    with entered():
        raw = options.target.parent if options.target else RAW
        downloads = raw.parent / "downloads"
        folders = plan_folders(corpus, languages, parts, options.target, raw, downloads)
        new = [folder for folder in folders if not folder.is_there]
        for folder in folders:
            if folder.is_there:
                print(f"there       {folder.out}, as recorded; nothing to download")
        if new:
            files = [
                file for file in files
                if not file.part or any(file.part in folder.parts for folder in new)
            ]  # fmt: skip
            _fetch(corpus, languages, files, new, downloads, options, confirm)


def _with_archive(
    corpus: PublicCorpus, languages: Sequence[str], parts: Sequence[str], archive: Path | None
) -> tuple[PublicCorpus, list[PublicFile]]:
    """Return the corpus and its files; the only file of a corpus from an archive is the archive."""
    if not corpus.archive:
        if archive is not None:
            raise UserError(f"--archive: {corpus.name} is downloaded; leave the option out")
        return corpus, chosen_files(corpus, languages, parts)
    if archive is None:
        raise UserError(f"{corpus.name}: {corpus.archive}; its page is {corpus.page}")
    if not archive.is_file():
        raise UserError(f"--archive {archive}: no such file")
    if len(languages) != 1:
        raise UserError(f"{corpus.name}: an archive has one language; name it with --languages, "
                        f"one of {list(corpus.languages)}")  # fmt: skip
    file = PublicFile("archive")  # the record has no name of the user's
    return replace(corpus, files=(file,)), [file]


def _fetch(
    corpus: PublicCorpus, languages: tuple[str, ...], files: Sequence[PublicFile],
    folders: Sequence[CorpusFolder], downloads: Path, options: FetchOptions,
    confirm: Callable[[str], str],
) -> None:  # fmt: skip
    """Show, ask, download, check and import."""
    # The folder's name has the revision, because another one has other bytes.
    store = downloads / re.sub(r"[^\w.@-]", "-", f"{corpus.name}@{corpus.revision}"[:60])
    if corpus.archive:
        user_archive = options.archive or Path()
        remotes = [RemoteFile(replace(f, bytes=user_archive.stat().st_size), "") for f in files]
        paths = {file.name: user_archive for file in files}
    else:
        remotes = ask_servers(corpus, files)
        paths = {file.name: store / file.name for file in files}
    remotes = with_records(remotes, folders)
    show_fetch(corpus, languages, folders, remotes, paths)
    missing = sum(missing_bytes(each.file, paths[each.file.name]) for each in remotes)
    total = sum(size_of(each.file) for each in remotes)
    copies = 2 if options.dvc else 1  # dvc keeps a copy in its cache
    check_space({store: missing, folders[0].out: round(total * corpus.unpacked * copies)})
    if options.dry_run:
        print("dry run     nothing was downloaded")
        return
    if missing and not options.yes:
        _ask(missing, corpus, confirm)
    held = f"{store}: another fetch of {corpus.name} is running; wait for it"
    with exclusive_lock(store / "lock", lambda: held), _plain_full_disk(store):
        if not corpus.archive:
            _download_all(corpus, remotes, paths)
        hashes = _check_all(remotes, paths, corpus)
        for folder in folders:
            record = replace(
                folder.wanted,
                files={
                    each.file.name: hashes[each.file.name]
                    for each in remotes
                    if not each.file.part or each.file.part in folder.parts
                },
            )
            write_record(record_path(downloads, folder.out), record)
            mine = {name: path for name, path in paths.items() if name in record.files}
            import_fetched(corpus, languages, folder, mine, record, store, dvc=options.dvc)
    if not options.keep_downloads:
        shutil.rmtree(store)


def _ask(missing: int, corpus: PublicCorpus, confirm: Callable[[str], str]) -> None:
    """Ask whether to download.

    Raises:
        UserError: the answer is no, or the input is not a terminal.
    """
    if confirm is input and not sys.stdin.isatty():
        raise UserError(f"{corpus.name}: {gigabytes(missing)} would be downloaded; give --yes")
    answer = confirm(f"download {gigabytes(missing)}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise UserError(f"{corpus.name}: not downloaded")


def _download_all(
    corpus: PublicCorpus, remotes: Sequence[RemoteFile], paths: Mapping[str, Path]
) -> None:
    """Download the files that are not complete, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    received = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for each in remotes:
            path = paths[each.file.name]
            if path.exists():
                continue
            task = progress.add_task(
                each.file.name, total=each.file.bytes, completed=bytes_here(path)
            )

            def arrived(count: int, task=task) -> None:  # type: ignore[no-untyped-def]
                progress.advance(task, count)

            received += download(corpus, each, path, arrived)
    print(f"received    {gigabytes(received)}")


def _check_all(
    remotes: Sequence[RemoteFile], paths: Mapping[str, Path], corpus: PublicCorpus
) -> dict[str, dict[str, Any]]:
    """Return what a record keeps of each file; refuse files with other bytes, and remove them."""
    entries = {}
    for each in remotes:
        path = paths[each.file.name]
        hashes_of_file = hash_file(path)
        try:
            check_hashes(path, each.file, hashes_of_file, corpus.origin)
        except UserError:
            if each.url:  # an archive of the user's stays
                path.unlink()
            raise
        entries[each.file.name] = entry_of(each.file, hashes_of_file)
    return entries


@contextmanager
def _plain_full_disk(folder: Path) -> Iterator[None]:
    """Raise the error of a full disk as one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"{error.filename or folder}: the disk is full; what arrived stays, so make room and "
            "run the same command again, it continues there"
        ) from error
