"""Print the catalogue, and what a fetch will download under which terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fonoteka.corpus_fetch.catalogue import (
    CATALOGUE,
    PublicCorpus,
    chosen_files,
    read_catalogue,
)
from fonoteka.corpus_fetch.planned_fetch import CorpusFolder, bytes_here, gigabytes, size_of
from fonoteka.corpus_fetch.servers import RemoteFile


def list_corpora(catalogue: Path = CATALOGUE) -> None:
    """Print the catalogue: a paragraph for each corpus."""
    for name, corpus in read_catalogue(catalogue).items():
        sizes = sum(map(size_of, chosen_files(corpus, [*corpus.languages], corpus.default_parts)))
        by_default = f", about {gigabytes(sizes)} by default" if sizes else ""
        defaults = (
            ""
            if corpus.default_parts == corpus.parts
            else (f" (default: {' '.join(corpus.default_parts)})")
        )
        print(f"{name:<15} {corpus.title}; {corpus.licence}{by_default}")
        print(f"{'':<15} --languages {' '.join(corpus.languages)}  "
              f"--split {' '.join(corpus.parts)}{defaults}")  # fmt: skip


def show_fetch(
    corpus: PublicCorpus, languages: Sequence[str], folders: Sequence[CorpusFolder],
    remotes: Sequence[RemoteFile], paths: Mapping[str, Path],
) -> None:  # fmt: skip
    """Print what will be fetched and under which terms."""
    lines = [
        ("corpus", f"{corpus.name}: {corpus.title}"), ("page", corpus.page),
        ("revision", corpus.revision or "that of the archive"), ("licence", corpus.licence),
        ("cite", corpus.citation), ("speakers", corpus.speakers),
        ("languages", " ".join(languages)),
        *(("writes", f"{folder.out} ({' '.join(folder.parts)})") for folder in folders),
    ]  # fmt: skip
    if corpus.unverified:
        lines.append(("unverified", "in the catalogue: " + ", ".join(corpus.unverified)))
    for each in remotes:
        size = gigabytes(size_of(each.file)) if size_of(each.file) else "size unknown"
        approximate = "about " * (each.file.bytes is None and bool(each.file.about_mb))
        received = bytes_here(paths[each.file.name])
        arrived = f", {gigabytes(received)} are here" if received and each.url else ""
        lines.append(("file", f"{each.file.name}, {approximate}{size}{arrived}"))
    print("\n".join(f"{label:<11} {text}" for label, text in lines))
