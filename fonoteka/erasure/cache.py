"""Look into dvc's cache: the objects of a version of a corpus, and which are a person's."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fonoteka.corpus.corpus import PHONES, TABLE
from fonoteka.erasure.find_clips import Who, find, sidecars
from fonoteka.pipeline.dvc_api import one_sentence
from fonoteka.tables import Row, without_formula_marks


@dataclass(frozen=True)
class Remote:
    """A place that objects were pushed to."""

    name: str
    url: str


@dataclass(frozen=True)
class Storage:
    """Where dvc keeps what it tracks here.

    Attributes:
        cache: the folder of objects and remembered runs.
        remotes: as they are configured.
    """

    cache: Path
    remotes: tuple[Remote, ...]

    def object(self, md5: str) -> Path:
        """Return where an object would be."""
        return self.cache / object_name(md5)

    def listing(self, md5: str) -> dict[str, str] | None:
        """Return the files of a folder that dvc tracks, path to hash; None where it isn't here."""
        path = self.object(md5)
        if not md5.endswith(".dir") or not path.is_file():
            return None
        return {str(e["relpath"]): str(e["md5"]) for e in json.loads(path.read_bytes())}

    def objects_of(self, md5: str) -> set[str]:
        """Return an output's objects: its own and those of its files, as far as they are known."""
        return {md5, *(self.listing(md5) or {}).values()}


def storage_of(root: Path) -> Storage | None:
    """Return where dvc keeps things for a repository; None where there is no dvc.

    Raises:
        ValueError: dvc can't read its configuration.
    """
    if not (root / ".dvc").is_dir():
        return None
    from dvc.repo import Repo

    with one_sentence(), Repo(str(root)) as repo:
        remotes = [Remote(str(n), str(about["url"])) for n, about in repo.config["remote"].items()]
        return Storage(Path(repo.cache.local.path).parents[1], tuple(sorted(remotes, key=str)))


def object_name(md5: str) -> str:
    """Return the name of an object in a cache and in a remote.

    >>> object_name("d41d8cd98f00b204e9800998ecf8427e.dir")
    'files/md5/d4/1d8cd98f00b204e9800998ecf8427e.dir'
    """
    return f"files/md5/{md5[:2]}/{md5[2:]}"


@dataclass(frozen=True)
class Version:
    """One state of a corpus, as far as it can be looked into.

    Attributes:
        md5: of its folder.
        known: whether its table is here, so that it is known who is in it.
        theirs: the hashes of the person's files, of tables that name them and of the folder.
        others: the hashes of all other files.
    """

    md5: str
    known: bool
    theirs: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    @property
    def holds(self) -> bool:
        """Whether the person is in it; one that can't be looked into is taken to hold them."""
        return bool(self.theirs) or not self.known


def look_into(storage: Storage, md5: str, who: Who, source: str) -> Version:
    """Return what a version of a corpus has of a person."""
    files = storage.listing(md5)
    rows = None if files is None else _table(storage.object(files.get(TABLE, "")))
    if files is None or rows is None:
        return Version(md5, known=False, theirs=frozenset({md5}))
    gone = find(who, rows, source).paths & set(files)
    if not gone:
        return Version(md5, known=True, others=frozenset(files.values()))
    gone |= sidecars(files, [row["path"] for row in rows], gone).gone
    tables = {files[name] for name in (TABLE, PHONES) if name in files}
    others = {files[name] for name in files.keys() - gone} - tables
    theirs = ({files[name] for name in gone} | tables | {md5}) - others
    return Version(md5, True, frozenset(theirs), frozenset(others))


def _table(path: Path) -> list[Row] | None:
    """Return the rows of a table in the cache; None where it isn't there or is no such table."""
    if not path.is_file():
        return None
    text = path.read_bytes().decode("utf-8-sig", "replace")
    rows = [
        {str(k).strip(): without_formula_marks(str(v or "")) for k, v in row.items()}
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]
    return None if rows and not {"path", "speaker"} <= rows[0].keys() else rows


def here(storage: Storage, hashes: Iterable[str]) -> list[str]:
    """Return the objects among some hashes that the cache has, sorted."""
    return sorted(md5 for md5 in hashes if storage.object(md5).is_file())


def removal(remote: Remote, listed: Path) -> str:
    """Return the command that deletes listed objects from a remote.

    >>> removal(Remote("there", "s3://bucket/store"), Path("gone.txt"))
    "sed 's|^|s3://bucket/store/|' gone.txt | xargs -n 1 aws s3 rm"
    """
    scheme, there, rest = remote.url.partition("://")
    if not there:
        return f"(cd {shlex.quote(remote.url)} && xargs rm -f) < {listed}"
    if scheme == "s3":
        return f"sed 's|^|{remote.url}/|' {listed} | xargs -n 1 aws s3 rm"
    if scheme == "gs":
        return f"sed 's|^|{remote.url}/|' {listed} | gcloud storage rm --read-paths-from-stdin"
    if scheme == "ssh":
        host, _, path = rest.partition("/")
        return f"ssh {host} \"cd '/{path}' && xargs rm -f\" < {listed}"
    return f"delete what {listed} names below {remote.url}"
