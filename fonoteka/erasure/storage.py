"""Look into DVC's cache: the objects of a version of a corpus, and which are a subject's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import PHONES, TABLE
from fonoteka.erasure.find_clips import Subject, find_clips, find_sidecars
from fonoteka.erasure.git_history import Commit
from fonoteka.erasure.rewrite import COLUMNS, clip_path
from fonoteka.pipeline.dvc_api import open_repo
from fonoteka.tables import read_table

_MD5 = re.compile(r"\b[0-9a-f]{32}(?:\.dir)?\b")


@dataclass(frozen=True)
class Storage:
    """Where DVC keeps the project's objects: the folder of its cache, and remotes by name."""

    cache: Path
    remotes: Mapping[str, str]

    def listing(self, md5: str) -> dict[str, str]:
        """Return the path and hash of each file in a folder; none if it is not in the cache."""
        path = self.cache / object_path(md5)
        if not md5.endswith(".dir") or not path.is_file():
            return {}
        return {str(e["relpath"]): str(e["md5"]) for e in json.loads(path.read_bytes())}

    def objects_of(self, md5: str) -> set[str]:
        """Return the hash of an output and those of its files, if they are known."""
        return {md5, *self.listing(md5).values()}

    def runs_with(self, hashes: Set[str]) -> list[str]:
        """Return the entries of the run-cache that read or wrote one of some objects."""
        paths = [path for path in self.cache.glob("runs/*/*/*") if path.is_file()]
        entries = {path: path.read_text("utf-8", "replace") for path in paths}
        matching = [path for path, text in entries.items() if hashes & set(_MD5.findall(text))]
        return sorted(path.relative_to(self.cache).as_posix() for path in matching)


def open_storage() -> Storage | None:
    """Return where DVC keeps the objects of the project; None without DVC.

    Raises:
        UserError: DVC cannot read its configuration.
    """
    if not Path(".dvc").is_dir():
        return None
    with open_repo() as repo:
        remotes = {str(name): str(c["url"]) for name, c in sorted(repo.config["remote"].items())}
        return Storage(Path(repo.cache.local.path).parents[1], remotes)


def object_path(md5: str) -> str:
    """Return the path of an object in a cache and in a remote.

    >>> object_path("d41d8cd98f00b204e9800998ecf8427e.dir")
    'files/md5/d4/1d8cd98f00b204e9800998ecf8427e.dir'
    """
    return f"files/md5/{md5[:2]}/{md5[2:]}"


@dataclass
class CorpusVersion:
    """One version of a corpus, with the hashes of its files."""

    md5: str
    readable: bool = True  # whether its table is in the cache, so that its speakers are known
    personal: set[str] = field(default_factory=set)  # the subject's files, tables and the folder
    other: set[str] = field(default_factory=set)  # all other files
    commits: list[Commit] = field(default_factory=list)  # that have it

    @property
    def refs(self) -> list[str]:
        """The branches, tags and other refs whose tip has it."""
        return sorted(ref for commit in self.commits for ref in commit.refs if ref != "HEAD")


def read_version(storage: Storage, md5: str, subject: Subject, source: str) -> CorpusVersion:
    """Return a version of a corpus; an unreadable one counts as the subject's."""
    files = storage.listing(md5)
    try:
        rows = read_table(storage.cache / object_path(files.get(TABLE, "")), COLUMNS)
    except UserError:
        return CorpusVersion(md5, readable=False, personal={md5})
    removed = find_clips(subject, rows, source) & set(files)
    if not removed:
        return CorpusVersion(md5, other=set(files.values()))
    removed |= find_sidecars(files, [clip_path(row) for row in rows], removed)[0]
    tables = {files[name] for name in (TABLE, PHONES) if name in files}
    other = {files[name] for name in files.keys() - removed} - tables
    # Two files with the same bytes are one object, which must stay if one of the files does.
    personal = ({files[name] for name in removed} | tables | {md5}) - other
    return CorpusVersion(md5, personal=personal, other=other)
