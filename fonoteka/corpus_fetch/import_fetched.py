"""Write the corpus of fetched files, and keep the record of the fetch with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fonoteka.core.files import atomic_folder
from fonoteka.corpus.corpus import Card
from fonoteka.corpus.importers.add import (
    check_whole,
    chosen,
    next_steps,
    preview_folder,
    track,
)
from fonoteka.corpus.importers.copy import copy
from fonoteka.corpus_fetch.catalogue import PublicCorpus
from fonoteka.corpus_fetch.fetch_record import FetchRecord, write_to_pointer
from fonoteka.corpus_fetch.planned_fetch import CorpusFolder
from fonoteka.corpus_fetch.shapes import commonvoice, fleurs, fsdd, librispeech, parlaspeech
from fonoteka.corpus_fetch.shapes.arranged import FetchedFiles

ARRANGE = {
    "commonvoice": commonvoice.arrange, "fleurs": fleurs.arrange, "fsdd": fsdd.arrange,
    "librispeech": librispeech.arrange, "parlaspeech": parlaspeech.arrange,
}  # fmt: skip


def import_fetched(
    corpus: PublicCorpus, languages: tuple[str, ...], folder: CorpusFolder,
    paths: Mapping[str, Path], record: FetchRecord, store: Path, *, dvc: bool,
) -> None:  # fmt: skip
    """Unpack files, import them, and let DVC track the corpus.

    Rows that cannot be used are left out, and the description counts them by reason: a public
    corpus of 100,000 rows has some, and its user cannot repair them.

    Args:
        corpus: the entry of the catalogue.
        languages: codes.
        folder: the corpus to write.
        paths: the downloaded files by name.
        record: of the fetch.
        store: folder on the disk of the downloads, for the unpacked recordings.
        dvc: whether DVC tracks the corpus.

    Raises:
        UserError: an archive is damaged or contains something else, or no clip is left.
    """
    fetched = FetchedFiles(corpus, languages, folder.parts, paths)
    before = _recorded_hash(folder.pointer)
    with atomic_folder(store / f"unpacked-{folder.out.name}") as unpacked:
        arranged = ARRANGE[corpus.shape](fetched, unpacked)
        preview = preview_folder(unpacked, arranged.options)
        print(preview.shown)
        for note in arranged.notes:
            print(f"left out   {note}")
        check_whole(preview, allow_untranscribed=False, leave_out=True)
        release = f", {arranged.release}" if arranged.release else ""
        source = f"{corpus.origin}{release}; cite {corpus.citation}"
        clips, _ = chosen(preview.plan, allow_untranscribed=False)
        card = Card(folder.out.name, corpus.licence, source, synthetic=False)
        for sentence in copy(unpacked, folder.out, clips, [], card, move=True):
            print(f"ffmpeg     {sentence}; copied as it is, inventory will quarantine it")
    if dvc:
        track(folder.out)
        write_to_pointer(folder.pointer, record)
        if before and (now := _recorded_hash(folder.pointer)) != before:
            print(
                f"changed    {folder.pointer}: {before} is now {now}; the downloads are the same, "
                "so the importer or ffmpeg differs, or clips were erased: git diff shows it"
            )
    print(next_steps(folder.out, tracked=dvc))


def _recorded_hash(pointer: Path) -> str:
    """Return the hash of a folder in its `.dvc` file, empty without one."""
    text = pointer.read_text(encoding="utf-8") if pointer.is_file() else ""
    match = re.search(r"^- md5: (\S+)", text, re.MULTILINE)
    return match[1] if match else ""
